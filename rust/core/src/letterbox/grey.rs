//! Making pixels grey: the fixed-point arithmetic of OpenCV's `cvtColor` with `COLOR_BGR2GRAY` for bytes
//! (`modules/imgproc/src/color_rgb.simd.hpp`).
//!
//! ```text
//! grey = (3735 * blue + 19235 * green + 9798 * red + 2^14) >> 15
//! ```

use super::CHANNELS;
use crate::level::by_level;

/// How much of the grey is blue, green and red, in units of 1/2^15.
pub(super) const WEIGHTS: [u32; CHANNELS] = [3735, 19235, 9798];

by_level! {
    /// Replaces the first channel of a row by its grey.
    pub(super) fn make_grey(weights: [u32; CHANNELS], channels: [&mut [u8]; CHANNELS]) = make_grey_body
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes")]
fn make_grey_body(weights: [u32; CHANNELS], [first, second, third]: [&mut [u8]; CHANNELS]) {
    for ((first, second), third) in first.iter_mut().zip(second).zip(third) {
        let sum = weights[0] * u32::from(*first) + weights[1] * u32::from(*second) + weights[2] * u32::from(*third);
        *first = ((sum + (1 << 14)) >> 15) as u8;
    }
}
