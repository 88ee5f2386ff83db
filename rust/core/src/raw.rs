//! A borrowed network output: one row per anchor, `cx, cy, w, h, objectness, class scores…`, still undecoded.

use half::f16;

use crate::Error;

/// Columns before the class scores: four of the box, one of the objectness.
pub const BOX_COLUMNS: usize = 5;

/// Column of the objectness.
pub(crate) const OBJECTNESS: usize = 4;

mod private {
    use half::f16;

    /// What the filter needs of a number beyond its value.
    pub trait Sealed: Copy {
        /// What an objectness is compared with.
        type Gate: Copy;

        /// The gate that lets pass what is at least `threshold` when multiplied by `factor`.
        fn gate(threshold: f32, factor: f32) -> Self::Gate;

        /// Whether an objectness passes; NaN may or may not.
        fn passes(self, gate: Self::Gate) -> bool;

        /// The row as `f32`: itself, or its widened numbers in the buffer.
        fn widen<'a>(row: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32];
    }

    impl Sealed for f32 {
        type Gate = (f32, f32);

        #[inline(always)]
        fn gate(threshold: f32, factor: f32) -> Self::Gate {
            (threshold, factor)
        }

        #[inline(always)]
        fn passes(self, (threshold, factor): Self::Gate) -> bool {
            self * factor >= threshold
        }

        #[inline(always)]
        fn widen<'a>(row: &'a [Self], _: &'a mut Vec<f32>) -> &'a [f32] {
            row
        }
    }

    impl Sealed for f16 {
        /// The least objectness that passes, as an [`ordinal`].
        type Gate = i32;

        #[expect(clippy::cast_possible_truncation, reason = "ordinals have 15 bits and a sign")]
        fn gate(threshold: f32, factor: f32) -> Self::Gate {
            let largest = ordinal(f16::INFINITY);
            let (mut fails, mut passes) = (-largest - 1, largest);
            while passes - fails > 1 {
                let middle = fails + (passes - fails) / 2;
                let magnitude = f16::from_bits(middle.unsigned_abs() as u16).to_f32();
                let value = if middle < 0 { -magnitude } else { magnitude };
                if value * factor >= threshold { passes = middle } else { fails = middle }
            }
            passes
        }

        #[inline(always)]
        fn passes(self, gate: Self::Gate) -> bool {
            ordinal(self) >= gate
        }

        #[inline(always)]
        fn widen<'a>(row: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32] {
            buffer.resize(row.len(), 0.0);
            for (wide, value) in buffer.iter_mut().zip(row) {
                *wide = widened(*value);
            }
            buffer
        }
    }

    /// Orders values as integers: -0 and 0 are 0, NaN is beyond infinity.
    #[inline(always)]
    fn ordinal(value: f16) -> i32 {
        let magnitude = i32::from(value.to_bits() & 0x7fff);
        if value.to_bits() >> 15 == 0 { magnitude } else { -magnitude }
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

/// The raw output of a network for one image. A batch is one of these per image, over slices of the same buffer.
#[derive(Clone, Copy, Debug)]
pub struct RawOutput<'a, T> {
    values: &'a [T],
    anchors: usize,
    columns: usize,
}

impl<'a, T: Element> RawOutput<'a, T> {
    /// Views `values` as `anchors` rows of `columns` numbers.
    ///
    /// # Errors
    /// [`Error::RawLength`] if there are more or fewer values than that.
    pub fn new(values: &'a [T], anchors: usize, columns: usize) -> Result<Self, Error> {
        if anchors.checked_mul(columns) != Some(values.len()) {
            return Err(Error::RawLength { actual: values.len(), anchors, columns });
        }
        Ok(Self { values, anchors, columns })
    }

    /// Number of rows.
    #[must_use]
    pub fn anchors(&self) -> usize {
        self.anchors
    }

    /// Numbers per row: [`BOX_COLUMNS`] and the classes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All rows, one after the other.
    pub(crate) fn values(&self) -> &'a [T] {
        self.values
    }

    /// The rows in order.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'a, T> {
        self.values.chunks_exact(self.columns.max(1))
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
    fn the_gate_of_f16_is_that_of_f32() {
        for threshold in [0.0, 1e-9, 6e-8, 1e-4, 0.001, 0.01, 0.25, 0.3, 0.5, 0.999, 1.0] {
            for factor in [1.0, 1.0625] {
                let (narrow, wide) = (f16::gate(threshold, factor), f32::gate(threshold, factor));
                for value in all().filter(|value| !value.is_nan()) {
                    assert_eq!(value.passes(narrow), f16::to_f32(value).passes(wide), "{value:?} at {threshold}");
                }
            }
        }
    }
}
