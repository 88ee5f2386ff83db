//! The columns of [`resize`](super::resize), eight at once, in AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_set_m128i, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

use super::CHANNELS;
use super::taps::Tap;
use crate::Level;

/// Columns that are treated at once.
const LANES: usize = 8;

/// Bytes that are read for the six of two pixels.
const OVERREAD: usize = 16;

/// The bytes of a pixel and its neighbour as pairs, one for each channel.
const PAIRS: [i8; 16] = [0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1];

/// Columns of rows of so many bytes, from the left on as long as [`OVERREAD`] bytes from their first pixel on are in one.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    row_len: usize,
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    /// Where the two pixels of each column begin, in bytes.
    offsets: [u32; LANES],
    weights: [[i16; 2]; LANES],
}

impl Columns {
    /// Lays them out, unless there is no AVX2.
    pub(super) fn new(taps: &[Tap], row_len: usize, level: Level) -> Option<Self> {
        if level == Level::SCALAR {
            return None;
        }
        let fits = |tap: &&Tap| tap.offset() + OVERREAD <= row_len;
        let (groups, _) = taps[..taps.iter().take_while(fits).count()].as_chunks::<LANES>();
        #[expect(clippy::cast_possible_truncation, reason = "rows are below MAX_SIDE")]
        let group = |taps: &[Tap; LANES]| Group {
            offsets: taps.map(|tap| tap.offset() as u32),
            weights: taps.map(|tap| tap.weights),
        };
        Some(Self { row_len, groups: groups.iter().map(group).collect() })
    }

    /// Resizes a row of that length to these columns; returns how many they are.
    pub(super) fn resize(&self, row: &[u8], channels: [&mut [i16]; CHANNELS]) -> usize {
        if row.len() != self.row_len {
            return 0;
        }
        // SAFETY: `new` gives none where there is no AVX2, and the row is as long as it was told.
        unsafe { self.resize_checked(row, channels) };
        LANES * self.groups.len()
    }

    #[target_feature(enable = "avx2")]
    unsafe fn resize_checked(&self, row: &[u8], channels: [&mut [i16]; CHANNELS]) {
        // SAFETY: it reads the 16 bytes.
        let pairs = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(PAIRS.as_ptr().cast()) });
        let [first, second, third] = channels.map(|channel| channel.as_chunks_mut::<LANES>().0);
        for (((Group { offsets, weights }, first), second), third) in
            self.groups.iter().zip(first).zip(second).zip(third)
        {
            // SAFETY: there are as many bytes in the row from each offset on.
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
}

#[cfg(test)]
mod tests {
    use super::super::taps::of_columns;
    use super::*;

    #[test]
    fn what_is_read_lies_in_the_row() {
        for (source, target) in (1..100).flat_map(|source| [1, 7, 8, 90, 640].map(|target| (source, target))) {
            if let Some(Columns { groups, row_len }) =
                Columns::new(&of_columns(source, target), CHANNELS * source, Level::best())
            {
                let mut offsets = groups.iter().flat_map(|group| group.offsets);
                assert!(offsets.all(|offset| offset as usize + OVERREAD <= row_len));
            }
        }
    }
}
