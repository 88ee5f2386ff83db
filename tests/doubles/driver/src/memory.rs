//! Memory of the GPU, which lies on the host under addresses that no host has, and page-locked memory of the host.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::VecDeque;
use std::sync::Arc;

use crate::code::{Code, Outcome};
use crate::context;
use crate::driver::{Driver, Handle};

/// What memory holds before something is written, and after it was freed: as floats it is not a number.
pub(crate) const POISON: u8 = 0xFF;

/// Where device memory begins. Neither x86-64 nor 64-bit ARM can have memory of a process there, so that a host that
/// reads it crashes.
const FIRST_ADDRESS: usize = 1 << 50;

/// Device memory begins at multiples of this, and lies so far apart at least.
const ALIGNMENT: usize = 512;

/// Page-locked memory begins at multiples of this.
const PAGE: usize = 4096;

/// Bytes of page-locked memory that are kept as poison after they were freed, to see who still writes into them.
const MAX_FREED: usize = 1 << 26;

/// Memory of the host that stands for some of the GPU's or is page-locked; work that uses it keeps it.
#[derive(Clone)]
pub(crate) struct Block(Arc<Allocation>);

struct Allocation {
    data: *mut u8,
    layout: Layout,
}

// SAFETY: it is memory. Who reads and writes it when is for the driver's callers to keep in order, as on a GPU.
unsafe impl Send for Allocation {}
// SAFETY: as above.
unsafe impl Sync for Allocation {}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.data, self.layout) };
    }
}

impl Block {
    fn new(len: usize) -> Result<Self, Code> {
        let layout = Layout::from_size_align(len, PAGE).map_err(|_| Code::OUT_OF_MEMORY)?;
        if len == 0 {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: the layout is not empty.
        let data = unsafe { alloc(layout) };
        if data.is_null() {
            return Err(Code::OUT_OF_MEMORY);
        }
        let block = Self(Arc::new(Allocation { data, layout }));
        block.all().fill(POISON);
        Ok(block)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.layout.size()
    }

    pub(crate) fn address(&self) -> usize {
        self.0.data as usize
    }

    /// Whether work that is not done yet uses it.
    pub(crate) fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn all(&self) -> Piece {
        Piece { block: self.clone(), start: 0, len: self.len() }
    }

    fn piece(&self, start: usize, len: usize) -> Option<Piece> {
        (start.checked_add(len)? <= self.len()).then(|| Piece { block: self.clone(), start, len })
    }
}

/// Some bytes of a block.
#[derive(Clone)]
pub(crate) struct Piece {
    block: Block,
    start: usize,
    pub(crate) len: usize,
}

impl Piece {
    pub(crate) fn start(&self) -> *mut u8 {
        // SAFETY: the piece lies inside the block.
        unsafe { self.block.0.data.add(self.start) }
    }

    pub(crate) fn fill(&self, value: u8) {
        // SAFETY: the bytes are those of the block, which this piece keeps.
        unsafe { self.start().write_bytes(value, self.len) };
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        // SAFETY: as above; the vector has room for as many.
        unsafe {
            self.start().copy_to_nonoverlapping(bytes.as_mut_ptr(), self.len);
            bytes.set_len(self.len);
        }
        bytes
    }

    /// Copy all of it to another piece of the same length.
    pub(crate) fn copy_to(&self, other: &Self) {
        // SAFETY: both are as long, and kept.
        unsafe { self.start().copy_to(other.start(), self.len.min(other.len)) };
    }

    pub(crate) fn write(&self, bytes: &[u8]) {
        // SAFETY: as above; nobody but the caller has the slice.
        unsafe { self.start().copy_from_nonoverlapping(bytes.as_ptr(), self.len.min(bytes.len())) };
    }

    /// Whether no other work uses its block.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.block.0) <= 2 // the table's and this one
    }
}

/// Page-locked memory that was freed lately, the oldest first.
#[derive(Default)]
pub(crate) struct Freed(VecDeque<Block>);

pub(crate) fn allocate(driver: &mut Driver, len: usize) -> Result<u64, Code> {
    driver.forbid_while_recording()?;
    let context = context::current(driver)?;
    let used: usize = driver.device_memory.in_context(context).map(|(_, block)| block.len()).sum();
    if used.saturating_add(len) > driver.settings.memory {
        return Err(Code::OUT_OF_MEMORY);
    }
    let block = Block::new(len)?;
    let address = driver.next_address.max(FIRST_ADDRESS);
    driver.next_address = (address + len + ALIGNMENT).next_multiple_of(ALIGNMENT);
    driver.device_memory.add(address, context, block);
    Ok(address as u64)
}

pub(crate) fn free(driver: &mut Driver, address: u64) -> Outcome {
    driver.forbid_while_recording()?;
    let context = context::current(driver)?;
    let block = driver.device_memory.take(handle_of(address), context, &mut driver.report)?;
    if block.is_used() {
        driver.report.breach("device memory that work under way uses");
    }
    Ok(())
}

pub(crate) fn allocate_host(driver: &mut Driver, len: usize) -> Result<usize, Code> {
    driver.forbid_while_recording()?;
    let context = context::current(driver)?;
    let block = Block::new(len)?;
    let address = block.address();
    driver.host_memory.add(address, context, block);
    Ok(address)
}

pub(crate) fn free_host(driver: &mut Driver, address: usize) -> Outcome {
    driver.forbid_while_recording()?;
    let context = context::current(driver)?;
    let block = driver.host_memory.take(address, context, &mut driver.report)?;
    if block.is_used() {
        driver.report.breach("page-locked memory that work under way uses");
    }
    block.all().fill(POISON);
    driver.freed.0.push_back(block);
    while driver.freed.0.iter().map(Block::len).sum::<usize>() > MAX_FREED
        && let Some(oldest) = driver.freed.0.pop_front()
    {
        driver.check(&oldest);
    }
    Ok(())
}

/// Bytes that are free, and all that there are, on the current GPU.
pub(crate) fn info(driver: &mut Driver) -> Result<(usize, usize), Code> {
    let context = context::current(driver)?;
    let used: usize = driver.device_memory.in_context(context).map(|(_, block)| block.len()).sum();
    Ok((driver.settings.memory.saturating_sub(used), driver.settings.memory))
}

pub(crate) fn handle_of(address: u64) -> Handle {
    usize::try_from(address).unwrap_or(usize::MAX)
}

impl Driver {
    /// Find bytes of the GPU, all of which must be allocated.
    pub(crate) fn device_piece(&mut self, address: u64, len: usize) -> Result<Piece, Code> {
        let address = handle_of(address);
        let found = self.device_memory.below(address).and_then(|(start, block)| block.piece(address - start, len));
        found.ok_or_else(|| {
            self.report.breach("device memory that is not allocated, or no longer");
            Code::INVALID_VALUE
        })
    }

    /// Find bytes of the host, if all of them are page-locked.
    pub(crate) fn host_piece(&self, address: usize, len: usize) -> Option<Piece> {
        self.host_memory.below(address).and_then(|(start, block)| block.piece(address - start, len))
    }

    /// Report what was written into page-locked memory after it was freed, each time once.
    pub(crate) fn check_freed(&mut self) {
        for block in self.freed.0.clone() {
            self.check(&block);
        }
    }

    fn check(&mut self, freed: &Block) {
        let all = freed.all();
        if all.bytes().iter().any(|byte| *byte != POISON) {
            all.fill(POISON);
            self.report.breach("page-locked memory was written after it was freed");
        }
    }
}
