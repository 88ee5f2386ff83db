//! The exponential, and the sigmoid that is made of it.
//!
//! The exponential is taken in `f64` and rounded: that gives the same `f32` as doing so with the functions of NumPy or of
//! system libraries, whose `f32` functions differ.

#![expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]

use std::f64::consts::LOG2_E;

/// The exponential, correctly rounded: so it was found for each of the 2^32 numbers.
#[inline(always)]
pub(crate) fn exp(value: f32) -> f32 {
    exp_in_f64(value) as f32
}

/// `1 / (1 + exp(-x))`; NaN if `x` is not finite.
#[inline(always)]
pub(crate) fn sigmoid(value: f32) -> f32 {
    (1.0 / (1.0 + exp_in_f64(-value))) as f32 + 0.0 * value
}

/// With `n` the whole number next to `x / ln 2`, and `r = x - n ln 2`, it is `2^n` times the Taylor series of `exp(r)`.
#[inline(always)]
fn exp_in_f64(value: f32) -> f64 {
    /// Beyond these the result, in `f32`, is 0 or infinity.
    const RANGE: (f32, f32) = (-110.0, 110.0);
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
    sum * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_f64_rounded() {
        for bits in (0..=u32::MAX).step_by(4093) {
            let value = f32::from_bits(bits);
            let expected = f64::from(value).exp() as f32;
            let actual = exp(value);
            assert!(actual.to_bits() == expected.to_bits() || (value.is_nan() && actual.is_nan()), "{value:e}");
        }
    }

    #[test]
    fn the_sigmoid_is_that_of_f64_rounded() {
        for bits in (0..=u32::MAX).step_by(4093) {
            let value = f32::from_bits(bits);
            let expected = (1.0 / (1.0 + f64::from(-value).exp())) as f32;
            let actual = sigmoid(value);
            assert!(actual.to_bits() == expected.to_bits() || (!value.is_finite() && actual.is_nan()), "{value:e}");
        }
    }
}
