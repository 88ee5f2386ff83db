//! From an image to the input of a network: resized as OpenCV does it, in the top left corner, the rest grey.
//!
//! ```text
//! for each row of the target:
//!     resize the two rows of the source that it is made of, unless they still are from the row before
//!     blend them into bytes, one row for each channel
//!     widen these into the planes of the network's input
//! ```
//!
//! All of that happens in the nearest cache; what is read and written beyond it is the image and the input, once.

mod resize;
mod sample;
mod taps;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Error, Level};
use resize::{Columns, blend};
use sample::{padding, widen};
use taps::Tap;

pub use sample::Sample;

/// Grey level of the border.
pub const PADDING: u8 = 114;

/// Largest height or width of an image or an input.
const MAX_SIDE: usize = 1 << 20;

const CHANNELS: usize = 3;

/// How images of one size become inputs of one size.
#[derive(Debug)]
pub struct Letterbox {
    source: Size,
    target: Size,
    resized: Size,
    scale: f64,
    columns: Columns,
    rows: Vec<Tap>,
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

impl Letterbox {
    /// Prepares for images of one size and inputs of another: the largest that fits, with the same aspect ratio, at
    /// least one pixel high and wide.
    ///
    /// # Errors
    /// A side of 0, or too large.
    #[expect(clippy::cast_precision_loss, reason = "sides are below 2^21")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounding down, as YOLOX does")]
    pub fn new(source: Size, target: Size, level: Level) -> Result<Self, Error> {
        source.check("image")?;
        target.check("input")?;
        let ratio = |target: usize, source: usize| target as f64 / source as f64;
        let scale = ratio(target.height, source.height).min(ratio(target.width, source.width));
        let resized = |side: usize| ((side as f64 * scale) as usize).max(1);
        let resized = Size { height: resized(source.height), width: resized(source.width) };
        let columns = Columns::new(taps::of_columns(source.width, resized.width), source.width);
        let rows = taps::of_rows(source.height, resized.height);
        Ok(Self { source, target, resized, scale, columns, rows, level })
    }

    /// Network pixels per image pixel.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The size of the images.
    #[must_use]
    pub fn source(&self) -> Size {
        self.source
    }

    /// The size of the inputs.
    #[must_use]
    pub fn target(&self) -> Size {
        self.target
    }

    /// The part of the input that the image covers.
    #[must_use]
    pub fn resized(&self) -> Size {
        self.resized
    }

    /// Writes an image, one slice for each row, into its part of `out`: three planes, in the order of its channels.
    ///
    /// # Errors
    /// An image or an output of another size.
    pub fn fill<T: Sample>(&self, image: &[&[u8]], out: &mut [T]) -> Result<(), Error> {
        self.check_image(image)?;
        let mut planes = self.planes(out)?;
        let mut resized = [self.columns.scratch(), self.columns.scratch()];
        let mut held = [None; 2];
        let mut channels: [Vec<u8>; CHANNELS] = std::array::from_fn(|_| vec![0; resized[0].len()]);
        for (row, Tap { sources, weights }) in self.rows.iter().enumerate() {
            if held[1] == Some(sources[0]) {
                resized.swap(0, 1);
                held.swap(0, 1);
            }
            for ((resized, held), source) in resized.iter_mut().zip(&mut held).zip(sources) {
                if *held != Some(*source) {
                    self.columns.resize(self.level, image[*source], resized);
                    *held = Some(*source);
                }
            }
            let bytes = channels.each_mut().map(Vec::as_mut_slice);
            blend(self.level, resized.each_ref().map(Vec::as_slice), *weights, bytes);
            for (plane, bytes) in planes.iter_mut().zip(&channels) {
                let samples = &mut plane[row * self.target.width..][..self.resized.width];
                widen(self.level, &bytes[..self.resized.width], samples);
            }
        }
        Ok(())
    }

    /// Writes the border into `out`: what the image does not cover.
    ///
    /// # Errors
    /// An output of another size.
    pub fn pad<T: Sample>(&self, out: &mut [T]) -> Result<(), Error> {
        for plane in self.planes(out)? {
            let (beside, below) = plane.split_at_mut(self.resized.height * self.target.width);
            beside.chunks_exact_mut(self.target.width).for_each(|row| row[self.resized.width..].fill(padding()));
            below.fill(padding());
        }
        Ok(())
    }

    fn planes<'a, T>(&self, out: &'a mut [T]) -> Result<[&'a mut [T]; CHANNELS], Error> {
        let area = self.target.height * self.target.width;
        let (actual, expected) = (out.len(), CHANNELS * area);
        let mut planes = out.chunks_exact_mut(area);
        match (planes.next(), planes.next(), planes.next()) {
            (Some(first), Some(second), Some(third)) if actual == expected => Ok([first, second, third]),
            _ => Err(Error::OutLength { actual, expected }),
        }
    }

    fn check_image(&self, image: &[&[u8]]) -> Result<(), Error> {
        let Size { height, width } = self.source;
        if image.len() == height && image.iter().all(|row| row.len() == CHANNELS * width) {
            return Ok(());
        }
        Err(Error::OtherImage { height, width })
    }
}
