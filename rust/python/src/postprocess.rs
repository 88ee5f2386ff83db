//! Post-processing for Python.

use numpy::ndarray::{Array2, Ix2, Ix3};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::{Detections, Element, Error, Grid, Options, RawOutput};

use crate::arguments::{RawArray, count, counts, number, numbers, thread_count};
use crate::error::to_py;
use crate::level::level;

/// Boxes, scores and class ids of one image.
type DetectionArrays<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<i64>>);

/// Counts the rows of the raw output of a network.
#[pyfunction]
pub(crate) fn count_anchors(height: usize, width: usize, strides: &Bound<'_, PyAny>) -> PyResult<usize> {
    Grid::count_anchors(height, width, &counts("stride", strides, 1)?).map_err(to_py)
}

#[pyclass(frozen, module = "yoloxfast._core")]
pub(crate) struct PostProcessor {
    core: yoloxfast_core::PostProcessor,
}

#[pymethods]
impl PostProcessor {
    #[new]
    fn new(
        height: &Bound<'_, PyAny>,
        width: &Bound<'_, PyAny>,
        num_classes: &Bound<'_, PyAny>,
        strides: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (height, width) = (count("height", height, 1)?, count("width", width, 1)?);
        let (num_classes, strides) = (count("num_classes", num_classes, 1)?, counts("stride", strides, 1)?);
        let core = Grid::new(height, width, &strides)
            .and_then(|grid| yoloxfast_core::PostProcessor::new(grid, num_classes, level()))
            .map_err(to_py)?;
        Ok(Self { core })
    }

    fn decode<'py>(&self, py: Python<'py>, raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        match RawArray::borrow(raw, "(anchors, 5 + classes): pass one image of a batch, raw[0]")? {
            RawArray::Single(raw) => self.decode_typed(py, &raw),
            RawArray::Half(raw) => self.decode_typed(py, &raw),
        }
    }

    #[pyo3(signature = (raw, scale, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections))]
    #[expect(clippy::too_many_arguments, reason = "the options of one call, as Python passes them")]
    fn run<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scale: &Bound<'py, PyAny>,
        score_threshold: &Bound<'py, PyAny>,
        iou_threshold: &Bound<'py, PyAny>,
        class_agnostic: &Bound<'py, PyAny>,
        class_ids: Option<Vec<usize>>,
        max_detections: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<DetectionArrays<'py>> {
        let scale = number("scale", scale)?;
        let options = options(score_threshold, iou_threshold, class_agnostic, class_ids, max_detections)?;
        match RawArray::borrow(raw, "(anchors, 5 + classes): pass one image of a batch, raw[0], or call batch")? {
            RawArray::Single(raw) => self.run_typed(py, &raw, scale, &options),
            RawArray::Half(raw) => self.run_typed(py, &raw, scale, &options),
        }
    }

    #[pyo3(signature = (
        raw, scales, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections, threads
    ))]
    #[expect(clippy::too_many_arguments, reason = "the options of one call, as Python passes them")]
    fn run_batch<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scales: Option<&Bound<'py, PyAny>>,
        score_threshold: &Bound<'py, PyAny>,
        iou_threshold: &Bound<'py, PyAny>,
        class_agnostic: &Bound<'py, PyAny>,
        class_ids: Option<Vec<usize>>,
        max_detections: Option<&Bound<'py, PyAny>>,
        threads: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let scales = scales.map(|scales| numbers("scale", scales)).transpose()?;
        let options = options(score_threshold, iou_threshold, class_agnostic, class_ids, max_detections)?;
        let threads = thread_count(threads)?;
        match RawArray::borrow(raw, "(batch, anchors, 5 + classes)")? {
            RawArray::Single(raw) => self.run_batch_typed(py, &raw, scales, &options, threads),
            RawArray::Half(raw) => self.run_batch_typed(py, &raw, scales, &options, threads),
        }
    }
}

impl PostProcessor {
    fn decode_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix2>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (values, [anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1]]);
        let decoded = py.detach(|| self.core.decode(RawOutput::new(values, anchors, columns)?));
        decoded.map_err(to_py)?.into_pyarray(py).reshape([anchors, columns])
    }

    fn run_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix2>,
        scale: f32,
        options: &Options,
    ) -> PyResult<DetectionArrays<'py>> {
        let (values, [anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1]]);
        let found = py.detach(|| self.core.run(RawOutput::new(values, anchors, columns)?, scale, options));
        Ok(to_arrays(py, found.map_err(to_py)?))
    }

    fn run_batch_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix3>,
        scales: Option<Vec<f32>>,
        options: &Options,
        threads: usize,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let (values, [batch, anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1], raw.shape()[2]]);
        let scales = scales.unwrap_or_else(|| vec![1.0; batch]);
        if scales.len() != batch {
            return Err(PyValueError::new_err(format!("got {} scales for a batch of {batch}", scales.len())));
        }
        let found = py.detach(|| {
            let size = anchors * columns; // of an image: the array has as many for each
            let images: Result<Vec<_>, Error> = scales
                .into_iter()
                .enumerate()
                .map(|(image, scale)| Ok((RawOutput::new(&values[image * size..][..size], anchors, columns)?, scale)))
                .collect();
            self.core.run_batch(&images?, options, threads)
        });
        Ok(found.map_err(to_py)?.into_iter().map(|found| to_arrays(py, found)).collect())
    }
}

fn options(
    score_threshold: &Bound<'_, PyAny>,
    iou_threshold: &Bound<'_, PyAny>,
    class_agnostic: &Bound<'_, PyAny>,
    class_ids: Option<Vec<usize>>,
    max_detections: Option<&Bound<'_, PyAny>>,
) -> PyResult<Options> {
    Ok(Options {
        score_threshold: number("score_threshold", score_threshold)?,
        iou_threshold: number("iou_threshold", iou_threshold)?,
        class_agnostic: class_agnostic.is_truthy()?,
        class_ids,
        max_detections: max_detections.map(|value| count("max_detections", value, 1)).transpose()?,
    })
}

fn to_arrays(py: Python<'_>, found: Detections) -> DetectionArrays<'_> {
    let Detections { xyxy, scores, class_ids } = found;
    (Array2::from(xyxy).into_pyarray(py), scores.into_pyarray(py), class_ids.into_pyarray(py))
}
