//! The two passes of [`resize`](super::resize) in AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_add_epi16, _mm256_broadcastsi128_si256, _mm256_extract_epi64, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mulhi_epi16, _mm256_packus_epi16, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_permutevar8x32_epi32, _mm256_set_m128i, _mm256_set1_epi16, _mm256_setr_epi32, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_srli_epi32, _mm256_storeu_si256,
};

use super::resize::{LANES, Wide};

/// The bytes of a pixel and its neighbour as pairs, one for each channel.
const PAIRS: [i8; 16] = [0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1];

/// Four pixels as four bytes of each channel.
const BY_CHANNEL: [i8; 16] = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];

/// Resizes to columns whose two pixels begin at these offsets of the row, weighted by pairs for each channel.
///
/// # Safety
/// There are 16 bytes in the row from each offset on.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn resize(offsets: &[u32], weights: &[[i16; 8]], row: &[u8], resized: &mut [Wide]) {
    let pairs = twice(PAIRS);
    let groups = offsets.as_chunks::<4>().0.iter().zip(weights.as_chunks::<4>().0);
    for ((offsets, weights), wide) in groups.zip(resized.as_chunks_mut::<4>().0) {
        // SAFETY: the caller promises that.
        let pixels = offsets.map(|offset| unsafe { _mm_loadu_si128(row.as_ptr().add(offset as usize).cast()) });
        let two = |first: usize| {
            let pixels = _mm256_shuffle_epi8(_mm256_set_m128i(pixels[first + 1], pixels[first]), pairs);
            _mm256_srli_epi32::<4>(_mm256_madd_epi16(pixels, load(weights[first..].as_flattened())))
        };
        let alternating = _mm256_packus_epi32(two(0), two(2));
        store(_mm256_permute4x64_epi64::<0b11_01_10_00>(alternating), wide.as_flattened_mut());
    }
}

/// Blends as many groups of [`LANES`] pixels as there are.
#[target_feature(enable = "avx2")]
pub(super) fn blend(rows: [&[Wide]; 2], weights: [i16; 2], channels: [&mut [u8]; 3]) {
    let weights = weights.map(|weight| _mm256_set1_epi16(weight));
    let by_channel = twice(BY_CHANNEL);
    let pairs_in_order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
    let fours_together = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let four = |wide: [&[Wide]; 2]| {
        let first = _mm256_mulhi_epi16(load(wide[0].as_flattened()), weights[0]);
        let second = _mm256_mulhi_epi16(load(wide[1].as_flattened()), weights[1]);
        _mm256_srli_epi16::<2>(_mm256_add_epi16(_mm256_add_epi16(first, second), _mm256_set1_epi16(2)))
    };
    let [first, second, third] = channels.map(|bytes| bytes.as_chunks_mut::<LANES>().0);
    let [wide, other] = rows.map(|row| row.as_chunks::<LANES>().0);
    for ((((wide, other), first), second), third) in wide.iter().zip(other).zip(first).zip(second).zip(third) {
        let alternating = _mm256_packus_epi16(four([&wide[..4], &other[..4]]), four([&wide[4..], &other[4..]]));
        let pixels = _mm256_permutevar8x32_epi32(alternating, pairs_in_order);
        let by_channel = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(pixels, by_channel), fours_together);
        *first = _mm256_extract_epi64::<0>(by_channel).to_le_bytes();
        *second = _mm256_extract_epi64::<1>(by_channel).to_le_bytes();
        *third = _mm256_extract_epi64::<2>(by_channel).to_le_bytes();
    }
}

/// The same bytes in both halves.
#[target_feature(enable = "avx2")]
#[inline]
fn twice(bytes: [i8; 16]) -> __m256i {
    // SAFETY: it reads the 16 bytes.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// The first sixteen numbers, or zeros if there are not as many.
#[target_feature(enable = "avx2")]
#[inline]
fn load(numbers: &[i16]) -> __m256i {
    let numbers = numbers.first_chunk::<16>().unwrap_or(&[0; 16]);
    // SAFETY: it reads the 16 numbers.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

/// Writes the first sixteen numbers, if there are as many.
#[target_feature(enable = "avx2")]
#[inline]
fn store(values: __m256i, numbers: &mut [i16]) {
    if let Some(numbers) = numbers.first_chunk_mut::<16>() {
        // SAFETY: it writes the 16 numbers.
        unsafe { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), values) };
    }
}
