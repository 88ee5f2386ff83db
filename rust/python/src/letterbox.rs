//! The letterbox for Python.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use half::f16;
use numpy::ndarray::ArrayView3;
use numpy::{
    BorrowError, PyArray3, PyArray4, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::{Error, Float, Format, Job, Plan, Sample, Size, try_collect};

use crate::arguments::thread_count;
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
    /// The plan for these sizes, which may be known from earlier.
    ///
    /// Nobody waits for the lock: a process that is forked while another thread holds it would wait forever. Whoever
    /// finds it locked makes a plan that is not kept.
    fn get(&self, source: Size, target: Size) -> Result<Arc<Plan>, Error> {
        if let Some(plan) = self.known(source, target) {
            return Ok(plan);
        }
        let plan = Arc::new(Plan::new(source, target, level())?);
        let oldest = self.lock().and_then(|mut kept| {
            kept.push(Arc::clone(&plan));
            (kept.len() > MAX_KEPT).then(|| kept.remove(0))
        });
        drop(oldest); // which takes longer, so others may have the lock already
        Ok(plan)
    }

    fn known(&self, source: Size, target: Size) -> Option<Arc<Plan>> {
        let mut kept = self.lock()?;
        let position = kept.iter().position(|plan| (plan.source(), plan.target()) == (source, target))?;
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

/// What one call writes, and with what.
struct How<'a> {
    border: bool,
    threads: usize,
    plans: &'a Plans,
}

/// Writes images, (height, width, 3) of uint8 with dense rows, into `out` and returns their scales. `out` is C-contiguous:
/// (batch, 3, height, width) of float32, float16 or uint8, or, if `interleaved`, (batch, height, width, 3) of uint8.
/// `legacy` is for floating-point numbers. The `border` need not be written again into an `out` that has it. Without
/// `plans` none are kept.
#[pyfunction]
#[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "options, as Python passes them")]
#[expect(clippy::needless_pass_by_value, reason = "what PyO3 makes of a list")]
pub(crate) fn letterbox(
    py: Python<'_>,
    images: Vec<Bound<'_, PyArray3<u8>>>,
    out: &Bound<'_, PyUntypedArray>,
    interleaved: bool,
    reverses: bool,
    legacy: bool,
    border: bool,
    threads: &Bound<'_, PyAny>,
    plans: Option<&Plans>,
) -> PyResult<Vec<f64>> {
    let for_this_call = Plans::default();
    let how = How { border, threads: thread_count(threads)?, plans: plans.unwrap_or(&for_this_call) };
    let &[_, first, second, third] = out.shape() else {
        return Err(PyValueError::new_err("out must have four dimensions"));
    };
    let [height, width] = if interleaved { [first, second] } else { [second, third] };
    let target = Size { height, width };
    if out.dtype().is_equiv_to(&numpy::dtype::<u8>(py)) {
        let format = if interleaved { Format::interleaved(reverses) } else { Format::planes(reverses) };
        fill_typed::<u8>(py, &images, out, target, &format, &how)
    } else if out.dtype().is_equiv_to(&numpy::dtype::<f16>(py)) {
        fill_typed::<f16>(py, &images, out, target, &planes(reverses, legacy), &how)
    } else {
        fill_typed::<f32>(py, &images, out, target, &planes(reverses, legacy), &how)
    }
}

fn planes<T: Float>(reverses: bool, legacy: bool) -> Format<T> {
    if legacy { Format::legacy(reverses) } else { Format::planes(reverses) }
}

fn fill_typed<T: Sample + numpy::Element>(
    py: Python<'_>,
    images: &[Bound<'_, PyArray3<u8>>],
    out: &Bound<'_, PyUntypedArray>,
    target: Size,
    format: &Format<T>,
    &How { border, threads, plans }: &How<'_>,
) -> PyResult<Vec<f64>> {
    let images = images.iter().map(PyArrayMethods::try_readonly).collect::<Result<Vec<_>, _>>().map_err(in_use)?;
    let images: Vec<_> = images.iter().map(|image| image.as_array()).collect();
    let mut out = out.cast::<PyArray4<T>>()?.try_readwrite().map_err(in_use)?;
    let outs = out.as_slice_mut()?;
    call(py, || {
        let rows = images.iter().map(rows).collect::<Result<Vec<_>, Error>>()?;
        let planned = images.iter().map(|image| {
            let (height, width, _) = image.dim();
            plans.get(Size { height, width }, target)
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
