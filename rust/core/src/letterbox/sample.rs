//! What networks take: bytes widened to floating-point numbers of the same value.

use half::f16;

use crate::level::by_level;

mod private {
    /// How a byte becomes a number.
    pub trait Sealed: Copy {
        /// The number of the same value.
        fn of(byte: u8) -> Self;
    }
}

/// A number that networks take: `f32` or `f16`.
pub trait Sample: private::Sealed {}

impl Sample for f32 {}
impl Sample for f16 {}

impl private::Sealed for f32 {
    #[inline(always)]
    fn of(byte: u8) -> Self {
        Self::from(byte)
    }
}

impl private::Sealed for f16 {
    /// The mantissa of the `f32`, cut, which loses nothing of a byte; its exponent is 112 too high.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "16 bits")]
    fn of(byte: u8) -> Self {
        let bits = (f32::from(byte).to_bits() >> 13).saturating_sub(112 << 10);
        Self::from_bits(bits as u16)
    }
}

by_level! {
    /// The numbers of these bytes.
    pub(super) fn widen<T: Sample>(bytes: &[u8], samples: &mut [T]) = widen_body
}

#[inline(always)]
fn widen_body<T: Sample>(bytes: &[u8], samples: &mut [T]) {
    for (sample, byte) in samples.iter_mut().zip(bytes) {
        *sample = T::of(*byte);
    }
}

/// The number that stands for the border.
pub(super) fn padding<T: Sample>() -> T {
    T::of(super::PADDING)
}

#[cfg(test)]
mod tests {
    use super::private::Sealed;
    use super::*;

    #[test]
    fn every_byte_is_widened_exactly() {
        for byte in 0..=u8::MAX {
            assert_eq!(<f32 as Sealed>::of(byte).to_bits(), f32::from(byte).to_bits());
            assert_eq!(<f16 as Sealed>::of(byte), f16::from_f32(f32::from(byte)));
        }
    }
}
