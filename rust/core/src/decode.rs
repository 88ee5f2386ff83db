//! From the four box values of a row to a box in network pixels (YOLOX, `yolo_head.py`, `decode_outputs`):
//!
//! ```text
//! cx = (v0 + x) * stride        w = exp(v2) * stride
//! cy = (v1 + y) * stride        h = exp(v3) * stride
//! ```
//!
//! All in `f32`. The exponential is taken in `f64` and rounded: that gives the same `f32` as doing so with the functions
//! of NumPy or of system libraries, whose `f32` functions differ.

use std::f64::consts::LOG2_E;

use crate::level::by_level;
use crate::raw::Element;
use crate::{Anchor, Error, RawOutput, memory};

/// Boxes decoded at once: enough that the steps of one exponential need not wait for one another.
const LANES: usize = 32;

/// The corners `x1, y1, x2, y2` of a box given by its centre and size.
#[inline(always)]
pub(crate) fn corners([cx, cy, w, h]: [f32; 4]) -> [f32; 4] {
    let (half_width, half_height) = (w / 2.0, h / 2.0);
    [cx - half_width, cy - half_height, cx + half_width, cy + half_height]
}

by_level! {
    /// Decodes every row: boxes as centre and size, scores as they are. The caller has checked the shape.
    pub(crate) fn decode<T: Element>(raw: RawOutput<'_, T>, anchors: &[Anchor]) -> Result<Vec<f32>, Error> = decode_body
}

#[inline(always)]
fn decode_body<T: Element>(raw: RawOutput<'_, T>, anchors: &[Anchor]) -> Result<Vec<f32>, Error> {
    let mut decoded = memory::with_capacity(raw.values().len())?;
    for (rows, anchors) in raw.values().chunks(LANES * raw.columns()).zip(anchors.chunks(LANES)) {
        let start = decoded.len();
        T::widen_into(rows, &mut decoded);
        decode_boxes(&mut decoded[start..], raw.columns(), anchors);
    }
    Ok(decoded)
}

/// Decodes the first four of `columns` values in each row, in place.
#[inline(always)]
pub(crate) fn decode_boxes(rows: &mut [f32], columns: usize, anchors: &[Anchor]) {
    for (rows, anchors) in rows.chunks_mut(LANES * columns).zip(anchors.chunks(LANES)) {
        let mut sizes = [0.0; 2 * LANES];
        for (row, size) in rows.chunks_exact(columns).zip(sizes.as_chunks_mut::<2>().0) {
            size.copy_from_slice(&row[2..4]);
        }
        for size in &mut sizes {
            *size = exp(*size);
        }
        for ((row, anchor), size) in rows.chunks_exact_mut(columns).zip(anchors).zip(sizes.as_chunks::<2>().0) {
            row[0] = (row[0] + anchor.x) * anchor.stride;
            row[1] = (row[1] + anchor.y) * anchor.stride;
            row[2] = size[0] * anchor.stride;
            row[3] = size[1] * anchor.stride;
        }
    }
}

/// The exponential, correctly rounded: so it was found for each of the 2^32 numbers.
///
/// With `n` the whole number next to `x / ln 2`, and `r = x - n ln 2`, it is `2^n` times the Taylor series of `exp(r)`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
fn exp(value: f32) -> f32 {
    /// Beyond these the result is 0 or infinity.
    const RANGE: (f32, f32) = (-110.0, 90.0);
    /// 1.5 * 2^52: a sum with it is rounded to a whole number, which stands in its lowest bits.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    const EXPONENT_BIAS: u64 = 1023;
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    /// ln 2 in two parts; whole numbers below 2^20 times the first are exact.
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    /// 1 / k!, from k = 13 down to 0.
    const SERIES: [f64; 14] = {
        let mut series = [1.0; 14];
        let (mut last, mut k, mut factorial) = (13, 1.0, 1.0);
        while last > 0 {
            last -= 1;
            factorial *= k;
            series[last] = 1.0 / factorial;
            k += 1.0;
        }
        series
    };
    let value = if value < RANGE.0 { RANGE.0 } else { value };
    let value = f64::from(if value > RANGE.1 { RANGE.1 } else { value });
    let shifted = value * LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let rest = value - whole * LN_2.0 - whole * LN_2.1;
    let mut sum = 0.0;
    for term in SERIES {
        sum = sum * rest + term;
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(EXPONENT_BIAS) << MANTISSA_BITS);
    (sum * power) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
    fn the_exponential_is_that_of_f64_rounded() {
        for bits in (0..=u32::MAX).step_by(4093) {
            let value = f32::from_bits(bits);
            let expected = f64::from(value).exp() as f32;
            let actual = exp(value);
            assert!(actual.to_bits() == expected.to_bits() || (value.is_nan() && actual.is_nan()), "{value:e}");
        }
    }
}
