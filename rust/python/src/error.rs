use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::Error;

/// A broken precondition of the core is a bad value in Python.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err takes")]
pub(crate) fn to_py(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
