//! Copies: on a stream from page-locked memory, at once from and to other memory.

use std::slice;

use crate::code::{Code, Outcome};
use crate::driver::{Driver, Handle, Locked, wait_until};
use crate::memory::Piece;
use crate::stream::submit;
use crate::work::{Request, Work};

pub(crate) fn to_device_async(mut driver: Locked, to: u64, from: usize, len: usize, stream: Handle) -> Outcome {
    if driver.host_piece(from, len).is_some() {
        return submit(&mut driver, stream, Request::CopyToDevice { to, from, len });
    }
    let handle = driver.stream_for_pageable(stream)?;
    let to = driver.device_piece(to, len)?;
    let bytes = bytes_at(from, len).to_vec();
    driver.put(handle, "copy to device", Work::Write { to, bytes }, Vec::new())?;
    Ok(())
}

pub(crate) fn to_host_async(mut driver: Locked, to: usize, from: u64, len: usize, stream: Handle) -> Outcome {
    if driver.host_piece(to, len).is_some() {
        return submit(&mut driver, stream, Request::CopyToHost { to, from, len });
    }
    let handle = driver.stream_for_pageable(stream)?;
    let from = driver.device_piece(from, len)?;
    let ticket = driver.put(handle, "copy to host", Work::Nothing, Vec::new())?;
    let _driver = wait_until(driver, |driver| driver.are_done(&[ticket]));
    copy_out(to, &from);
    Ok(())
}

pub(crate) fn to_device(driver: Locked, to: u64, from: usize, len: usize) -> Outcome {
    let mut driver = after_default(driver)?;
    driver.device_piece(to, len)?.write(bytes_at(from, len));
    Ok(())
}

pub(crate) fn to_host(driver: Locked, to: usize, from: u64, len: usize) -> Outcome {
    let mut driver = after_default(driver)?;
    copy_out(to, &driver.device_piece(from, len)?);
    Ok(())
}

pub(crate) fn on_device(driver: Locked, to: u64, from: u64, len: usize) -> Outcome {
    let mut driver = after_default(driver)?;
    driver.device_piece(from, len)?.copy_to(&driver.device_piece(to, len)?);
    Ok(())
}

pub(crate) fn fill(driver: Locked, to: u64, value: u8, len: usize) -> Outcome {
    let mut driver = after_default(driver)?;
    driver.device_piece(to, len)?.fill(value);
    Ok(())
}

/// Wait for what lies before something on the default stream.
fn after_default(mut driver: Locked) -> Result<Locked, Code> {
    driver.forbid_while_recording()?;
    let tickets = driver.tickets_before_default()?;
    let driver = wait_until(driver, |driver| driver.are_done(&tickets));
    driver.settings.lost.map_or(Ok(driver), Err)
}

fn bytes_at<'a>(address: usize, len: usize) -> &'a [u8] {
    // SAFETY: the caller of a copy says that the host has as many bytes there, and keeps them until the copy returns.
    unsafe { slice::from_raw_parts(address as *const u8, len) }
}

fn copy_out(to: usize, from: &Piece) {
    // SAFETY: as above.
    unsafe { (to as *mut u8).copy_from_nonoverlapping(from.start(), from.len) };
}

impl Driver {
    /// The stream for an asynchronous copy of memory that is not page-locked, which is allowed but not asynchronous.
    fn stream_for_pageable(&mut self, stream: Handle) -> Result<Handle, Code> {
        self.report.breach("pageable memory in an asynchronous copy");
        let handle = self.stream_of(stream)?;
        self.forbid_on_recording(handle)?;
        Ok(handle)
    }
}
