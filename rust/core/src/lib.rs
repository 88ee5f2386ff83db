//! What surrounds a YOLOX network on the host: from an image to its input, and from its raw output to detections.
//!
//! [`Plan`] is how images of one size are fitted into an input, which is called letterbox. [`PostProcessor`] holds the
//! [`Grid`] of one model and turns each [`RawOutput`] into [`Detections`]; [`nms()`] is its last step by itself. No Python,
//! no I/O and no panic: broken preconditions are an [`Error`], and so is memory that the system refuses.

#![cfg_attr(not(test), deny(clippy::disallowed_macros, clippy::disallowed_methods))]

mod candidates;
mod decode;
mod detections;
mod error;
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

pub use candidates::SCORE_LIMIT;
pub use detections::Detections;
pub use error::Error;
pub use grid::{Anchor, Grid, MAX_STRIDES};
pub use letterbox::{Fit, Float, Format, Job, MAX_SIDE, PADDING, Plan, Sample, Size};
pub use level::Level;
pub use memory::try_collect;
pub use nms::nms;
pub use options::{MAX_CLASSES, Options};
pub use postprocess::PostProcessor;
pub use raw::{BOX_COLUMNS, Element, RawOutput};
