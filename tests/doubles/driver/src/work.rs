//! What is put on streams: asked for now, started when it is put there, done later.

use crate::code::Code;
use crate::driver::{Driver, Handle, in_host_function};
use crate::memory::{POISON, Piece};

/// What a host function gets is its caller's business: its address is all that is kept.
pub(crate) type HostFunction = extern "C" fn(usize);

/// What was asked for, as a graph keeps it; it may be started again and again.
#[derive(Clone, Copy)]
pub(crate) enum Request {
    CopyToDevice { to: u64, from: usize, len: usize },
    CopyToHost { to: usize, from: u64, len: usize },
    CopyOnDevice { to: u64, from: u64, len: usize },
    Fill { to: u64, value: u8, len: usize },
    Call { function: HostFunction, data: usize },
}

/// What a stream's thread does.
pub(crate) enum Work {
    /// A copy, and what it was to copy, if that must not change meanwhile.
    Copy {
        to: Piece,
        from: Piece,
        expected: Option<Vec<u8>>,
    },
    CopyToHost {
        to: Piece,
        from: Piece,
    },
    Write {
        to: Piece,
        bytes: Vec<u8>,
    },
    Fill {
        to: Piece,
        value: u8,
    },
    Call {
        function: HostFunction,
        data: usize,
    },
    /// What happened up to here is done: for the event of that handle, unless it was recorded again since.
    Event {
        event: Handle,
        record: u64,
    },
    Nothing,
}

impl Request {
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::CopyToDevice { .. } => "copy to device",
            Self::CopyToHost { .. } => "copy to host",
            Self::CopyOnDevice { .. } => "copy on device",
            Self::Fill { .. } => "fill",
            Self::Call { .. } => "host function",
        }
    }

    /// Find the memory that it uses.
    pub(crate) fn start(self, driver: &mut Driver) -> Result<Work, Code> {
        Ok(match self {
            Self::CopyToDevice { to, from, len } => {
                let (to, from) = (driver.device_piece(to, len)?, page_locked(driver, from, len)?);
                let expected = Some(from.bytes());
                Work::Copy { to, from, expected }
            }
            Self::CopyToHost { to, from, len } => {
                Work::CopyToHost { to: page_locked(driver, to, len)?, from: driver.device_piece(from, len)? }
            }
            Self::CopyOnDevice { to, from, len } => {
                Work::Copy { to: driver.device_piece(to, len)?, from: driver.device_piece(from, len)?, expected: None }
            }
            Self::Fill { to, value, len } => Work::Fill { to: driver.device_piece(to, len)?, value },
            Self::Call { function, data } => Work::Call { function, data },
        })
    }
}

fn page_locked(driver: &mut Driver, address: usize, len: usize) -> Result<Piece, Code> {
    driver.host_piece(address, len).ok_or_else(|| {
        driver.report.breach("page-locked memory that is not allocated, or no longer");
        Code::INVALID_VALUE
    })
}

impl Work {
    /// Make poison of what it will overwrite on the host, so that nobody reads it too early.
    pub(crate) fn poison(&self) {
        if let Self::CopyToHost { to, .. } = self
            && to.is_alone()
        {
            to.fill(POISON);
        }
    }

    /// Do it, without the lock; return what is wrong with it.
    pub(crate) fn run(&self) -> Option<&'static str> {
        match self {
            Self::Copy { to, from, expected } => {
                from.copy_to(to);
                let is_changed = expected.as_ref().is_some_and(|expected| *expected != from.bytes());
                return is_changed.then_some("page-locked memory was written before its stream was synchronized");
            }
            Self::CopyToHost { to, from } => from.copy_to(to),
            Self::Write { to, bytes } => to.write(bytes),
            Self::Fill { to, value } => to.fill(*value),
            Self::Call { function, data } => in_host_function(|| function(*data)),
            Self::Event { .. } | Self::Nothing => (),
        }
        None
    }
}
