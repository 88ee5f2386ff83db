//! From the four box values of a row to a box in network pixels (YOLOX, `yolo_head.py`, `decode_outputs`):
//!
//! ```text
//! cx = (v0 + x) * stride        w = exp(v2) * stride
//! cy = (v1 + y) * stride        h = exp(v3) * stride
//! ```
//!
//! All in `f32`, the exponential correctly rounded.

use crate::exponential::exp;
use crate::level::by_level;
use crate::raw::Rows;
use crate::{Anchor, Element, Error, memory};

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
    pub(crate) fn decode<T: Element>(raw: Rows<'_, T>, anchors: &[Anchor]) -> Result<Vec<f32>, Error> = decode_body
}

#[inline(always)]
fn decode_body<T: Element>(raw: Rows<'_, T>, anchors: &[Anchor]) -> Result<Vec<f32>, Error> {
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
