//! Resizing a row, and blending two resized rows: the fixed-point arithmetic of OpenCV's `INTER_LINEAR` for bytes.
//!
//! ```text
//! across a row:  t = (pixel[s] * a0 + pixel[s + 1] * a1) >> 4             at most 15 bits
//! down a column: byte = (((t0 * b0) >> 16) + ((t1 * b1) >> 16) + 2) >> 2
//! ```

use super::CHANNELS;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::groups::Groups;
use super::taps::Tap;
use crate::level::by_level;
use crate::{Error, Level};

/// The taps of all columns.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    taps: Vec<Tap>,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    groups: Option<Groups>,
}

impl Columns {
    /// Lays out the taps of rows that have `source` pixels.
    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64")),
        expect(unused_variables, reason = "only vector code uses them")
    )]
    pub(super) fn new(taps: Vec<Tap>, source: usize, level: Level) -> Result<Self, Error> {
        Ok(Self {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            groups: Groups::new(&taps, CHANNELS * source, level)?,
            taps,
        })
    }

    /// Resizes a row of the source, each channel to a row of its own.
    pub(super) fn resize(&self, row: &[u8], mut channels: [&mut [i16]; CHANNELS]) {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        let done = match &self.groups {
            Some(groups) => groups.resize(row, channels.each_mut().map(|channel| &mut **channel)),
            None => 0,
        };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let done = 0;
        for channel in &mut channels {
            *channel = &mut std::mem::take(channel)[done..];
        }
        resize_one_by_one(&self.taps[done..], row, channels);
    }

    /// Resizes one channel of a row of the source.
    #[expect(clippy::cast_possible_truncation, reason = "15 bits")]
    pub(super) fn resize_channel(&self, row: &[u8], resized: &mut [i16]) {
        for (Tap { sources, weights }, resized) in self.taps.iter().zip(resized) {
            let weighted = |side: usize| i32::from(row[sources[side]]) * i32::from(weights[side]);
            *resized = ((weighted(0) + weighted(1)) >> 4) as i16;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "15 bits")]
fn resize_one_by_one(taps: &[Tap], row: &[u8], [first, second, third]: [&mut [i16]; CHANNELS]) {
    let (pixels, _) = row.as_chunks::<CHANNELS>();
    for (((tap, first), second), third) in taps.iter().zip(first).zip(second).zip(third) {
        let (pixel, next) = (&pixels[tap.sources[0]], &pixels[tap.sources[1]]);
        let weighted = |byte: u8, side: usize| i32::from(byte) * i32::from(tap.weights[side]);
        let resized = |channel: usize| ((weighted(pixel[channel], 0) + weighted(next[channel], 1)) >> 4) as i16;
        (*first, *second, *third) = (resized(0), resized(1), resized(2));
    }
}

by_level! {
    /// Blends two resized rows of one channel.
    pub(super) fn blend(rows: [&[i16]; 2], weights: [i16; 2], bytes: &mut [u8]) = blend_body
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes")]
fn blend_body(rows: [&[i16]; 2], weights: [i16; 2], bytes: &mut [u8]) {
    // The high half of a signed product: compilers know an instruction for that, where for an unsigned one they do not.
    let weighted = |value: i16, weight: i16| ((i32::from(value) * i32::from(weight)) >> 16) as i16;
    for (byte, (first, second)) in bytes.iter_mut().zip(rows[0].iter().zip(rows[1])) {
        *byte = ((weighted(*first, weights[0]) + weighted(*second, weights[1]) + 2) >> 2) as u8;
    }
}
