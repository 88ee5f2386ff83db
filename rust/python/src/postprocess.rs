//! Post-processing for Python.

use std::hash::{Hash, Hasher};

use numpy::ndarray::{Array2, ArrayView2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use yoloxfast_core::{BOX_COLUMNS, Detections, Element, Fit, Form, Grid, MAX_CLASSES, MAX_STRIDES, Semantics};

use crate::arguments::{count, counts, flag, number, numbers, size, sizes, thread_count};
use crate::error::{call, to_py};
use crate::level::level;
use crate::raw::{Arrays, Expected, Layout, RawArrays};

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
    #[pyo3(signature = (num_classes, semantics, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections))]
    #[expect(clippy::needless_pass_by_value, reason = "what PyO3 makes of a list")]
    fn new(
        num_classes: &Bound<'_, PyAny>,
        semantics: &str,
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
            let options = yoloxfast_core::Options::new(num_classes)?.semantics(Semantics::named(semantics)?);
            let options = options.class_agnostic(class_agnostic);
            let options = options.score_threshold(score_threshold)?.iou_threshold(iou_threshold)?;
            let options = options.max_detections(max_detections)?;
            if let Some(class_ids) = &class_ids { options.class_ids(class_ids) } else { Ok(options) }
        };
        Ok(Self { core: options().map_err(to_py)? })
    }

    #[getter]
    fn score_threshold(&self) -> f32 {
        self.core.least_score()
    }
}

/// What a post-processor is made of: height, width, number of classes, strides; layout, and whether boxes are decoded,
/// scores are logits, how many columns lie behind the class scores.
type Model = (usize, usize, usize, Vec<usize>, &'static str, bool, bool, usize);

#[pyclass(frozen, eq, hash, module = "yoloxfast._core")]
pub(crate) struct PostProcessor {
    core: yoloxfast_core::PostProcessor,
    layout: Layout,
    levels: Vec<[usize; 2]>,
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
    #[expect(clippy::too_many_arguments, reason = "as many as a model has properties")]
    fn new(
        height: &Bound<'_, PyAny>,
        width: &Bound<'_, PyAny>,
        num_classes: &Bound<'_, PyAny>,
        strides: &Bound<'_, PyAny>,
        layout: &Bound<'_, PyAny>,
        decoded: &Bound<'_, PyAny>,
        logits: &Bound<'_, PyAny>,
        extra_columns: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (height, width) = (count("height", height, 1)?, count("width", width, 1)?);
        let (num_classes, strides) =
            (count("num_classes", num_classes, 1)?, counts("stride", strides, 1, MAX_STRIDES)?);
        let layout = Layout::named(layout)?;
        let (decoded, logits) = (flag("decoded", decoded)?, flag("logits", logits)?);
        let extra_columns = count("extra_columns", extra_columns, 0)?;
        if extra_columns > MAX_CLASSES {
            let message = format!("extra_columns is {extra_columns}, expected 0 to {MAX_CLASSES}");
            return Err(PyValueError::new_err(message));
        }
        let form = Form { decoded, logits, finished: layout == Layout::Finished, extra_columns };
        let core = Grid::new(height, width, &strides)
            .and_then(|grid| yoloxfast_core::PostProcessor::new(grid, num_classes, level()))
            .map_err(to_py)?
            .form(form);
        let levels = strides.iter().map(|stride| [height.div_ceil(*stride), width.div_ceil(*stride)]).collect();
        let model = (height, width, num_classes, strides, layout.name(), decoded, logits, extra_columns);
        Ok(Self { core, layout, levels, model })
    }

    /// For pickling.
    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, Model) {
        (py.get_type::<Self>(), self.model.clone())
    }

    fn decode<'py>(&self, py: Python<'py>, raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        if self.model.4 != Layout::Rows.name() || self.model.5 {
            return Err(PyValueError::new_err("only rows that are not decoded yet can be decoded"));
        }
        match self.borrow(raw, false)? {
            RawArrays::Single(raw) => self.decode_typed(py, &raw),
            RawArrays::Half(raw) => self.decode_typed(py, &raw),
        }
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scale: &Bound<'py, PyAny>,
        image_size: Option<&Bound<'_, PyAny>>,
        options: &Options,
    ) -> PyResult<DetectionArrays<'py>> {
        let image_size = image_size.map(|value| size("image_size", value)).transpose()?;
        let fit = Fit { scale: number("scale", scale)?, image_size };
        match self.borrow(raw, false)? {
            RawArrays::Single(raw) => self.run_typed(py, &raw, fit, &options.core),
            RawArrays::Half(raw) => self.run_typed(py, &raw, fit, &options.core),
        }
    }

    fn run_batch<'py>(
        &self,
        py: Python<'py>,
        raw: &Bound<'py, PyAny>,
        scales: Option<&Bound<'py, PyAny>>,
        image_sizes: Option<&Bound<'_, PyAny>>,
        options: &Options,
        threads: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let threads = thread_count(threads)?;
        match self.borrow(raw, true)? {
            RawArrays::Single(raw) => {
                let fits = fits(raw.images(), scales, image_sizes)?;
                self.run_batch_typed(py, &raw, &fits, &options.core, threads)
            }
            RawArrays::Half(raw) => {
                let fits = fits(raw.images(), scales, image_sizes)?;
                self.run_batch_typed(py, &raw, &fits, &options.core, threads)
            }
        }
    }
}

