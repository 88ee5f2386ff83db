//! Storing what [`avx512`](super::avx512) computes as the numbers that networks take.

use std::arch::x86_64::{
    __m512i, _MM_FROUND_TO_NEAREST_INT, _mm_storeu_si128, _mm256_storeu_si256, _mm512_cvtepi32_epi8,
    _mm512_cvtepi32_ps, _mm512_cvtps_ph, _mm512_storeu_ps,
};

use half::f16;

use super::fetch::fetch_ahead;

/// Numbers that are stored at once.
pub(super) const LANES: usize = 16;

/// Numbers that values are stored as.
pub trait Store: Sized {
    /// Writes the numbers of the same values, 0 to 255 in 32 bits each.
    ///
    /// # Safety
    /// The CPU has AVX-512.
    unsafe fn store(values: __m512i, out: &mut [Self; LANES]);
}

impl Store for f32 {
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(values: __m512i, out: &mut [Self; LANES]) {
        fetch_ahead(out.as_ptr());
        // SAFETY: it writes 16 numbers.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_cvtepi32_ps(values)) };
    }
}

impl Store for f16 {
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(values: __m512i, out: &mut [Self; LANES]) {
        let exact = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_cvtepi32_ps(values));
        // SAFETY: it writes 16 numbers.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), exact) };
    }
}

impl Store for u8 {
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(values: __m512i, out: &mut [Self; LANES]) {
        // SAFETY: it writes 16 numbers.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(values)) };
    }
}
