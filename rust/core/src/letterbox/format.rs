//! What networks take: in which order, and which number stands for a byte.

use half::f16;

use super::fetch::{LINE, fetch_ahead};
use super::{CHANNELS, PADDING, Size};
use crate::level::by_level;
use crate::{Error, Level, memory};

/// Bytes that are widened before the next lines are asked for.
const BLOCK: usize = 64;

mod private {
    #[cfg(target_arch = "x86_64")]
    use super::super::store::Store;

    #[cfg(not(target_arch = "x86_64"))]
    pub trait Store {}

    #[cfg(not(target_arch = "x86_64"))]
    impl<T> Store for T {}

    pub trait Sealed: Copy + Store {
        /// The number of the same value.
        fn of(byte: u8) -> Self;
    }

    pub trait Rounded {
        fn rounded(value: f32) -> Self;
    }
}

/// A number that networks take: `f32`, `f16` or `u8`.
pub trait Sample: private::Sealed + Send + Sync {}

/// A number that normalised values are rounded to: `f32` or `f16`.
pub trait Float: Sample + private::Rounded {}

impl Sample for f32 {}
impl Sample for f16 {}
impl Sample for u8 {}
impl Float for f32 {}
impl Float for f16 {}

impl private::Sealed for f32 {
    #[inline(always)]
    fn of(byte: u8) -> Self {
        Self::from(byte)
    }
}

impl private::Sealed for f16 {
    /// The mantissa of the `f32`, cut, which loses nothing of a byte; its exponent is 112 too high.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "16 bits")]
    fn of(byte: u8) -> Self {
        let bits = (f32::from(byte).to_bits() >> 13).saturating_sub(112 << 10);
        Self::from_bits(bits as u16)
    }
}

impl private::Sealed for u8 {
    #[inline(always)]
    fn of(byte: u8) -> Self {
        byte
    }
}

impl private::Rounded for f32 {
    fn rounded(value: f32) -> Self {
        value
    }
}

impl private::Rounded for f16 {
    fn rounded(value: f32) -> Self {
        Self::from_f32(value)
    }
}

/// How an input lies in memory, and what its numbers mean.
#[derive(Clone, Debug)]
pub struct Format<T> {
    layout: Layout<T>,
    reversed: bool,
}

#[derive(Clone, Debug)]
enum Layout<T> {
    Planes,
    /// Planes of other numbers: for each plane, the number that stands for each byte.
    Tables(Box<[[T; 256]; CHANNELS]>),
    Interleaved,
}

impl<T> Format<T> {
    /// A plane for each channel: (3, height, width). Numbers are 0 to 255. Channels are in the order of the image's, or
    /// `reversed`.
    #[must_use]
    pub fn planes(reversed: bool) -> Self {
        Self { layout: Layout::Planes, reversed }
    }

    /// Pixels as images have them: (height, width, 3).
    #[must_use]
    pub fn interleaved(reversed: bool) -> Self {
        Self { layout: Layout::Interleaved, reversed }
    }

    /// The rows of an input of that size.
    pub(super) fn rows<'a>(&self, out: &'a mut [T], Size { height, width }: Size) -> Result<Vec<Row<'a, T>>, Error> {
        if let Layout::Interleaved = self.layout {
            return memory::try_collect(out.chunks_exact_mut(CHANNELS * width).map(Row::Interleaved));
        }
        let (first, others) = out.split_at_mut(height * width);
        let (second, third) = others.split_at_mut(height * width);
        let [first, second, third] = [first, second, third].map(|plane| plane.chunks_exact_mut(width));
        let rows = first.zip(second).zip(third).map(|((first, second), third)| Row::Planes([first, second, third]));
        memory::try_collect(rows)
    }
}

impl<T: Float> Format<T> {
    /// Planes normalised as the weights of YOLOX 0.1.0 and before want them (`yolox/data/data_augment.py`,
    /// `ValTransform` with `legacy`), in the order red, green, blue; the image's channels are in that order
    /// or `reversed`.
    #[must_use]
    pub fn legacy(reversed: bool) -> Self {
        let tables = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]
            .map(|(mean, deviation)| std::array::from_fn(|byte| T::rounded(normalized(byte, mean, deviation))));
        Self { layout: Layout::Tables(Box::new(tables)), reversed }
    }
}

