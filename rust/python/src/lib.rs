//! The extension module `yoloxfast._core`: borrows NumPy arrays, releases the GIL, calls `yoloxfast-core`, hands arrays
//! back. What its functions promise stands with those that call them, in the Python modules of the same name.

#![deny(unsafe_code)]

mod arguments;
mod error;
mod letterbox;
mod level;
mod nms;
mod postprocess;
mod raw;
mod statistics;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::letterbox::{PixelFormat, Plans, letterbox};
    #[pymodule_export]
    use crate::nms::nms;
    #[pymodule_export]
    use crate::postprocess::{Options, PostProcessor, count_anchors};
    #[pymodule_export]
    use crate::statistics::Times;
    use crate::{error::to_py, level};
    use pyo3::prelude::*;
    use yoloxfast_core::Semantics;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("LEVEL", level::choose().map_err(to_py)?.name())?;
        module.add("MAX_SIDE", yoloxfast_core::MAX_SIDE)?;
        module.add("MAX_STRIDES", yoloxfast_core::MAX_STRIDES)?;
        module.add("PADDING", yoloxfast_core::PADDING)?;
        module.add("MAX_CLASSES", yoloxfast_core::MAX_CLASSES)?;
        module.add("BOX_COLUMNS", yoloxfast_core::BOX_COLUMNS)?;
        module.add("LOG_SIZE_LIMIT", yoloxfast_core::LOG_SIZE_LIMIT)?;
        module.add("SCORE_LIMIT", yoloxfast_core::SCORE_LIMIT)?;
        module.add("SEMANTICS", Semantics::ALL.map(Semantics::name))
    }
}
