//! The primary contexts of GPUs, and each thread's stack of current ones.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::code::{Code, Outcome};
use crate::driver::{Driver, Handle, Locked, wait_until};

thread_local! {
    static STACK: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// The primary contexts that are retained, by device.
#[derive(Default)]
pub(crate) struct Contexts {
    live: BTreeMap<i32, Primary>,
    retains: u64,
}

struct Primary {
    handle: Handle,
    count: u32,
}

impl Contexts {
    /// How often one was retained.
    pub(crate) fn retains(&self) -> u64 {
        self.retains
    }

    pub(crate) fn forget_counts(&mut self) {
        self.retains = 0;
    }

    fn device_of(&self, context: Handle) -> Option<i32> {
        self.live.iter().find(|(_, primary)| primary.handle == context).map(|(device, _)| *device)
    }
}

/// The context that is current on this thread.
pub(crate) fn current(driver: &mut Driver) -> Result<Handle, Code> {
    let Some(context) = STACK.with_borrow(|stack| stack.last().copied()) else {
        driver.report.breach("no context is current");
        return Err(Code::INVALID_CONTEXT);
    };
    device_of(driver, context)?;
    Ok(context)
}

fn device_of(driver: &mut Driver, context: Handle) -> Result<i32, Code> {
    driver.contexts.device_of(context).ok_or_else(|| {
        driver.report.breach("a context that was released");
        Code::CONTEXT_IS_DESTROYED
    })
}

pub(crate) fn retain(driver: &mut Driver, device: i32) -> Handle {
    driver.contexts.retains += 1;
    let handle = driver.new_handle();
    let primary = driver.contexts.live.entry(device).or_insert(Primary { handle, count: 0 });
    primary.count += 1;
    primary.handle
}

pub(crate) fn release(driver: &mut Driver, device: i32) -> Outcome {
    let primary = driver.contexts.live.get_mut(&device).ok_or(Code::INVALID_CONTEXT)?;
    primary.count -= 1;
    if primary.count > 0 {
        return Ok(());
    }
    let handle = primary.handle;
    driver.contexts.live.remove(&device);
    driver.end_legacy_stream(handle);
    let left = driver.live_in(handle);
    if left > 0 {
        driver.report.breach(format!("a primary context is released in which {left} resources are alive"));
    }
    Ok(())
}

pub(crate) fn detach(driver: &mut Driver, context: Handle) -> Outcome {
    let device = device_of(driver, context)?;
    release(driver, device)
}

pub(crate) fn push(driver: &mut Driver, context: Handle) -> Outcome {
    if driver.contexts.device_of(context).is_none() {
        driver.report.breach("a context that is not there");
        return Err(Code::INVALID_CONTEXT);
    }
    STACK.with_borrow_mut(|stack| stack.push(context));
    Ok(())
}

pub(crate) fn pop(driver: &mut Driver) -> Result<Handle, Code> {
    STACK.with_borrow_mut(Vec::pop).ok_or_else(|| {
        driver.report.breach("pop without push");
        Code::INVALID_CONTEXT
    })
}

/// The current one, or null.
pub(crate) fn get_current() -> Handle {
    STACK.with_borrow(|stack| stack.last().copied()).unwrap_or(0)
}

/// Put a context in the place of the current one; null only takes that away.
pub(crate) fn set_current(driver: &mut Driver, context: Handle) -> Outcome {
    let former = STACK.with_borrow_mut(Vec::pop);
    if context == 0 {
        return Ok(());
    }
    push(driver, context).inspect_err(|_| STACK.with_borrow_mut(|stack| stack.extend(former)))
}

pub(crate) fn get_device(driver: &mut Driver) -> Result<i32, Code> {
    let context = current(driver)?;
    device_of(driver, context)
}

/// Wait for all work of the current context.
pub(crate) fn synchronize(mut driver: Locked) -> Outcome {
    let context = current(&mut driver)?;
    driver.forbid_while_recording()?;
    let tickets = driver.tickets_of(context);
    let driver = wait_until(driver, |driver| driver.are_done(&tickets));
    driver.settings.lost.map_or(Ok(()), Err)
}

impl Driver {
    /// How many things are alive that were made in a context.
    fn live_in(&self, context: Handle) -> usize {
        self.device_memory.in_context(context).count()
            + self.host_memory.in_context(context).count()
            + self.streams.in_context(context).count()
            + self.events.in_context(context).count()
    }
}
