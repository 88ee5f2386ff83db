//! The letterbox for Python.

use std::sync::{Arc, Mutex, PoisonError};

use half::f16;
use numpy::ndarray::{ArrayView3, CowArray, Ix3};
use numpy::{
    BorrowError, PyArray3, PyArray4, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::{Error, Float, Format, Job, Letterbox, Sample, Size};

use crate::arguments::count;
use crate::error::to_py;
use crate::level::level;

/// Sizes of which the coefficients are kept.
const MOST_KEPT: usize = 16;

/// The last used comes last.
static KEPT: Mutex<Vec<Arc<Letterbox>>> = Mutex::new(Vec::new());

/// Writes images, (height, width, 3) of uint8, into `out` and returns their scales. `out` is C-contiguous: (batch, 3,
/// height, width) of float32, float16 or uint8, or, if `interleaved`, (batch, height, width, 3) of uint8. `legacy` is
/// for floating-point numbers. The `border` need not be written again into an `out` that has it.
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
    let threads = count("threads", threads, 1)?;
    let sides = out.shape();
    let [height, width] = if interleaved { [sides[1], sides[2]] } else { [sides[2], sides[3]] };
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
        let images: Vec<_> = images.iter().map(with_dense_rows).collect();
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

/// An image whose pixels lie one after the other in each row: itself, or a copy.
fn with_dense_rows<'a>(image: &ArrayView3<'a, u8>) -> CowArray<'a, u8, Ix3> {
    let is_dense = image.outer_iter().next().is_some_and(|row| row.to_slice().is_some());
    if is_dense { (*image).into() } else { image.as_standard_layout().into_owned().into() }
}

fn rows<'a>(image: &'a CowArray<'_, u8, Ix3>) -> Vec<&'a [u8]> {
    image.outer_iter().map(|row| row.to_slice().unwrap_or_default()).collect()
}

/// The letterbox of these sizes, with coefficients that may be known from earlier.
fn prepared(source: Size, target: Size) -> Result<Arc<Letterbox>, Error> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept.iter().position(|letterbox| (letterbox.source(), letterbox.target()) == (source, target));
    let letterbox = match known {
        Some(position) => kept.remove(position),
        None => Arc::new(Letterbox::new(source, target, level())?),
    };
    if kept.len() == MOST_KEPT {
        kept.remove(0);
    }
    kept.push(Arc::clone(&letterbox));
    Ok(letterbox)
}
