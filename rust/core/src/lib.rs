//! What surrounds a YOLOX network on the host: from an image to its input, and from its raw output to detections.
//!
//! [`Plan`] is how images of one size are fitted into an input, which is called letterbox. [`PostProcessor`] holds the
//! [`Grid`] of one model and turns each [`RawOutput`] into [`Detections`], with the [`Semantics`] of one of YOLOX's programs; [`nms()`] is its last step by itself. No Python,
//! no I/O and no panic: broken preconditions are an [`Error`], and so is memory that the system refuses.

#![cfg_attr(not(test), deny(clippy::disallowed_macros, clippy::disallowed_methods))]

mod candidates;
mod decode;
mod detections;
mod element;
mod error;
mod exponential;
mod form;
mod grid;
mod letterbox;
mod level;
mod memory;
mod nms;
mod options;
mod parallel;
mod pool;
mod postprocess;
mod raw;
mod semantics;

pub use candidates::{LOG_SIZE_LIMIT, SCORE_LIMIT};
pub use detections::Detections;
pub use element::Element;
pub use error::Error;
pub use form::Form;
pub use grid::{Anchor, Grid, MAX_STRIDES};
pub use letterbox::{Fitting, Float, Format, Job, MAX_SIDE, PADDING, Plan, Sample, Size};
pub use level::Level;
pub use memory::try_collect;
pub use nms::nms;
pub use options::{MAX_CLASSES, Options};
pub use postprocess::{Fit, PostProcessor};
pub use raw::{BOX_COLUMNS, LABELLED_COLUMNS, Part, Planes, RawOutput, Rows};
pub use semantics::Semantics;
