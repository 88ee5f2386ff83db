//! The extension module `yoloxfast._core`: borrows NumPy arrays, releases the GIL, calls `yoloxfast-core`, hands arrays
//! back. What its functions promise stands in `python/yoloxfast/_core.pyi`.

#![deny(unsafe_code)]

mod arguments;
mod error;
mod nms;
mod postprocess;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::nms::nms;
    #[pymodule_export]
    use crate::postprocess::PostProcessor;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
