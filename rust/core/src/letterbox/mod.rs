//! From an image to the input of a network: resized as OpenCV does it, in the top left corner, the rest grey.
//!
//! ```text
//! for each row of the target:
//!     sample it from the rows of the source: copied, halved or blended, as bytes, one row for each channel
//!     write these as the numbers that the network takes, and the border beside them unless it is there already
//! ```
//!
//! All of that happens in the nearest cache, or, with AVX-512, in registers; what is read and written beyond is the image
//! and the input, once.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod exact;
mod fetch;
mod format;
mod grey;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod groups;
#[cfg(target_arch = "aarch64")]
mod neon;
mod resize;
mod sample;
mod sampling;
#[cfg(target_arch = "x86_64")]
mod store;
mod taps;

use crate::parallel::for_each;
use crate::{Error, Level, memory};
use format::Row;
use sampling::{Sampler, Sampling};

pub use format::Format;
pub use sample::{Float, Sample};

/// Grey level of the border.
pub const PADDING: u8 = 114;

/// Largest height or width of an image or an input.
pub const MAX_SIDE: usize = 1 << 20;

const CHANNELS: usize = 3;

/// Parts for each thread: threads that are slower take fewer.
const PARTS: usize = 4;

/// What is to be fitted into what, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// The size of the images.
    pub source: Size,
    /// The size of the inputs.
    pub target: Size,
    /// Whether inputs have one channel, grey, instead of three.
    pub grey: bool,
    /// Whether the scale, and the size that follows from it, is computed in `f32`, as YOLOX's demos in C++ do it
    /// (`demo/TensorRT/cpp/yolox.cpp`).
    pub single_precision: bool,
}

/// How images of one size become inputs of one size.
#[derive(Debug)]
pub struct Plan {
    fitting: Fitting,
    resized: Size,
    scale: f64,
    sampling: Sampling,
    level: Level,
}

/// Height and width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    fn check(self, name: &'static str) -> Result<(), Error> {
        let Self { height, width } = self;
        let side = 1..=MAX_SIDE;
        if side.contains(&height) && side.contains(&width) {
            return Ok(());
        }
        Err(Error::Side { name, height, width, most: MAX_SIDE })
    }
}

impl Plan {
    /// Prepares for images of one size and inputs of another, in colour: the largest that fits, with the same aspect
    /// ratio, at least one pixel high and wide.
    ///
    /// # Errors
    /// A side of 0, or too large; too little memory.
    pub fn new(source: Size, target: Size, level: Level) -> Result<Self, Error> {
        Self::of(Fitting { source, target, grey: false, single_precision: false }, level)
    }

    /// Prepares for such images and inputs.
    ///
    /// # Errors
    /// As of `new`.
    #[expect(clippy::cast_precision_loss, reason = "sides are below 2^21")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounding down, as YOLOX does")]
    pub fn of(fitting: Fitting, level: Level) -> Result<Self, Error> {
        let Fitting { source, target, grey, single_precision } = fitting;
        source.check("image")?;
        target.check("input")?;
        let ratio = |target: usize, source: usize| target as f64 / source as f64;
        let exact = ratio(target.height, source.height).min(ratio(target.width, source.width));
        let scale = if single_precision { f64::from(exact as f32) } else { exact };
        let scaled = |side: usize| {
            if single_precision { (side as f32 * scale as f32) as usize } else { (side as f64 * scale) as usize }
        };
        let resized = |side: usize| scaled(side).max(1);
        let resized = Size { height: resized(source.height), width: resized(source.width) };
        Ok(Self { fitting, resized, scale, sampling: Sampling::new(source, resized, grey, level)?, level })
    }

    /// What it was made for.
    #[must_use]
    pub fn fitting(&self) -> Fitting {
        self.fitting
    }

    /// Network pixels per image pixel.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The part of the input that the image covers.
    #[must_use]
    pub fn resized(&self) -> Size {
        self.resized
    }

    /// Writes the letterbox of an image, one slice for each row, into `out`.
    ///
    /// # Errors
    /// An image or an output of another size; too little memory.
    pub fn fill<T: Sample>(&self, image: &[&[u8]], out: &mut [T], format: &Format<T>) -> Result<(), Error> {
        Self::fill_batch([Job { plan: self, image, out, border: true }].into(), format, 1)
    }

    /// Writes the letterboxes of all images, on up to `threads` threads.
    ///
    /// # Errors
    /// An image or an output of another size: then nothing is written. Too little memory.
    pub fn fill_batch<T: Sample>(jobs: Vec<Job<'_, T>>, format: &Format<T>, threads: usize) -> Result<(), Error> {
        jobs.iter().try_for_each(Job::check)?;
        let parts = if threads > 1 { PARTS.saturating_mul(threads).div_ceil(jobs.len().max(1)) } else { 1 };
        let mut tasks = Vec::new();
        for job in jobs {
            job.split(parts, format, &mut tasks)?;
        }
        for_each(tasks.into_iter(), threads, |part| part.fill(format))
    }
}

/// An image, and where its letterbox is to be written.
#[derive(Debug)]
pub struct Job<'a, T> {
    /// How.
    pub plan: &'a Plan,
    /// Three bytes for each pixel.
    pub image: &'a [&'a [u8]],
    /// A network's input.
    pub out: &'a mut [T],
    /// Whether the border is to be written, which an input that is used again has from an image of the same size.
    pub border: bool,
}

impl<'a, T> Job<'a, T> {
    fn check(&self) -> Result<(), Error> {
        let Fitting { source: Size { height, width }, target, grey, .. } = self.plan.fitting;
        let channels = if grey { 1 } else { CHANNELS };
        if self.image.len() != height || self.image.iter().any(|row| row.len() != CHANNELS * width) {
            return Err(Error::OtherImage { height, width });
        }
        match (self.out.len(), channels * target.height * target.width) {
            (actual, expected) if actual == expected => Ok(()),
            (actual, expected) => Err(Error::OutLength { actual, expected }),
        }
    }

    /// Splits it into at most `parts` parts, and appends them to `tasks`.
    fn split(self, parts: usize, format: &Format<T>, tasks: &mut Vec<Part<'a, T>>) -> Result<(), Error> {
        let Self { plan, image, out, border } = self;
        let target = plan.fitting.target;
        let height = target.height.div_ceil(parts);
        let mut rows = format.rows(out, &plan.fitting)?.into_iter();
        for first in (0..target.height).step_by(height) {
            let rows = memory::try_collect(rows.by_ref().take(height))?;
            memory::push(tasks, Part { plan, image, border, first, rows })?;
        }
        Ok(())
    }
}

/// Rows of an input, one below the other.
struct Part<'a, T> {
    plan: &'a Plan,
    image: &'a [&'a [u8]],
    border: bool,
    first: usize,
    rows: Vec<Row<'a, T>>,
}

impl<T: Sample> Part<'_, T> {
    fn fill(self, format: &Format<T>) -> Result<(), Error> {
        let Plan { resized, level, .. } = self.plan;
        let mut sampler = Sampler::new(self.plan, self.image, format.reversed())?;
        for (number, mut row) in (self.first..).zip(self.rows) {
            if number < resized.height {
                let written = format.plain(&mut row).is_some_and(|planes| sampler.write(number, planes));
                if !written {
                    format.write(*level, sampler.row(number), &mut row);
                }
            }
            if self.border {
                format.pad(if number < resized.height { resized.width } else { 0 }, &mut row);
            }
        }
        Ok(())
    }
}
