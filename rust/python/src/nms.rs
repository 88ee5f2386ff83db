//! Non-maximum suppression for Python.

use numpy::ndarray::{Ix1, Ix2};
use numpy::{IntoPyArray, PyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments::{borrow, number};
use crate::error::call;
use crate::level::level;

#[pyfunction(signature = (boxes, scores, class_ids, iou_threshold))]
#[expect(clippy::cast_possible_wrap, reason = "no slice has more than isize::MAX entries")]
pub(crate) fn nms<'py>(
    py: Python<'py>,
    boxes: &Bound<'py, PyAny>,
    scores: &Bound<'py, PyAny>,
    class_ids: Option<&Bound<'py, PyAny>>,
    iou_threshold: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let boxes = borrow::<f32, Ix2>(boxes, "boxes")?;
    let scores = borrow::<f32, Ix1>(scores, "scores")?;
    let class_ids = class_ids.map(|class_ids| borrow::<i64, Ix1>(class_ids, "class_ids")).transpose()?;
    if boxes.shape()[1] != 4 {
        let message = format!("boxes have {} columns, expected 4: x1, y1, x2, y2", boxes.shape()[1]);
        return Err(PyValueError::new_err(message));
    }
    let iou_threshold = number("iou_threshold", iou_threshold)?;
    let (rows, _) = boxes.as_slice()?.as_chunks();
    let scores = scores.as_slice()?;
    let class_ids = class_ids.as_ref().map(|class_ids| class_ids.as_slice()).transpose()?;
    let kept = call(py, || yoloxfast_core::nms(level(), rows, scores, class_ids, iou_threshold))?;
    let in_place: Vec<_> = kept.into_iter().map(|index| index as i64).collect();
    Ok(in_place.into_pyarray(py))
}