impl PostProcessor {
    fn borrow<'py>(&self, raw: &Bound<'py, PyAny>, is_batch: bool) -> PyResult<RawArrays<'py>> {
        let columns = BOX_COLUMNS + self.model.2 + self.model.7;
        let expected = Expected { layout: self.layout, levels: &self.levels, columns, is_batch };
        RawArrays::borrow(raw, expected, |anchors, columns| self.core.check_shape(anchors, columns))
    }

    fn decode_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &Arrays<'py, T>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = raw.rows()?;
        let decoded = call(py, || self.core.decode(rows))?;
        decoded.into_pyarray(py).reshape([rows.anchors(), rows.columns()])
    }

    fn run_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &Arrays<'py, T>,
        fit: Fit,
        options: &yoloxfast_core::Options,
    ) -> PyResult<DetectionArrays<'py>> {
        let parts = raw.parts()?;
        let raw = raw.raw_output(&parts);
        Ok(to_arrays(py, call(py, || self.core.run(raw, fit, options))?))
    }

    fn run_batch_typed<'py, T: Element + numpy::Element>(
        &self,
        py: Python<'py>,
        raw: &Arrays<'py, T>,
        fits: &[Fit],
        options: &yoloxfast_core::Options,
        threads: usize,
    ) -> PyResult<Vec<DetectionArrays<'py>>> {
        let parts = raw.parts()?;
        let images: Vec<_> = parts.chunks(raw.parts_per_image()).map(|parts| raw.raw_output(parts)).collect();
        let found = call(py, || self.core.run_batch(images.into_iter().zip(fits.iter().copied()), options, threads))?;
        Ok(found.into_iter().map(|found| to_arrays(py, found)).collect())
    }
}

/// How each image of a batch was fitted in; scales are 1 by default.
fn fits(
    images: usize,
    scales: Option<&Bound<'_, PyAny>>,
    image_sizes: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<Fit>> {
    let scales = scales.map_or_else(|| Ok(vec![1.0; images]), |scales| numbers("scale", scales, images))?;
    let image_sizes = image_sizes.map(|values| sizes("image_size", values, images)).transpose()?;
    for (name, count) in [("scales", scales.len()), ("image sizes", image_sizes.as_ref().map_or(images, Vec::len))] {
        if count != images {
            return Err(PyValueError::new_err(format!("got {count} {name} for a batch of {images}")));
        }
    }
    let size_of = |image: usize| image_sizes.as_ref().map(|sizes| sizes[image]);
    Ok(scales.into_iter().enumerate().map(|(image, scale)| Fit { scale, image_size: size_of(image) }).collect())
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
