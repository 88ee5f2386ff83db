//! Streams: a queue and a thread each, and the default stream's rule.
//!
//! The default stream (the legacy one, handle 0 or 1) waits for what lies on the other streams of its context, and what
//! is put on those later waits for it; streams that were made non-blocking stay out of that.

use std::collections::VecDeque;
use std::fmt;
use std::thread;

use crate::code::{Code, Outcome};
use crate::context;
use crate::driver::{Driver, Handle, Locked, changed, lock, now, wait_until};
use crate::graph::Recording;
use crate::work::{Request, Work};

const NON_BLOCKING: u32 = 1;
const LEGACY: [Handle; 2] = [0, 1];
const PER_THREAD: Handle = 2;

/// A stream, and how many of its operations are to be done.
pub(crate) type Ticket = (Handle, u64);

pub(crate) struct Stream {
    pub(crate) is_legacy: bool,
    pub(crate) is_blocking: bool,
    queue: VecDeque<Operation>,
    put: u64,
    done: u64,
    is_ending: bool,
    pub(crate) recording: Option<Recording>,
}

struct Operation {
    what: &'static str,
    put_at: u64,
    after: Vec<Ticket>,
    work: Work,
}

/// When an operation was put on its stream, began and ended, in nanoseconds.
pub(crate) struct Span {
    stream: Handle,
    what: &'static str,
    put: u64,
    began: u64,
    ended: u64,
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, what, put, began, ended } = self;
        write!(formatter, "{stream}\t{what}\t{put}\t{began}\t{ended}")
    }
}

