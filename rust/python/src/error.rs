//! Errors of the core as Python exceptions.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use yoloxfast_core::Error;

pyo3::import_exception!(yoloxfast.errors, ModelError);

/// A broken precondition of the core is a bad value in Python; scores without a sigmoid are a model's fault.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err takes")]
pub(crate) fn to_py(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::ScoreAboveLimit { .. } => ModelError::new_err(message),
        _ => PyValueError::new_err(message),
    }
}
