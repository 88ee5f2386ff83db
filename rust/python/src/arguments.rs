//! Arguments from Python: NumPy arrays borrowed as the slices that the core takes, and numbers; errors name them.

use numpy::ndarray::Dimension;
use numpy::{
    Element, PyArray, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use yoloxfast_core::Size;

/// Most threads that one call may ask for.
const MOST_THREADS: usize = 1024;

/// Borrows an array of exactly this dtype and rank. One that is not C-contiguous and aligned is copied first, so
/// `as_slice` gives its values in C order.
pub(crate) fn borrow<'py, T: Element, D: Dimension>(
    value: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let array = untyped(value, name)?;
    let (actual, expected) = (array.dtype(), numpy::dtype::<T>(value.py()));
    if !actual.is_equiv_to(&expected) {
        return Err(PyTypeError::new_err(format!("{name} has dtype {actual}, expected {expected}")));
    }
    if let Some(rank) = D::NDIM
        && rank != array.ndim()
    {
        let actual = shape_of(array.shape());
        return Err(PyValueError::new_err(format!("{name} has shape {actual}, expected {rank} dimensions")));
    }
    let array =
        if array.is_c_contiguous() && array.is_aligned() { value.clone() } else { value.call_method0("copy")? };
    Ok(array.cast_into::<PyArray<T, D>>()?.try_readonly()?)
}

/// An array of whatever dtype.
pub(crate) fn untyped<'a, 'py>(value: &'a Bound<'py, PyAny>, name: &str) -> PyResult<&'a Bound<'py, PyUntypedArray>> {
    value.cast::<PyUntypedArray>().map_err(|_| {
        let kind = value.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{name} is a {kind}, expected a NumPy array"))
    })
}

/// A shape as NumPy writes it.
pub(crate) fn shape_of(sides: &[usize]) -> String {
    let sides: Vec<String> = sides.iter().map(ToString::to_string).collect();
    if let [side] = &sides[..] { format!("({side},)") } else { format!("({})", sides.join(", ")) }
}

/// A Python int that is at least `least`.
pub(crate) fn count(name: &str, value: &Bound<'_, PyAny>, least: usize) -> PyResult<usize> {
    let py = value.py();
    match value.extract::<usize>() {
        Ok(number) if number >= least => Ok(number),
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            Err(PyTypeError::new_err(format!("{name} must be a whole number, got {}", repr(value))))
        }
        _ => Err(PyValueError::new_err(format!("{name} is {}, expected at least {least}", repr(value)))),
    }
}

/// A number of threads.
pub(crate) fn thread_count(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    match count("threads", value, 1) {
        Ok(number) if number <= MOST_THREADS => Ok(number),
        Err(error) if error.is_instance_of::<PyTypeError>(value.py()) => Err(error),
        _ => Err(PyValueError::new_err(format!("threads is {}, expected 1 to {MOST_THREADS}", repr(value)))),
    }
}

/// A Python iterable of at most `most` such ints; `name` names a single one.
pub(crate) fn counts(name: &str, values: &Bound<'_, PyAny>, least: usize, most: usize) -> PyResult<Vec<usize>> {
    several(name, "whole numbers", values, most, |number| count(name, number, least))
}

/// A Python bool.
pub(crate) fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let wrong_kind = |_| PyTypeError::new_err(format!("{name} must be True or False, got {}", repr(value)));
    value.extract().map_err(wrong_kind)
}

/// Height and width of an image.
pub(crate) fn size(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Size> {
    let expected = || format!("{name} must be (height, width) in whole pixels, got {}", repr(value));
    match value.extract::<[usize; 2]>() {
        Ok([height, width]) => Ok(Size { height, width }),
        Err(error) if error.is_instance_of::<PyTypeError>(value.py()) => Err(PyTypeError::new_err(expected())),
        Err(_) => Err(PyValueError::new_err(expected())),
    }
}

/// A Python iterable of at most `most` such sizes; `name` names a single one.
pub(crate) fn sizes(name: &str, values: &Bound<'_, PyAny>, most: usize) -> PyResult<Vec<Size>> {
    several(name, "(height, width) of each image", values, most, |value| size(name, value))
}

/// A Python number, rounded to `f32`.
#[expect(clippy::cast_possible_truncation, reason = "thresholds and scales are compared in f32")]
pub(crate) fn number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<f32> {
    match value.extract::<f64>() {
        Ok(number) => Ok(number as f32),
        Err(error) if error.is_instance_of::<PyTypeError>(value.py()) => {
            Err(PyTypeError::new_err(format!("{name} must be a number, got {}", repr(value))))
        }
        Err(_) => Err(PyValueError::new_err(format!("{name} is too large a number"))),
    }
}

/// A Python iterable of at most `most` such numbers; `name` names a single one.
pub(crate) fn numbers(name: &str, values: &Bound<'_, PyAny>, most: usize) -> PyResult<Vec<f32>> {
    several(name, "numbers", values, most, |value| number(name, value))
}

/// Converts what an iterable gives, unless that is too much: it may never end.
fn several<T>(
    name: &str,
    kind: &str,
    values: &Bound<'_, PyAny>,
    most: usize,
    convert: impl Fn(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    let wrong_kind = |_| PyTypeError::new_err(format!("{name}s must be {kind}, got {}", repr(values)));
    let mut converted = Vec::new();
    for value in values.try_iter().map_err(wrong_kind)? {
        if converted.len() == most {
            return Err(PyValueError::new_err(format!("got more than {most} {name}s")));
        }
        converted.push(convert(&value?)?);
    }
    Ok(converted)
}

pub(crate) fn repr(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "something without a repr".to_owned(), |repr| repr.to_string())
}
