//! The numbers that networks put out.

use half::f16;

mod private {
    use half::f16;

    /// What the filter needs of a number beyond its value.
    pub trait Sealed: Copy {
        /// Bits as an integer without a sign: of two numbers that are not negative the greater has the greater one. What
        /// is negative or not finite comes after them.
        type Bits: Copy + Ord;

        /// The bits of 0.
        const ZERO: Self::Bits;

        /// The bits of infinity.
        const INFINITY: Self::Bits;

        /// Its bits.
        fn bits(self) -> Self::Bits;

        /// The number of these bits, widened.
        fn value(bits: Self::Bits) -> f32;

        /// The least bits of numbers that are at least `value`; those of 0 if that is not above zero.
        fn least_bits(value: f32) -> Self::Bits;

        /// Appends these numbers, widened.
        fn widen_into(values: &[Self], wide: &mut Vec<f32>);
    }

    impl Sealed for f32 {
        type Bits = u32;

        const ZERO: u32 = 0;
        const INFINITY: u32 = Self::INFINITY.to_bits();

        #[inline(always)]
        fn bits(self) -> u32 {
            self.to_bits()
        }

        #[inline(always)]
        fn value(bits: u32) -> f32 {
            Self::from_bits(bits)
        }

        #[inline(never)] // else the loop over all rows does it again for each
        fn least_bits(value: f32) -> u32 {
            if value > 0.0 { value.to_bits() } else { 0 }
        }

        #[inline(always)]
        fn widen_into(values: &[Self], wide: &mut Vec<f32>) {
            wide.extend_from_slice(values);
        }
    }

    impl Sealed for f16 {
        type Bits = u16;

        const ZERO: u16 = 0;
        const INFINITY: u16 = Self::INFINITY.to_bits();

        #[inline(always)]
        fn bits(self) -> u16 {
            self.to_bits()
        }

        #[inline(always)]
        fn value(bits: u16) -> f32 {
            widened(Self::from_bits(bits))
        }

        #[inline(never)] // else the loop over all rows does it again for each
        fn least_bits(value: f32) -> u16 {
            if value > 0.0 {
                let nearest = Self::from_f32(value);
                nearest.to_bits() + u16::from(widened(nearest) < value)
            } else {
                0
            }
        }

        #[inline(always)]
        fn widen_into(values: &[Self], wide: &mut Vec<f32>) {
            wide.extend(values.iter().map(|value| widened(*value)));
        }
    }

    /// Widens without loss and without a branch, so that a row becomes vector code at each level.
    ///
    /// Shifted to the place of `f32`'s bits, exponent and mantissa lack 112 in the exponent, those of infinity and NaN
    /// twice that. A subnormal number gets its exponent from a subtraction, which is exact.
    #[inline(always)]
    pub(super) fn widened(value: f16) -> f32 {
        const EXPONENT: u32 = 112 << 23;
        const SMALLEST_NORMAL: u32 = 0x0400 << 13;
        const INFINITY: u32 = 0x7c00 << 13;
        let bits = u32::from(value.to_bits());
        let (sign, magnitude) = ((bits & 0x8000) << 16, (bits & 0x7fff) << 13);
        let normal = magnitude + EXPONENT;
        let subnormal = f32::from_bits(normal + (1 << 23)) - f32::from_bits(EXPONENT + (1 << 23));
        let magnitude = if magnitude < SMALLEST_NORMAL {
            subnormal.to_bits()
        } else if magnitude < INFINITY {
            normal
        } else {
            normal + EXPONENT
        };
        f32::from_bits(sign | magnitude)
    }
}

/// Whether it is neither infinite nor NaN, by its bits: `f32::is_finite` becomes a vector instruction (`NEQ_OQ`) that
/// valgrind 3.19 takes NaN to be finite in.
#[inline(always)]
pub(crate) fn is_finite(value: f32) -> bool {
    value.abs().to_bits() < f32::INFINITY.to_bits()
}

/// A number that networks put out: `f32` or `f16`.
pub trait Element: private::Sealed + Send + Sync {
    /// Widens without loss.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        private::widened(self)
    }
}

#[cfg(test)]
mod tests {
    use super::private::Sealed;
    use super::*;

    fn all() -> impl Iterator<Item = f16> {
        (0..=u16::MAX).map(f16::from_bits)
    }

    #[test]
    fn every_f16_is_widened_exactly() {
        for value in all() {
            let (widened, expected) = (Element::to_f32(value), f16::to_f32(value));
            assert!(widened.to_bits() == expected.to_bits() || (widened.is_nan() && expected.is_nan()), "{value:?}");
        }
    }

    #[test]
    fn least_bits_tell_which_numbers_are_at_least_a_value_or_none_of_a_sigmoid() {
        for value in [1e-45, 1e-9, 6e-8, 1e-4, 0.001, 0.01, 0.25, 0.3, 0.5, 0.999, 1.0, 70_000.0] {
            let (narrow, wide) = (f16::least_bits(value), f32::least_bits(value));
            for number in all() {
                let expected = f16::to_f32(number) >= value || number.is_sign_negative() || number.is_nan();
                assert_eq!(number.bits() >= narrow, expected, "{number:?} of {value}");
                assert_eq!(f16::to_f32(number).bits() >= wide, expected, "{number:?} of {value}");
            }
        }
        for value in [0.0, -0.0, -1.0, f32::NAN] {
            assert_eq!((f16::least_bits(value), f32::least_bits(value)), (0, 0));
        }
    }
}
