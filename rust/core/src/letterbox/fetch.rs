//! Asking for memory before it is needed: CPUs foresee what is read or written in one place after the other, but less
//! well where a row of each of three planes is written.

/// How far ahead, in bytes.
const AHEAD: usize = 1024;

/// Bytes that memory gives at once.
pub(super) const LINE: usize = 64;

/// Asks for the line that lies so far beyond `place`, be it of this row, of another or of nothing: it is not accessed.
#[inline(always)]
pub(super) fn fetch_ahead<T>(place: *const T) {
    let place = place.wrapping_byte_add(AHEAD);
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
