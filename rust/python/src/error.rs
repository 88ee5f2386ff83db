//! Errors of the core as Python exceptions, and its calls without the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use yoloxfast_core::Error;

pyo3::import_exception!(yoloxfast.errors, EngineError);
pyo3::import_exception!(yoloxfast.errors, ModelError);

/// Calls the core while other threads run Python.
///
/// A panic would be a fault of the core. It becomes a `RuntimeError`: PyO3's `PanicException` is a `BaseException`, which
/// ends programs that catch every `Exception`.
pub(crate) fn call<R: Send>(py: Python<'_>, core: impl FnOnce() -> Result<R, Error> + Send) -> PyResult<R> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(core))) {
        Ok(result) => result.map_err(to_py),
        Err(_) => {
            Err(PyRuntimeError::new_err("yoloxfast failed in its core, which is a fault of it: please report it"))
        }
    }
}

/// A broken precondition of the core is a bad value in Python; what no YOLOX puts out is a model's fault.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err takes")]
pub(crate) fn to_py(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Memory { .. } => PyMemoryError::new_err(message),
        Error::NeverFinite => EngineError::new_err(message),
        Error::ScoreAboveLimit { .. } | Error::Decoded(_) | Error::Label { .. } => ModelError::new_err(message),
        _ => PyValueError::new_err(message),
    }
}
