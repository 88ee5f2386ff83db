//! A borrowed network output: one row per anchor, `cx, cy, w, h, objectness, class scores…`, still undecoded.

use half::f16;

use crate::Error;

/// Columns before the class scores: four of the box, one of the objectness.
pub const BOX_COLUMNS: usize = 5;

/// Column of the objectness.
pub(crate) const OBJECTNESS: usize = 4;

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
}

/// A number that networks put out: `f32` or `f16`.
pub trait Element: private::Sealed + Copy + Send + Sync {
    /// Widens without loss.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    #[inline]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
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

    /// The rows in order.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'a, T> {
        self.values.chunks_exact(self.columns.max(1))
    }
}
