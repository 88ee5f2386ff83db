//! The result of post-processing.

use crate::{Error, memory};

/// What was found in one image, best score first: parallel arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detections {
    /// `x1, y1, x2, y2` in image pixels; may reach beyond the image.
    pub xyxy: Vec<[f32; 4]>,
    /// Objectness times class score.
    pub scores: Vec<f32>,
    /// Class of each box.
    pub class_ids: Vec<i64>,
}

impl Detections {
    /// Empty, with room for `count` detections.
    pub(crate) fn with_capacity(count: usize) -> Result<Self, Error> {
        Ok(Self {
            xyxy: memory::with_capacity(count)?,
            scores: memory::with_capacity(count)?,
            class_ids: memory::with_capacity(count)?,
        })
    }
}
