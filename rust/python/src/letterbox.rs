//! The letterbox for Python.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use half::f16;
use numpy::ndarray::ArrayView3;
use numpy::{
    BorrowError, Ix2, PyArray3, PyArray4, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::{Error, Fitting, Float, Format, Job, Plan, Sample, Size, try_collect};

use crate::arguments::{borrow, thread_count};
use crate::error::call;
use crate::level::level;

/// Plans that are kept: a detector may get images of several sizes in turns.
const MAX_KEPT: usize = 4;

/// Plans for the sizes that were used last: what remains from call to call of a letterbox that is used again.
#[pyclass(frozen, module = "yoloxfast._core")]
#[derive(Default)]
pub(crate) struct Plans(Mutex<Vec<Arc<Plan>>>);

#[pymethods]
impl Plans {
    #[new]
    fn new() -> Self {
        Self::default()
    }
}

impl Plans {
    /// The plan for that, which may be known from earlier.
    ///
    /// Nobody waits for the lock: a process that is forked while another thread holds it would wait forever. Whoever
    /// finds it locked makes a plan that is not kept.
    fn get(&self, fitting: Fitting) -> Result<Arc<Plan>, Error> {
        if let Some(plan) = self.known(fitting) {
            return Ok(plan);
        }
        let plan = Arc::new(Plan::of(fitting, level())?);
        let oldest = self.lock().and_then(|mut kept| {
            kept.push(Arc::clone(&plan));
            (kept.len() > MAX_KEPT).then(|| kept.remove(0))
        });
        drop(oldest); // which takes longer, so others may have the lock already
        Ok(plan)
    }

    fn known(&self, fitting: Fitting) -> Option<Arc<Plan>> {
        let mut kept = self.lock()?;
        let position = kept.iter().position(|plan| plan.fitting() == fitting)?;
        kept[position..].rotate_left(1); // the last used comes last
        kept.last().cloned()
    }

    fn lock(&self) -> Option<MutexGuard<'_, Vec<Arc<Plan>>>> {
        match self.0.try_lock() {
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(kept)) => Some(kept.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// How a network wants its pixels; its options are checked in Python, where it is made.
#[pyclass(frozen, module = "yoloxfast._core")]
pub(crate) struct PixelFormat {
    reverses: bool,
    values: Option<Box<[[f32; 256]; 3]>>,
    single_precision: bool,
}

#[pymethods]
impl PixelFormat {
    /// Channels are in the order of the images', or the network `reverses` them. `values`, (3, 256) of float32, are the
    /// numbers of all bytes for each channel of the network; by default the bytes themselves.
    #[new]
    fn new(reverses: bool, values: Option<&Bound<'_, PyAny>>, single_precision: bool) -> PyResult<Self> {
        let values = values.map(tables).transpose()?;
        Ok(Self { reverses, values, single_precision })
    }
}

fn tables(values: &Bound<'_, PyAny>) -> PyResult<Box<[[f32; 256]; 3]>> {
    let values = borrow::<f32, Ix2>(values, "values")?;
    let (tables, _) = values.as_slice()?.as_chunks::<256>();
    let tables = tables.try_into().map_err(|_| PyValueError::new_err("values must be (3, 256)"))?;
    Ok(Box::new(tables))
}

impl PixelFormat {
    fn bytes<T>(&self, interleaved: bool) -> Format<T> {
        if interleaved { Format::interleaved(self.reverses) } else { Format::planes(self.reverses) }
    }

    fn floats<T: Float>(&self, interleaved: bool) -> Format<T> {
        match &self.values {
            Some(values) => self.bytes(interleaved).with_values(values),
            None => self.bytes(interleaved),
        }
    }
}

/// What one call writes, and with what.
struct How<'a> {
    target: Size,
    grey: bool,
    single_precision: bool,
    border: bool,
    threads: usize,
    plans: &'a Plans,
}

/// Writes images, (height, width, 3) of uint8 with dense rows, into `out` and returns their scales. `out` is C-contiguous,
/// of float32, float16 or uint8: (batch, channels, height, width), or (batch, height, width, channels) if `interleaved`.
/// There are three channels, or one, which is grey. Only floating-point numbers may have other values than those of bytes.
/// The `border` need not be written again into an `out` that has it. Without `plans` none are kept.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options, as Python passes them")]
#[expect(clippy::needless_pass_by_value, reason = "what PyO3 makes of a list")]
pub(crate) fn letterbox(
    py: Python<'_>,
    images: Vec<Bound<'_, PyArray3<u8>>>,
    out: &Bound<'_, PyUntypedArray>,
    interleaved: bool,
    pixels: &PixelFormat,
    border: bool,
    threads: &Bound<'_, PyAny>,
    plans: Option<&Plans>,
) -> PyResult<Vec<f64>> {
    let for_this_call = Plans::default();
    let &[_, first, second, third] = out.shape() else {
        return Err(PyValueError::new_err("out must have four dimensions"));
    };
    let (channels, height, width) = if interleaved { (third, first, second) } else { (first, second, third) };
    let how = How {
        target: Size { height, width },
        grey: channels == 1,
        single_precision: pixels.single_precision,
        border,
        threads: thread_count(threads)?,
        plans: plans.unwrap_or(&for_this_call),
    };
    if out.dtype().is_equiv_to(&numpy::dtype::<u8>(py)) {
        fill_typed::<u8>(py, &images, out, &pixels.bytes(interleaved), &how)
    } else if out.dtype().is_equiv_to(&numpy::dtype::<f16>(py)) {
        fill_typed::<f16>(py, &images, out, &pixels.floats(interleaved), &how)
    } else {
        fill_typed::<f32>(py, &images, out, &pixels.floats(interleaved), &how)
    }
}

fn fill_typed<T: Sample + numpy::Element>(
    py: Python<'_>,
    images: &[Bound<'_, PyArray3<u8>>],
    out: &Bound<'_, PyUntypedArray>,
    format: &Format<T>,
    &How { target, grey, single_precision, border, threads, plans }: &How<'_>,
) -> PyResult<Vec<f64>> {
    let images = images.iter().map(PyArrayMethods::try_readonly).collect::<Result<Vec<_>, _>>().map_err(in_use)?;
    let images: Vec<_> = images.iter().map(|image| image.as_array()).collect();
    let mut out = out.cast::<PyArray4<T>>()?.try_readwrite().map_err(in_use)?;
    let outs = out.as_slice_mut()?;
    call(py, || {
        let rows = images.iter().map(rows).collect::<Result<Vec<_>, Error>>()?;
        let planned = images.iter().map(|image| {
            let (height, width, _) = image.dim();
            plans.get(Fitting { source: Size { height, width }, target, grey, single_precision })
        });
        let planned = planned.collect::<Result<Vec<_>, Error>>()?;
        let scales = planned.iter().map(|plan| plan.scale()).collect();
        let size = outs.len() / images.len().max(1);
        let jobs = planned.iter().zip(&rows).zip(outs.chunks_mut(size.max(1)));
        let jobs = jobs.map(|((plan, image), out)| Job { plan, image, out, border }).collect();
        Plan::fill_batch(jobs, format, threads)?;
        Ok(scales)
    })
}

fn in_use(_: BorrowError) -> PyErr {
    PyValueError::new_err(
        "another thread is writing to the image or to out at the moment: give each thread an out of its own",
    )
}

/// The rows of an image; in each, pixels lie one after the other.
fn rows<'a>(image: &'a ArrayView3<'_, u8>) -> Result<Vec<&'a [u8]>, Error> {
    try_collect(image.outer_iter().map(|row| row.to_slice().unwrap_or_default()))
}
