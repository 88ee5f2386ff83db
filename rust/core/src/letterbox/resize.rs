//! Resizing a row, and blending two resized rows: the fixed-point arithmetic of OpenCV's `INTER_LINEAR` for bytes.
//!
//! ```text
//! across a row:  t = (pixel[s] * a0 + pixel[s + 1] * a1) >> 4             at most 15 bits
//! down a column: byte = (((t0 * b0) >> 16) + ((t1 * b1) >> 16) + 2) >> 2
//! ```
//!
//! Same sizes and exact halves need no code of their own: with weights of 1 and 1/2 nothing is lost before the last
//! shift, which leaves a copy, or the mean of four.

use super::taps::Tap;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::Level;
use crate::level::Instructions;

/// A pixel between the two passes: three channels, and nothing.
pub(super) type Wide = [i16; 4];

/// Columns that vector code treats at once.
pub(super) const LANES: usize = 8;

/// Bytes that vector code reads where it needs the six of two pixels.
const OVERREAD: usize = 16;

/// The taps of all columns, laid out for vector code.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    taps: Vec<Tap>,
    /// Where the two pixels of the first columns begin, in bytes, as long as [`OVERREAD`] bytes from there are in a row.
    offsets: Vec<u32>,
    /// Bytes of a row.
    row_len: usize,
    /// The weights of the same columns, once for each channel.
    weights: Vec<[i16; 8]>,
}

impl Columns {
    /// Lays out the taps of rows that have `source` pixels.
    #[expect(clippy::cast_possible_truncation, reason = "rows are below MAX_SIDE")]
    pub(super) fn new(taps: Vec<Tap>, source: usize) -> Self {
        let row_len = 3 * source;
        let fits = |tap: &&Tap| 3 * tap.sources[0] + OVERREAD <= row_len;
        let first = taps.iter().take_while(fits).count() / LANES * LANES;
        let offsets = taps[..first].iter().map(|tap| 3 * tap.sources[0] as u32).collect();
        let weights = taps[..first].iter().map(|tap| std::array::from_fn(|number| tap.weights[number % 2])).collect();
        Self { taps, offsets, row_len, weights }
    }

    /// Room for a resized row, which has some columns more.
    pub(super) fn scratch(&self) -> Vec<Wide> {
        vec![[0; 4]; self.taps.len().next_multiple_of(LANES)]
    }

    /// Resizes a row of the source.
    pub(super) fn resize(&self, level: Level, row: &[u8], resized: &mut [Wide]) {
        let done = match level.instructions() {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 | Instructions::Avx512 if row.len() == self.row_len => {
                // SAFETY: a level says what this CPU has, and AVX-512 includes AVX2. `new` took only offsets that leave
                // as many bytes of such a row.
                unsafe { x86::resize(&self.offsets, &self.weights, row, resized) };
                self.offsets.len()
            }
            _ => 0,
        };
        resize_one_by_one(&self.taps[done..], row, &mut resized[done..]);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "15 bits")]
fn resize_one_by_one(taps: &[Tap], row: &[u8], resized: &mut [Wide]) {
    let (pixels, _) = row.as_chunks::<3>();
    for (tap, wide) in taps.iter().zip(resized) {
        let [first, second] = tap.sources.map(|column| pixels[column]);
        for channel in 0..3 {
            let weighted = |pixel: [u8; 3], weight: i16| i32::from(pixel[channel]) * i32::from(weight);
            wide[channel] = ((weighted(first, tap.weights[0]) + weighted(second, tap.weights[1])) >> 4) as i16;
        }
    }
}

/// Blends two resized rows into bytes, each channel in a row of its own; all are as long, in steps of [`LANES`].
pub(super) fn blend(level: Level, rows: [&[Wide]; 2], weights: [i16; 2], channels: [&mut [u8]; 3]) {
    match level.instructions() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level says what this CPU has.
        Instructions::Avx2 | Instructions::Avx512 => unsafe { x86::blend(rows, weights, channels) },
        _ => blend_one_by_one(rows, weights, channels),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "8 bits")]
fn blend_one_by_one(rows: [&[Wide]; 2], weights: [i16; 2], channels: [&mut [u8]; 3]) {
    for (channel, bytes) in channels.into_iter().enumerate() {
        for (byte, (first, second)) in bytes.iter_mut().zip(rows[0].iter().zip(rows[1])) {
            let weighted = |wide: &Wide, weight: i16| (i32::from(wide[channel]) * i32::from(weight)) >> 16;
            *byte = ((weighted(first, weights[0]) + weighted(second, weights[1]) + 2) >> 2) as u8;
        }
    }
}
