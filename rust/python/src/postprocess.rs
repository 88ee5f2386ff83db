//! Post-processing for Python.

use std::hash::{Hash, Hasher};

use numpy::ndarray::{Array2, ArrayView2, Ix2, Ix3};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray, PyUntypedArrayMethods, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use yoloxfast_core::{Detections, Element, Error, Grid, MAX_STRIDES, RawOutput};

use crate::arguments::{RawArray, count, counts, number, numbers, thread_count};
use crate::error::{call, to_py};
use crate::level::level;

/// Boxes, scores and class ids of one image.
type DetectionArrays<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<i64>>);

/// Most detections of an image that are copied into arrays.
const MAX_COPIED: usize = 256;

/// Counts the rows of the raw output of a network.
#[pyfunction]
pub(crate) fn count_anchors(height: usize, width: usize, strides: &Bound<'_, PyAny>) -> PyResult<usize> {
    Grid::count_anchors(height, width, &counts("stride", strides, 1, MAX_STRIDES)?).map_err(to_py)
}

/// What counts as a detection. All of it has been checked.
#[pyclass(frozen, module = "yoloxfast._core")]
pub(crate) struct Options {
    core: yoloxfast_core::Options,
}

#[pymethods]
impl Options {
    #[new]
    #[pyo3(signature = (num_classes, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections))]
    #[expect(clippy::needless_pass_by_value, reason = "what PyO3 makes of a list")]
    fn new(
        num_classes: &Bound<'_, PyAny>,
        score_threshold: &Bound<'_, PyAny>,
        iou_threshold: &Bound<'_, PyAny>,
        class_agnostic: &Bound<'_, PyAny>,
        class_ids: Option<Vec<usize>>,
        max_detections: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let num_classes = count("num_classes", num_classes, 1)?;
        let score_threshold = number("score_threshold", score_threshold)?;
        let iou_threshold = number("iou_threshold", iou_threshold)?;
        let class_agnostic = class_agnostic.is_truthy()?;
        let max_detections = max_detections.map(|value| count("max_detections", value, 1)).transpose()?;
        let options = || {
            let options = yoloxfast_core::Options::new(num_classes)?.class_agnostic(class_agnostic);
            let options = options.score_threshold(score_threshold)?.iou_threshold(iou_threshold)?;
            let options = options.max_detections(max_detections)?;
            if let Some(class_ids) = &class_ids { options.class_ids(class_ids) } else { Ok(options) }
        };
        Ok(Self { core: options().map_err(to_py)? })
    }
}

/// What a post-processor is made of.
type Model = (usize, usize, usize, Vec<usize>);

#[pyclass(frozen, eq, hash, module = "yoloxfast._core")]
pub(crate) struct PostProcessor {
    core: yoloxfast_core::PostProcessor,
    model: Model,
}

impl PartialEq for PostProcessor {
    fn eq(&self, other: &Self) -> bool {
        self.model == other.model
    }
}

impl Hash for PostProcessor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.model.hash(state);
    }
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
        let (num_classes, strides) =
            (count("num_classes", num_classes, 1)?, counts("stride", strides, 1, MAX_STRIDES)?);
        let core = Grid::new(height, width, &strides)
            .and_then(|grid| yoloxfast_core::PostProcessor::new(grid, num_classes, level()))
            .map_err(to_py)?;
        Ok(Self { core, model: (height, width, num_classes, strides) })
    }

    /// For pickling.
    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, Model) {
        (py.get_type::<Self>(), self.model.clone())
    }

    fn decode<'py>(&self, py: Python<'py>, raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        match RawArray::borrow(raw, "(anchors, 5 + classes): pass one image of a batch, raw[0]", self.check_shape())? {
            RawArray::Single(raw) => self.decode_typed(py, &raw),
            RawArray::Half(raw) => self.decode_typed(py, &raw),
        }
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scale: &Bound<'py, PyAny>,
        options: &Options,
    ) -> PyResult<DetectionArrays<'py>> {
        let scale = number("scale", scale)?;
        let expected = "(anchors, 5 + classes): pass one image of a batch, raw[0], or call batch";
        match RawArray::borrow(raw, expected, self.check_shape())? {
            RawArray::Single(raw) => self.run_typed(py, &raw, scale, &options.core),
            RawArray::Half(raw) => self.run_typed(py, &raw, scale, &options.core),
        }
    }

    fn run_batch<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scales: Option<&Bound<'py, PyAny>>,
        options: &Options,
        threads: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let threads = thread_count(threads)?;
        match RawArray::borrow(raw, "(batch, anchors, 5 + classes)", self.check_shape())? {
            RawArray::Single(raw) => self.run_batch_typed(py, &raw, scales, &options.core, threads),
            RawArray::Half(raw) => self.run_batch_typed(py, &raw, scales, &options.core, threads),
        }
    }
}

impl PostProcessor {
    /// Checks the last two sides of a shape.
    fn check_shape(&self) -> impl FnOnce(&[usize]) -> Result<(), Error> {
        |shape| match shape {
            [.., anchors, columns] => self.core.check_shape(*anchors, *columns),
            _ => Ok(()),
        }
    }

    fn decode_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix2>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (values, [anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1]]);
        let decoded = call(py, || self.core.decode(RawOutput::new(values, anchors, columns)?))?;
        decoded.into_pyarray(py).reshape([anchors, columns])
    }

    fn run_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix2>,
        scale: f32,
        options: &yoloxfast_core::Options,
    ) -> PyResult<DetectionArrays<'py>> {
        let (values, [anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1]]);
        let found = call(py, || self.core.run(RawOutput::new(values, anchors, columns)?, scale, options))?;
        Ok(to_arrays(py, found))
    }

    fn run_batch_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &PyReadonlyArray<'py, T, Ix3>,
        scales: Option<&Bound<'py, PyAny>>,
        options: &yoloxfast_core::Options,
        threads: usize,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let (values, [batch, anchors, columns]) = (raw.as_slice()?, [raw.shape()[0], raw.shape()[1], raw.shape()[2]]);
        let scales = scales.map(|scales| numbers("scale", scales, batch)).transpose()?;
        if let Some(scales) = &scales
            && scales.len() != batch
        {
            return Err(PyValueError::new_err(format!("got {} scales for a batch of {batch}", scales.len())));
        }
        let found = call(py, || {
            let scale_of = |image| scales.as_ref().map_or(1.0, |scales| scales[image]);
            let images = RawOutput::batch(values, anchors, columns)?.enumerate();
            self.core.run_batch(images.map(|(image, raw)| (raw, scale_of(image))), options, threads)
        })?;
        Ok(found.into_iter().map(|found| to_arrays(py, found)).collect())
    }
}

/// Copies few detections, which takes half of the time of handing over the vectors. Many are handed over: PyO3 panics if
/// memory for a copy is refused.
fn to_arrays(py: Python<'_>, found: Detections) -> DetectionArrays<'_> {
    let Detections { xyxy, scores, class_ids } = found;
    if scores.len() <= MAX_COPIED {
        let boxes = ArrayView2::from(xyxy.as_slice());
        return (boxes.to_pyarray(py), scores.to_pyarray(py), class_ids.to_pyarray(py));
    }
    (Array2::from(xyxy).into_pyarray(py), scores.into_pyarray(py), class_ids.into_pyarray(py))
}
