//! Events: places in streams, which can be waited for and between which time can be measured.

use crate::code::{Code, Outcome};
use crate::context;
use crate::driver::{Driver, Handle, Locked, wait_until};
use crate::stream::Ticket;
use crate::work::Work;

const DISABLE_TIMING: u32 = 2;
const ALL_FLAGS: u32 = 7;

#[derive(Clone, Copy)]
pub(crate) struct Event {
    has_timing: bool,
    /// How often it was recorded.
    records: u64,
    ticket: Option<Ticket>,
    completed: Option<u64>,
}

pub(crate) fn create(driver: &mut Driver, flags: u32) -> Result<Handle, Code> {
    let context = context::current(driver)?;
    if flags > ALL_FLAGS {
        return Err(Code::INVALID_VALUE);
    }
    let event = Event { has_timing: flags & DISABLE_TIMING == 0, records: 0, ticket: None, completed: None };
    let handle = driver.new_handle();
    driver.events.add(handle, context, event);
    Ok(handle)
}

pub(crate) fn destroy(driver: &mut Driver, event: Handle) -> Outcome {
    let context = context::current(driver)?;
    driver.events.take(event, context, &mut driver.report)?;
    Ok(())
}

pub(crate) fn record(driver: &mut Driver, event: Handle, stream: Handle) -> Outcome {
    let handle = driver.stream_of(stream)?;
    driver.forbid_on_recording(handle)?; // graphs of several streams: not here
    let record = driver.events.find(event, &mut driver.report)?.records + 1;
    let context = context::current(driver)?;
    if driver.events.in_context(context).all(|(handle, _)| handle != event) {
        driver.report.breach("an event of another context");
        return Err(Code::INVALID_HANDLE);
    }
    let ticket = driver.put(handle, "event", Work::Event { event, record }, Vec::new())?;
    let found = driver.events.find(event, &mut driver.report)?;
    (found.records, found.ticket, found.completed) = (record, Some(ticket), None);
    Ok(())
}

/// Have what is put on a stream later wait for an event.
pub(crate) fn wait(driver: &mut Driver, stream: Handle, event: Handle, flags: u32) -> Outcome {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let handle = driver.stream_of(stream)?;
    driver.forbid_on_recording(handle)?;
    let ticket = driver.events.find(event, &mut driver.report)?.ticket;
    driver.put(handle, "wait for an event", Work::Nothing, ticket.into_iter().collect())?;
    Ok(())
}

pub(crate) fn query(driver: &mut Driver, event: Handle) -> Outcome {
    let ticket = driver.events.find(event, &mut driver.report)?.ticket;
    if ticket.is_none_or(|ticket| driver.are_done(&[ticket])) { Ok(()) } else { Err(Code::NOT_READY) }
}

pub(crate) fn synchronize(mut driver: Locked, event: Handle) -> Outcome {
    let Driver { events, report, .. } = &mut *driver;
    let ticket = events.find(event, report)?.ticket;
    let driver = wait_until(driver, |driver| ticket.is_none_or(|ticket| driver.are_done(&[ticket])));
    driver.settings.lost.map_or(Ok(()), Err)
}

/// Milliseconds from one event to another.
pub(crate) fn elapsed(driver: &mut Driver, start: Handle, end: Handle) -> Result<f32, Code> {
    let mut times = [0; 2];
    for (time, event) in times.iter_mut().zip([start, end]) {
        let event = *driver.events.find(event, &mut driver.report)?;
        if !event.has_timing || event.records == 0 {
            return Err(Code::INVALID_HANDLE);
        }
        *time = event.completed.ok_or(Code::NOT_READY)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a GPU is not as exact")]
    Ok(times[1].wrapping_sub(times[0]).cast_signed() as f32 / 1e6)
}

impl Driver {
    /// Note when an event was reached, unless it was recorded again since.
    pub(crate) fn complete(&mut self, event: Handle, record: u64, time: u64) {
        if let Some(event) = self.events.peek_mut(event)
            && event.records == record
        {
            event.completed = Some(time);
        }
    }
}