pub(crate) fn create(driver: &mut Driver, flags: u32) -> Result<Handle, Code> {
    let context = context::current(driver)?;
    match flags {
        0 => start(driver, context, true, false),
        NON_BLOCKING => start(driver, context, false, false),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn start(driver: &mut Driver, context: Handle, is_blocking: bool, is_legacy: bool) -> Result<Handle, Code> {
    let handle = driver.new_handle();
    let stream =
        Stream { is_legacy, is_blocking, queue: VecDeque::new(), put: 0, done: 0, is_ending: false, recording: None };
    driver.streams.add(handle, context, stream);
    let thread = thread::Builder::new().name("pretend GPU".to_owned()).spawn(move || work(handle));
    if thread.is_err() {
        driver.streams.drop(handle);
        return Err(Code::OUT_OF_MEMORY);
    }
    Ok(handle)
}

/// Destroy it: at once if nothing is left to do, else when that is done.
pub(crate) fn destroy(driver: &mut Driver, stream: Handle) -> Outcome {
    let context = context::current(driver)?;
    if LEGACY.contains(&stream) {
        return Err(Code::INVALID_HANDLE);
    }
    let found = driver.streams.take(stream, context, &mut driver.report)?;
    if found.done < found.put {
        driver.report.breach("a stream that has work left");
    }
    if found.recording.is_some() {
        driver.report.breach("a stream that is recorded");
    }
    driver.end(stream, found);
    Ok(())
}

pub(crate) fn synchronize(mut driver: Locked, stream: Handle) -> Outcome {
    let began = now();
    let handle = driver.stream_of(stream)?;
    driver.forbid_on_recording(handle)?;
    let tickets = driver.tickets_before(handle)?;
    let mut driver = wait_until(driver, |driver| driver.are_done(&tickets));
    let ended = now();
    driver.log.push(Span { stream: handle, what: "synchronize", put: began, began, ended });
    driver.settings.lost.map_or(Ok(()), Err)
}

pub(crate) fn query(driver: &mut Driver, stream: Handle) -> Outcome {
    let handle = driver.stream_of(stream)?;
    driver.forbid_on_recording(handle)?;
    let tickets = driver.tickets_before(handle)?;
    if driver.are_done(&tickets) { Ok(()) } else { Err(Code::NOT_READY) }
}

/// Put what is asked for on a stream, or into the graph that is recorded from it.
pub(crate) fn submit(driver: &mut Driver, stream: Handle, request: Request) -> Outcome {
    let handle = driver.stream_of(stream)?;
    let work = request.start(driver)?;
    if let Some(recording) = &mut driver.streams.find(handle, &mut driver.report)?.recording {
        recording.requests.push(request);
        return Ok(());
    }
    driver.put(handle, request.what(), work, Vec::new())?;
    Ok(())
}

impl Driver {
    /// The stream of that handle, which stands for the default one too.
    pub(crate) fn stream_of(&mut self, stream: Handle) -> Result<Handle, Code> {
        let context = context::current(self)?;
        if stream == PER_THREAD {
            return Err(Code::NOT_SUPPORTED);
        }
        if !LEGACY.contains(&stream) {
            self.streams.find(stream, &mut self.report)?;
            if self.streams.in_context(context).all(|(handle, _)| handle != stream) {
                self.report.breach("a stream of another context");
                return Err(Code::INVALID_HANDLE);
            }
            return Ok(stream);
        }
        self.forbid_beside_recordings(context)?;
        let legacy = self.streams.in_context(context).find(|(_, stream)| stream.is_legacy).map(|(handle, _)| handle);
        legacy.map_or_else(|| start(self, context, true, true), Ok)
    }

    /// Put work on a stream; return what waits for it. What it copies to the host is poison there until then.
    pub(crate) fn put(
        &mut self,
        handle: Handle,
        what: &'static str,
        work: Work,
        mut after: Vec<Ticket>,
    ) -> Result<Ticket, Code> {
        after.extend(self.tickets_before(handle)?.into_iter().filter(|(other, _)| *other != handle));
        let stream = self.streams.find(handle, &mut self.report)?;
        work.poison();
        stream.put += 1;
        stream.queue.push_back(Operation { what, put_at: now(), after, work });
        let ticket = (handle, stream.put);
        changed();
        Ok(ticket)
    }

    /// What is to be done before what is put on a stream now, itself included.
    fn tickets_before(&mut self, handle: Handle) -> Result<Vec<Ticket>, Code> {
        let stream = self.streams.find(handle, &mut self.report)?;
        let (is_legacy, is_blocking, own) = (stream.is_legacy, stream.is_blocking, (handle, stream.put));
        let context = context::current(self)?;
        let others = self.streams.in_context(context).filter(|(other, stream)| {
            *other != handle && is_blocking && stream.is_blocking && (is_legacy || stream.is_legacy)
        });
        Ok(others.map(|(other, stream)| (other, stream.put)).chain([own]).collect())
    }

    /// All that lies on the streams of a context now.
    pub(crate) fn tickets_of(&self, context: Handle) -> Vec<Ticket> {
        self.streams.in_context(context).map(|(handle, stream)| (handle, stream.put)).collect()
    }

    /// What lies on those streams of the current context that the default one waits for.
    pub(crate) fn tickets_before_default(&mut self) -> Result<Vec<Ticket>, Code> {
        let context = context::current(self)?;
        let blocking = self.streams.in_context(context).filter(|(_, stream)| stream.is_blocking);
        Ok(blocking.map(|(handle, stream)| (handle, stream.put)).collect())
    }

    pub(crate) fn are_done(&self, tickets: &[Ticket]) -> bool {
        let is_done = |(handle, count): &Ticket| {
            let stream = self.streams.peek(*handle).or_else(|| self.ending.get(handle));
            stream.is_none_or(|stream| stream.done >= *count)
        };
        tickets.iter().all(is_done)
    }

    pub(crate) fn end_legacy_stream(&mut self, context: Handle) {
        let legacy = self.streams.in_context(context).find(|(_, stream)| stream.is_legacy).map(|(handle, _)| handle);
        if let Some(handle) = legacy
            && let Some(stream) = self.streams.drop(handle)
        {
            self.end(handle, stream);
        }
    }

    /// End all streams.
    pub(crate) fn end_streams(&mut self) {
        let handles: Vec<_> = self.streams.all_mut().map(|(handle, _)| handle).collect();
        for handle in handles {
            if let Some(stream) = self.streams.drop(handle) {
                self.end(handle, stream);
            }
        }
    }

    fn end(&mut self, handle: Handle, mut stream: Stream) {
        stream.is_ending = true;
        self.ending.insert(handle, stream);
        changed();
    }

    fn stream_mut(&mut self, handle: Handle) -> Option<&mut Stream> {
        if self.ending.contains_key(&handle) { self.ending.get_mut(&handle) } else { self.streams.peek_mut(handle) }
    }

    /// Whether a stream's thread has something to do: the next operation, or to end.
    fn is_ready(&self, handle: Handle) -> bool {
        let Some(stream) = self.ending.get(&handle).or_else(|| self.streams.peek(handle)) else {
            return true;
        };
        let next = stream.queue.front();
        next.map_or(stream.is_ending, |operation| self.are_done(&operation.after))
    }
}

/// What a stream's thread does, until the stream is destroyed and nothing is left to do.
fn work(handle: Handle) {
    let mut driver = lock();
    loop {
        driver = wait_until(driver, |driver| driver.is_ready(handle));
        let Some(operation) = driver.stream_mut(handle).and_then(|stream| stream.queue.pop_front()) else {
            driver.ending.remove(&handle);
            changed();
            return;
        };
        let (delay, is_lost) = (driver.settings.delay, driver.settings.lost.is_some());
        drop(driver);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let began = now();
        let breach = if is_lost { None } else { operation.work.run() };
        let Operation { what, put_at: put, work, .. } = operation;
        driver = lock();
        let ended = now();
        if let Some(breach) = breach {
            driver.report.breach(breach);
        }
        if let Work::Event { event, record } = work {
            driver.complete(event, record, ended);
        }
        drop(work); // while the driver is locked: whoever sees that it is done finds its memory unused
        driver.log.push(Span { stream: handle, what, put, began, ended });
        if let Some(stream) = driver.stream_mut(handle) {
            stream.done += 1;
        }
        changed();
    }
}
