//! The result of post-processing.

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
    /// Nothing yet, with room for so many.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            xyxy: Vec::with_capacity(count),
            scores: Vec::with_capacity(count),
            class_ids: Vec::with_capacity(count),
        }
    }
}
