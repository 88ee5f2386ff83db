//! The columns of [`resize`](super::resize), sixteen at once, in AVX-512 with VBMI, which picks any bytes of one register
//! or two.

use std::arch::x86_64::{
    __m512i, _mm256_storeu_si256, _mm512_add_epi8, _mm512_cvtepi32_epi16, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_mask_permutexvar_epi8, _mm512_maskz_permutex2var_epi8, _mm512_set1_epi8, _mm512_setzero_si512,
    _mm512_srli_epi32,
};

use super::CHANNELS;
use super::taps::Tap;

/// Columns that are treated at once.
const LANES: usize = 16;

/// Bytes of a register.
const REGISTER: usize = 64;

/// The low bytes of all 16-bit numbers.
const LOW_BYTES: u64 = 0x5555_5555_5555_5555;

/// All columns, and some more that fill the last group.
#[derive(Clone, Debug)]
pub(super) enum Columns {
    /// The pixels of each group lie in two registers.
    Near(Vec<Group<1, { 2 * REGISTER }>>),
    /// Those of each quarter of a group lie in one.
    Far(Vec<Group<4, REGISTER>>),
}

/// Columns whose pixels lie in windows of so many bytes, as many columns in each.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Group<const WINDOWS: usize, const BYTES: usize> {
    /// Where in its window the first pixel of each column is, and 3 bytes on the second: in 16 bits each.
    indices: [[u16; 2]; LANES],
    weights: [[i16; 2]; LANES],
    /// Where in the row the windows begin.
    starts: [u32; WINDOWS],
}

impl Columns {
    /// Lays out these columns, unless there is no AVX-512 with VBMI, or their pixels lie too far apart.
    pub(super) fn new(taps: &[Tap], row_len: usize) -> Option<Self> {
        if !is_x86_feature_detected!("avx512vbmi") {
            return None;
        }
        Group::all(taps, row_len).map(Self::Near).or_else(|| Group::all(taps, row_len).map(Self::Far))
    }

    /// Resizes a row to these columns, and the room behind them to more that are not needed.
    ///
    /// # Safety
    /// The CPU has AVX-512 with VBMI, and the row is as long as it was for `new`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
    pub(super) unsafe fn resize(&self, row: &[u8], channels: [&mut [i16]; CHANNELS]) {
        match self {
            // SAFETY: a window of two registers is in the row.
            Self::Near(groups) => resize(groups, channels, |[start]| unsafe {
                let (first, second) = (load(row, start), load(row, start + REGISTER));
                move |indices| _mm512_maskz_permutex2var_epi8(LOW_BYTES, first, indices, second)
            }),
            // SAFETY: a window of one register is in the row.
            Self::Far(groups) => resize(groups, channels, |starts| unsafe {
                let windows = starts.map(|start| load(row, start));
                move |indices| {
                    let mut pixels = _mm512_setzero_si512();
                    for (number, window) in windows.into_iter().enumerate() {
                        let quarter = (LOW_BYTES & 0xffff) << (16 * number);
                        pixels = _mm512_mask_permutexvar_epi8(pixels, quarter, indices, window);
                    }
                    pixels
                }
            }),
        }
    }
}

impl<const WINDOWS: usize, const BYTES: usize> Group<WINDOWS, BYTES> {
    fn all(taps: &[Tap], row_len: usize) -> Option<Vec<Self>> {
        taps.chunks(LANES).map(|taps| Self::new(taps, row_len)).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "rows are below MAX_SIDE")]
    fn new(taps: &[Tap], row_len: usize) -> Option<Self> {
        let last_start = row_len.checked_sub(BYTES)?;
        let tap = |column: usize| taps[column.min(taps.len() - 1)];
        let start = |column: usize| tap(column).offset().min(last_start);
        let width = LANES / WINDOWS;
        let inside = |column: usize| tap(column).offset() - start(column / width * width);
        if (0..LANES).any(|column| inside(column) + 2 * CHANNELS > BYTES) {
            return None;
        }
        Some(Self {
            indices: std::array::from_fn(|column| [inside(column) as u16, (inside(column) + CHANNELS) as u16]),
            weights: std::array::from_fn(|column| tap(column).weights),
            starts: std::array::from_fn(|window| start(window * width) as u32),
        })
    }
}

/// Resizes to groups of columns; `pixels` makes of their windows what picks bytes from these.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
#[inline]
fn resize<const WINDOWS: usize, const BYTES: usize, P: Fn(__m512i) -> __m512i>(
    groups: &[Group<WINDOWS, BYTES>],
    channels: [&mut [i16]; CHANNELS],
    pixels: impl Fn([usize; WINDOWS]) -> P,
) {
    let [first, second, third] = channels.map(|channel| channel.as_chunks_mut::<LANES>().0);
    for (((group, first), second), third) in groups.iter().zip(first).zip(second).zip(third) {
        let pixels = pixels(group.starts.map(|start| start as usize));
        // SAFETY: each reads 64 bytes of a group.
        let (indices, weights) = unsafe {
            (_mm512_loadu_si512(group.indices.as_ptr().cast()), _mm512_loadu_si512(group.weights.as_ptr().cast()))
        };
        for (channel, out) in (0..).zip([first, second, third]) {
            let indices = _mm512_add_epi8(indices, _mm512_set1_epi8(channel));
            let resized = _mm512_srli_epi32::<4>(_mm512_madd_epi16(pixels(indices), weights));
            // SAFETY: it writes 16 numbers.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(resized)) };
        }
    }
}

/// The bytes of a row from `start` on.
///
/// # Safety
/// There are 64.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load(row: &[u8], start: usize) -> __m512i {
    // SAFETY: the caller promises that.
    unsafe { _mm512_loadu_si512(row.as_ptr().add(start).cast()) }
}

#[cfg(test)]
mod tests {
    use super::super::taps::of_columns;
    use super::*;

    fn assert_inside<const WINDOWS: usize, const BYTES: usize>(groups: &[Group<WINDOWS, BYTES>], row_len: usize) {
        for group in groups {
            assert!(group.starts.iter().all(|start| *start as usize + BYTES <= row_len));
            assert!(group.indices.as_flattened().iter().all(|index| usize::from(*index) + CHANNELS <= BYTES));
        }
    }

    #[test]
    fn windows_lie_in_the_row() {
        for (source, target) in (1..300).flat_map(|source| [1, 15, 16, 17, 90, 640].map(|target| (source, target))) {
            match Columns::new(&of_columns(source, target), CHANNELS * source) {
                Some(Columns::Near(groups)) => assert_inside(&groups, CHANNELS * source),
                Some(Columns::Far(groups)) => assert_inside(&groups, CHANNELS * source),
                None => {}
            }
        }
    }
}
