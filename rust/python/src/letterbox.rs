//! The letterbox for Python.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use half::f16;
use numpy::ndarray::ArrayView3;
use numpy::{
    BorrowError, PyArray3, PyArray4, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::{Error, Float, Format, Job, Letterbox, Sample, Size};

use crate::arguments::thread_count;
use crate::error::to_py;
use crate::level::level;

/// Sizes of which the coefficients are kept.
const MOST_KEPT: usize = 16;

/// The last used comes last.
static KEPT: Mutex<Vec<Arc<Letterbox>>> = Mutex::new(Vec::new());

/// Writes images, (height, width, 3) of uint8 with dense rows, into `out` and returns their scales. `out` is C-contiguous:
/// (batch, 3, height, width) of float32, float16 or uint8, or, if `interleaved`, (batch, height, width, 3) of uint8.
/// `legacy` is for floating-point numbers. The `border` need not be written again into an `out` that has it.
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
) -> PyResult<Vec<f64>> {
    let threads = thread_count(threads)?;
    let &[_, first, second, third] = out.shape() else {
        return Err(PyValueError::new_err("out must have four dimensions"));
    };
    let [height, width] = if interleaved { [first, second] } else { [second, third] };
    let target = Size { height, width };
    if out.dtype().is_equiv_to(&numpy::dtype::<u8>(py)) {
        let format = if interleaved { Format::interleaved(reverses) } else { Format::planes(reverses) };
        fill_typed::<u8>(py, &images, out, target, &format, border, threads)
    } else if out.dtype().is_equiv_to(&numpy::dtype::<f16>(py)) {
        fill_typed::<f16>(py, &images, out, target, &planes(reverses, legacy), border, threads)
    } else {
        fill_typed::<f32>(py, &images, out, target, &planes(reverses, legacy), border, threads)
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
    border: bool,
    threads: usize,
) -> PyResult<Vec<f64>> {
    let images = images.iter().map(PyArrayMethods::try_readonly).collect::<Result<Vec<_>, _>>().map_err(in_use)?;
    let images: Vec<_> = images.iter().map(|image| image.as_array()).collect();
    let mut out = out.cast::<PyArray4<T>>()?.try_readwrite().map_err(in_use)?;
    let outs = out.as_slice_mut()?;
    py.detach(|| {
        let rows: Vec<Vec<&[u8]>> = images.iter().map(rows).collect();
        let prepared = images.iter().map(|image| {
            let (height, width, _) = image.dim();
            prepared(Size { height, width }, target)
        });
        let letterboxes = prepared.collect::<Result<Vec<_>, Error>>()?;
        let scales = letterboxes.iter().map(|letterbox| letterbox.scale()).collect();
        let size = outs.len() / images.len().max(1);
        let jobs = letterboxes.iter().zip(&rows).zip(outs.chunks_mut(size.max(1)));
        let jobs = jobs.map(|((letterbox, image), out)| Job { letterbox, image, out, border }).collect();
        Letterbox::fill_batch(jobs, format, threads)?;
        Ok(scales)
    })
    .map_err(to_py)
}

fn in_use(_: BorrowError) -> PyErr {
    PyValueError::new_err(
        "another thread is writing to the image or to out at the moment: give each thread an out of its own",
    )
}

/// The rows of an image; in each, pixels lie one after the other.
fn rows<'a>(image: &'a ArrayView3<'_, u8>) -> Vec<&'a [u8]> {
    image.outer_iter().map(|row| row.to_slice().unwrap_or_default()).collect()
}

/// The letterbox of these sizes, with coefficients that may be known from earlier.
///
/// They are neither made nor dropped while the others are locked: a process that another thread forks in that time would
/// find them locked forever.
fn prepared(source: Size, target: Size) -> Result<Arc<Letterbox>, Error> {
    if let Some(letterbox) = known(source, target) {
        return Ok(letterbox);
    }
    let letterbox = Arc::new(Letterbox::new(source, target, level())?);
    let mut kept = lock();
    kept.push(Arc::clone(&letterbox));
    let oldest = (kept.len() > MOST_KEPT).then(|| kept.remove(0));
    drop(kept);
    drop(oldest);
    Ok(letterbox)
}

fn known(source: Size, target: Size) -> Option<Arc<Letterbox>> {
    let mut kept = lock();
    let position = kept.iter().position(|letterbox| (letterbox.source(), letterbox.target()) == (source, target))?;
    let letterbox = kept.remove(position);
    kept.push(Arc::clone(&letterbox));
    Some(letterbox)
}

fn lock() -> MutexGuard<'static, Vec<Arc<Letterbox>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
