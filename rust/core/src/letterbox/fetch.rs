//! Asking for memory before it is needed: CPUs foresee what is read or written in one place after the other, but less
//! well where a row of each of three planes is written, or where rows of an image are left out.
//!
//! A new frame lies in memory, not in a cache, so the AVX-512 code prefetches its next rows while it blends those
//! before them. For such frames (`benches/bench_new_frames.py`) the letterbox takes 0.4 of the time that it takes
//! without prefetching from 1280x720 to 416 and from 1920x1080 to 640, and 0.6 from 3840x2160 to 640. A frame that a
//! cache holds already (`benches/bench_letterbox.py`) gains nothing, and a large one loses: it takes about 1.1 of the
//! time from 2560x1440 to 640, about 1.25 from 3840x2160.

/// How far ahead, in bytes.
const AHEAD: usize = 1024;

/// Bytes that memory gives at once.
pub(super) const LINE: usize = 64;

/// Asks for the line that lies [`AHEAD`] beyond `place`.
#[inline(always)]
pub(super) fn fetch_ahead<T>(place: *const T) {
    fetch(place.wrapping_byte_add(AHEAD));
}

/// Asks for the line at `place`, which may be out of bounds: it is not accessed.
#[inline(always)]
pub(super) fn fetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[allow(unused_unsafe, reason = "older compilers take it to be unsafe")]
        // SAFETY: nothing is accessed.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(place.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Two rows that are fetched while others are worked on, a part of them in each step. Empty ones are not.
pub(super) struct Ahead<'a> {
    rows: [&'a [u8]; 2],
    step: usize,
    due: usize,
    fetched: usize,
}

impl<'a> Ahead<'a> {
    /// Prepares to fetch both rows in `steps` calls of `fetch`.
    pub(super) fn new(rows: [&'a [u8]; 2], steps: usize) -> Self {
        let len = rows.map(<[u8]>::len).into_iter().fold(0, usize::max);
        Self { rows, step: len.div_ceil(steps.max(1)), due: 0, fetched: 0 }
    }

    /// Asks for the next part.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        self.due += self.step;
        while self.fetched < self.due {
            for row in self.rows {
                if !row.is_empty() {
                    fetch(row.as_ptr().wrapping_add(self.fetched));
                }
            }
            self.fetched += LINE;
        }
    }
}