/// Rounds to `f32` after each step, as NumPy does.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as NumPy does")]
fn normalized(byte: usize, mean: f64, deviation: f64) -> f32 {
    let centered = (f64::from(byte as f32 / 255.0) - mean) as f32;
    (f64::from(centered) / deviation) as f32
}

/// One row of an input.
pub(super) enum Row<'a, T> {
    Planes([&'a mut [T]; CHANNELS]),
    Interleaved(&'a mut [T]),
}

impl<T: Sample> Format<T> {
    /// Writes pixels, one slice for each channel.
    pub(super) fn write(&self, level: Level, mut pixels: [&[u8]; CHANNELS], row: &mut Row<'_, T>) {
        if self.reversed {
            pixels.reverse();
        }
        match row {
            Row::Interleaved(row) => interleave(level, pixels, row),
            Row::Planes(planes) => {
                for (plane, (samples, pixels)) in planes.iter_mut().zip(pixels).enumerate() {
                    match &self.layout {
                        Layout::Tables(tables) => look_up(&tables[plane], pixels, samples),
                        _ => widen(level, pixels, samples),
                    }
                }
            }
        }
    }

    /// The planes of a row, in the order of the image's channels, if its numbers are those of bytes.
    pub(super) fn plain<'a>(&self, row: &'a mut Row<'_, T>) -> Option<[&'a mut [T]; CHANNELS]> {
        let (Layout::Planes, Row::Planes(planes)) = (&self.layout, row) else { return None };
        let [first, second, third] = planes.each_mut().map(|plane| &mut **plane);
        Some(if self.reversed { [third, second, first] } else { [first, second, third] })
    }

    /// Writes the border from the column of that number on.
    pub(super) fn pad(&self, column: usize, row: &mut Row<'_, T>) {
        match row {
            Row::Interleaved(row) => row[CHANNELS * column..].fill(T::of(PADDING)),
            Row::Planes(planes) => {
                for (plane, samples) in planes.iter_mut().enumerate() {
                    samples[column..].fill(match &self.layout {
                        Layout::Tables(tables) => tables[plane][usize::from(PADDING)],
                        _ => T::of(PADDING),
                    });
                }
            }
        }
    }
}

fn look_up<T: Copy>(table: &[T; 256], bytes: &[u8], samples: &mut [T]) {
    for (sample, byte) in samples.iter_mut().zip(bytes) {
        *sample = table[usize::from(*byte)];
    }
}

by_level! {
    /// The numbers of these bytes.
    fn widen<T: Sample>(bytes: &[u8], samples: &mut [T]) = widen_body
}

#[inline(always)]
fn widen_body<T: Sample>(bytes: &[u8], samples: &mut [T]) {
    let (byte_blocks, last_bytes) = bytes.as_chunks::<BLOCK>();
    let (blocks, last) = samples[..bytes.len()].as_chunks_mut::<BLOCK>();
    for (bytes, samples) in byte_blocks.iter().zip(blocks) {
        for line in samples.chunks(LINE / size_of::<T>()) {
            fetch_ahead(line.as_ptr());
        }
        widen_each(bytes, samples);
    }
    widen_each(last_bytes, last);
}

#[inline(always)]
fn widen_each<T: Sample>(bytes: &[u8], samples: &mut [T]) {
    for (sample, byte) in samples.iter_mut().zip(bytes) {
        *sample = T::of(*byte);
    }
}

by_level! {
    /// The numbers of these channels, pixel by pixel.
    fn interleave<T: Sample>(channels: [&[u8]; CHANNELS], samples: &mut [T]) = interleave_body
}

#[inline(always)]
fn interleave_body<T: Sample>([first, second, third]: [&[u8]; CHANNELS], samples: &mut [T]) {
    let (pixels, _) = samples.as_chunks_mut::<CHANNELS>();
    for (((pixel, first), second), third) in pixels.iter_mut().zip(first).zip(second).zip(third) {
        *pixel = [*first, *second, *third].map(T::of);
    }
}

#[cfg(test)]
mod tests {
    use super::private::Sealed;
    use super::*;

    #[test]
    fn every_byte_is_widened_exactly() {
        for byte in 0..=u8::MAX {
            assert_eq!(<f32 as Sealed>::of(byte).to_bits(), f32::from(byte).to_bits());
            assert_eq!(<f16 as Sealed>::of(byte), f16::from_f32(f32::from(byte)));
        }
    }
}
