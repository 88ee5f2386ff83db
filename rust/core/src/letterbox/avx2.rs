//! [`resize`](super::resize) of a row in AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_set_m128i, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

use super::CHANNELS;
use super::taps::{Group, LANES};

/// Bytes that are read for the six of two pixels.
pub(super) const READ: usize = 16;

/// The bytes of a pixel and its neighbour as pairs, one for each channel.
const PAIRS: [i8; 16] = [0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1];

/// Resizes a row to the columns of these groups, each channel to a row of its own.
///
/// # Safety
/// The row has [`READ`] bytes from each offset on.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn resize(groups: &[Group], row: &[u8], channels: [&mut [i16]; CHANNELS]) {
    // SAFETY: it reads the 16 bytes.
    let pairs = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(PAIRS.as_ptr().cast()) });
    let [first, second, third] = channels.map(|channel| channel.as_chunks_mut::<LANES>().0);
    for (((Group { offsets, weights }, first), second), third) in groups.iter().zip(first).zip(second).zip(third) {
        // SAFETY: the caller promises these bytes.
        let pixels = offsets.map(|offset| unsafe { _mm_loadu_si128(row.as_ptr().add(offset as usize).cast()) });
        // SAFETY: these are 32 bytes.
        let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) };
        let two = |column: usize, weights: __m256i| {
            let pixels = _mm256_shuffle_epi8(_mm256_set_m128i(pixels[column + 4], pixels[column]), pairs);
            _mm256_srli_epi32::<4>(_mm256_madd_epi16(pixels, weights))
        };
        // In each half, columns 0 and 1, 2 and 3: blue, green, red and nothing.
        let even = _mm256_packus_epi32(
            two(0, _mm256_shuffle_epi32::<0b00_00_00_00>(weights)),
            two(1, _mm256_shuffle_epi32::<0b01_01_01_01>(weights)),
        );
        let odd = _mm256_packus_epi32(
            two(2, _mm256_shuffle_epi32::<0b10_10_10_10>(weights)),
            two(3, _mm256_shuffle_epi32::<0b11_11_11_11>(weights)),
        );
        let (low, high) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
        let first_two = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpacklo_epi16(low, high));
        let last = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpackhi_epi16(low, high));
        // SAFETY: each writes 8 numbers.
        unsafe {
            _mm_storeu_si128(first.as_mut_ptr().cast(), _mm256_castsi256_si128(first_two));
            _mm_storeu_si128(second.as_mut_ptr().cast(), _mm256_extracti128_si256::<1>(first_two));
            _mm_storeu_si128(third.as_mut_ptr().cast(), _mm256_castsi256_si128(last));
        }
    }
}
