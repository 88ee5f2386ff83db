//! Resizing a row, and blending two resized rows: the fixed-point arithmetic of OpenCV's `INTER_LINEAR` for bytes.
//!
//! ```text
//! across a row:  t = (pixel[s] * a0 + pixel[s + 1] * a1) >> 4             at most 15 bits
//! down a column: byte = (((t0 * b0) >> 16) + ((t1 * b1) >> 16) + 2) >> 2
//! ```

use super::taps::Tap;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::Level;
use crate::level::{Instructions, by_level};

/// Columns that vector code treats at once.
pub(super) const LANES: usize = 8;

/// Bytes that vector code reads where it needs the six of two pixels.
const OVERREAD: usize = 16;

/// The taps of all columns, and as vector code wants them.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    taps: Vec<Tap>,
    /// Where the two pixels of the first columns begin, in bytes, as long as [`OVERREAD`] bytes from there are in a row.
    offsets: Vec<[u32; LANES]>,
    /// Their weights.
    weights: Vec<[[i16; 2]; LANES]>,
    /// Bytes of a row.
    row_len: usize,
}

impl Columns {
    /// Lays out the taps of rows that have `source` pixels.
    #[expect(clippy::cast_possible_truncation, reason = "rows are below MAX_SIDE")]
    pub(super) fn new(taps: Vec<Tap>, source: usize) -> Self {
        let row_len = 3 * source;
        let fits = |tap: &&Tap| 3 * tap.sources[0] + OVERREAD <= row_len;
        let first = taps.iter().take_while(fits).count();
        let (groups, _) = taps[..first].as_chunks::<LANES>();
        let offsets = groups.iter().map(|taps| taps.map(|tap| 3 * tap.sources[0] as u32)).collect();
        let weights = groups.iter().map(|taps| taps.map(|tap| tap.weights)).collect();
        Self { taps, offsets, weights, row_len }
    }

    /// Resizes a row of the source, each channel to a row of its own.
    pub(super) fn resize(&self, level: Level, row: &[u8], channels: [&mut [u16]; 3]) {
        let mut channels = channels;
        let done = match level.instructions() {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 | Instructions::Avx512 if row.len() == self.row_len => {
                let channels = channels.each_mut().map(|channel| &mut **channel);
                // SAFETY: a level says what this CPU has, and AVX-512 includes AVX2. `new` took only offsets that leave
                // as many bytes of such a row.
                unsafe { x86::resize(&self.offsets, &self.weights, row, channels) };
                LANES * self.offsets.len()
            }
            _ => 0,
        };
        resize_one_by_one(&self.taps[done..], row, channels.map(|channel| &mut channel[done..]));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "15 bits")]
fn resize_one_by_one(taps: &[Tap], row: &[u8], channels: [&mut [u16]; 3]) {
    let (pixels, _) = row.as_chunks::<3>();
    for (channel, resized) in channels.into_iter().enumerate() {
        for (tap, resized) in taps.iter().zip(resized) {
            let weighted = |side: usize| i32::from(pixels[tap.sources[side]][channel]) * i32::from(tap.weights[side]);
            *resized = ((weighted(0) + weighted(1)) >> 4) as u16;
        }
    }
}

by_level! {
    /// Blends two resized rows of one channel.
    pub(super) fn blend(rows: [&[u16]; 2], weights: [i16; 2], bytes: &mut [u8]) = blend_body
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "each 16 bits or less")]
fn blend_body(rows: [&[u16]; 2], weights: [i16; 2], bytes: &mut [u8]) {
    let weights = weights.map(i16::cast_unsigned);
    let weighted = |value: u16, weight: u16| ((u32::from(value) * u32::from(weight)) >> 16) as u16;
    for (byte, (first, second)) in bytes.iter_mut().zip(rows[0].iter().zip(rows[1])) {
        *byte = ((weighted(*first, weights[0]) + weighted(*second, weights[1]) + 2) >> 2) as u8;
    }
}
