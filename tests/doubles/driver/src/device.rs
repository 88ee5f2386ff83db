//! GPUs, of which there are as many as the settings say.

use std::ffi::c_char;
use std::sync::Once;

use crate::code::{Code, Outcome};
use crate::control::write_report;
use crate::driver::{Driver, initialize};

const COMPUTE_CAPABILITY: (i32, i32) = (8, 9);
const COMPUTE_CAPABILITY_MAJOR: i32 = 75;
const COMPUTE_CAPABILITY_MINOR: i32 = 76;

/// Has a report written when the process ends.
static REPORTS_AT_EXIT: Once = Once::new();

unsafe extern "C" {
    safe fn atexit(callback: extern "C" fn()) -> i32;
}

pub(crate) fn init(driver: &Driver, flags: u32) -> Outcome {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    if count(driver) == 0 {
        return Err(Code::NO_DEVICE);
    }
    initialize();
    REPORTS_AT_EXIT.call_once(|| _ = atexit(write_report));
    Ok(())
}

/// The GPUs that `CUDA_VISIBLE_DEVICES` leaves: those before the first number that is not one of a GPU.
pub(crate) fn count(driver: &Driver) -> i32 {
    let all = driver.settings.devices;
    let Ok(visible) = std::env::var("CUDA_VISIBLE_DEVICES") else {
        return all;
    };
    let numbers = visible.split(',').map(|number| number.trim().parse());
    let seen = numbers.take_while(|number| number.as_ref().is_ok_and(|number| (0..all).contains(number)));
    i32::try_from(seen.count()).unwrap_or(i32::MAX)
}

pub(crate) fn get(driver: &Driver, number: i32) -> Result<i32, Code> {
    if (0..count(driver)).contains(&number) { Ok(number) } else { Err(Code::INVALID_DEVICE) }
}

/// Write the name, cut off where `len` ends, with a zero.
pub(crate) fn name(driver: &Driver, buffer: *mut c_char, len: i32, device: i32) -> Outcome {
    get(driver, device)?;
    let room = usize::try_from(len).unwrap_or(0);
    if buffer.is_null() || room == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let name = driver.settings.name.as_bytes();
    let len = name.len().min(room - 1);
    // SAFETY: the caller of cuDeviceGetName gives a buffer of `room` bytes, and `len` is less.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), len);
        buffer.add(len).write(0);
    }
    Ok(())
}

pub(crate) fn total_memory(driver: &Driver, device: i32) -> Result<usize, Code> {
    get(driver, device)?;
    Ok(driver.settings.memory)
}

pub(crate) fn attribute(driver: &Driver, which: i32, device: i32) -> Result<i32, Code> {
    get(driver, device)?;
    match which {
        COMPUTE_CAPABILITY_MAJOR => Ok(COMPUTE_CAPABILITY.0),
        COMPUTE_CAPABILITY_MINOR => Ok(COMPUTE_CAPABILITY.1),
        _ => Err(Code::INVALID_VALUE),
    }
}

pub(crate) fn compute_capability(driver: &Driver, device: i32) -> Result<(i32, i32), Code> {
    get(driver, device)?;
    Ok(COMPUTE_CAPABILITY)
}
