//! The numbers that networks take, and which of them stands for a byte.

use half::f16;

mod private {
    #[cfg(target_arch = "x86_64")]
    use super::super::store::Store;

    #[cfg(not(target_arch = "x86_64"))]
    pub trait Store {}

    #[cfg(not(target_arch = "x86_64"))]
    impl<T> Store for T {}

    pub trait Sealed: Copy + Store {
        /// The number of the same value.
        fn of(byte: u8) -> Self;
    }

    pub trait Rounded {
        fn rounded(value: f32) -> Self;
    }
}

/// A number that networks take: `f32`, `f16` or `u8`.
pub trait Sample: private::Sealed + Send + Sync {}

/// A number that normalised values are rounded to: `f32` or `f16`.
pub trait Float: Sample + private::Rounded {}

impl Sample for f32 {}
impl Sample for f16 {}
impl Sample for u8 {}
impl Float for f32 {}
impl Float for f16 {}

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

impl private::Sealed for u8 {
    #[inline(always)]
    fn of(byte: u8) -> Self {
        byte
    }
}

impl private::Rounded for f32 {
    fn rounded(value: f32) -> Self {
        value
    }
}

impl private::Rounded for f16 {
    fn rounded(value: f32) -> Self {
        Self::from_f32(value)
    }
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
