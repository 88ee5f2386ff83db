//! The letterbox for Python.

use std::sync::{Arc, Mutex, PoisonError};

use half::f16;
use numpy::ndarray::ArrayView3;
use numpy::{PyArray3, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use yoloxfast_core::{Error, Letterbox, Sample, Size};

use crate::error::to_py;
use crate::level::level;

/// Sizes of which the coefficients are kept.
const MOST_KEPT: usize = 16;

/// The last used comes last.
static KEPT: Mutex<Vec<Arc<Letterbox>>> = Mutex::new(Vec::new());

/// Writes an image, (height, width, 3) of uint8, into `out`, (3, height, width) of float32 or float16 and C-contiguous,
/// and returns the scale.
#[pyfunction]
pub(crate) fn letterbox(py: Python<'_>, image: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>) -> PyResult<f64> {
    if out.cast::<PyUntypedArray>()?.dtype().is_equiv_to(&numpy::dtype::<f16>(py)) {
        letterbox_typed::<f16>(py, image, out)
    } else {
        letterbox_typed::<f32>(py, image, out)
    }
}

fn letterbox_typed<T: Sample + numpy::Element>(
    py: Python<'_>,
    image: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    let image = image.cast::<PyArray3<u8>>()?.try_readonly()?;
    let mut out = out.cast::<PyArray3<T>>()?.try_readwrite()?;
    let source = Size { height: image.shape()[0], width: image.shape()[1] };
    let target = Size { height: out.shape()[1], width: out.shape()[2] };
    let (image, out) = (image.as_array(), out.as_slice_mut()?);
    let scale = py.detach(|| {
        let letterbox = prepared(source, target)?;
        match rows(&image) {
            Some(rows) => letterbox.fill(&rows, out)?,
            None => letterbox.fill(&rows(&image.as_standard_layout().view()).unwrap_or_default(), out)?,
        }
        letterbox.pad(out)?;
        Ok(letterbox.scale())
    });
    scale.map_err(to_py)
}

/// The rows of an image, unless their pixels do not lie one after the other.
fn rows<'a>(image: &'a ArrayView3<'_, u8>) -> Option<Vec<&'a [u8]>> {
    image.outer_iter().map(|row| row.to_slice()).collect()
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
