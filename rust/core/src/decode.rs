//! From the four box values of a row to a box in network pixels (YOLOX, `yolo_head.py`, `decode_outputs`):
//!
//! ```text
//! cx = (v0 + x) * stride        w = exp(v2) * stride
//! cy = (v1 + y) * stride        h = exp(v3) * stride
//! ```
//!
//! All in `f32`. The exponential is taken in `f64` and rounded: the `f64` functions of system libraries and of NumPy
//! differ by so little that this gives the same `f32`, which their `f32` functions do not.

use crate::raw::Element;
use crate::{Anchor, Grid, RawOutput};

/// A box by its centre and size: `cx, cy, w, h` in network pixels.
pub(crate) fn decode_box<T: Element>(values: &[T], anchor: Anchor) -> [f32; 4] {
    let value = |column: usize| values[column].to_f32();
    [
        (value(0) + anchor.x) * anchor.stride,
        (value(1) + anchor.y) * anchor.stride,
        exp(value(2)) * anchor.stride,
        exp(value(3)) * anchor.stride,
    ]
}

/// The corners `x1, y1, x2, y2` of a box given by its centre and size.
pub(crate) fn corners([cx, cy, w, h]: [f32; 4]) -> [f32; 4] {
    let (half_width, half_height) = (w / 2.0, h / 2.0);
    [cx - half_width, cy - half_height, cx + half_width, cy + half_height]
}

/// Decodes every row: boxes as centre and size, scores as they are. The caller has checked the number of rows.
pub(crate) fn decode<T: Element>(raw: RawOutput<'_, T>, grid: &Grid) -> Vec<f32> {
    let mut decoded = Vec::with_capacity(raw.anchors() * raw.columns());
    for (row, &anchor) in raw.rows().zip(grid.anchors()) {
        decoded.extend(decode_box(row, anchor));
        decoded.extend(row[4..].iter().map(|value| value.to_f32()));
    }
    decoded
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
fn exp(value: f32) -> f32 {
    f64::from(value).exp() as f32
}
