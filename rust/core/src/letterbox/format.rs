//! How an input lies in memory, and what its numbers mean.

use super::fetch::{LINE, fetch_ahead};
use super::sample::{Float, Sample};
use super::{CHANNELS, Fitting, PADDING, Size};
use crate::level::by_level;
use crate::{Error, Level, memory};

/// Bytes that are widened before the next lines are asked for.
const BLOCK: usize = 64;

/// How an input lies in memory, and what its numbers mean.
#[derive(Clone, Debug)]
pub struct Format<T> {
    interleaved: bool,
    reversed: bool,
    /// For each channel of the input, the number that stands for each byte, unless it is the byte itself.
    tables: Option<Box<[[T; 256]; CHANNELS]>>,
}

impl<T> Format<T> {
    /// A plane for each channel: (3, height, width). Numbers are 0 to 255. Channels are in the order of the image's, or
    /// `reversed`.
    #[must_use]
    pub fn planes(reversed: bool) -> Self {
        Self { interleaved: false, reversed, tables: None }
    }

    /// Pixels as images have them: (height, width, 3).
    #[must_use]
    pub fn interleaved(reversed: bool) -> Self {
        Self { interleaved: true, reversed, tables: None }
    }

    /// The rows of an input.
    pub(super) fn rows<'a>(&self, out: &'a mut [T], fitting: &Fitting) -> Result<Vec<Row<'a, T>>, Error> {
        let Size { height, width } = fitting.target;
        if fitting.grey {
            return memory::try_collect(out.chunks_exact_mut(width).map(Row::Grey));
        }
        if self.interleaved {
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
    /// The same with other numbers: for each channel of the input those of all bytes, rounded. A grey input has those of
    /// the first.
    #[must_use]
    pub fn with_values(self, values: &[[f32; 256]; CHANNELS]) -> Self {
        Self { tables: Some(Box::new(values.map(|table| table.map(T::rounded)))), ..self }
    }
}

/// One row of an input.
pub(super) enum Row<'a, T> {
    Grey(&'a mut [T]),
    Planes([&'a mut [T]; CHANNELS]),
    Interleaved(&'a mut [T]),
}

impl<T: Sample> Format<T> {
    /// Whether channels are in the opposite order of the image's.
    pub(super) fn reversed(&self) -> bool {
        self.reversed
    }

    /// Writes pixels, one slice for each channel; of a grey row only the first one counts.
    pub(super) fn write(&self, level: Level, mut pixels: [&[u8]; CHANNELS], row: &mut Row<'_, T>) {
        let grey = pixels[0];
        if self.reversed {
            pixels.reverse();
        }
        match row {
            Row::Grey(samples) => self.write_plane(level, 0, grey, samples),
            Row::Planes(planes) => {
                for (channel, (samples, pixels)) in planes.iter_mut().zip(pixels).enumerate() {
                    self.write_plane(level, channel, pixels, samples);
                }
            }
            Row::Interleaved(samples) => self.write_interleaved(level, pixels, samples),
        }
    }

    #[inline(always)]
    fn write_plane(&self, level: Level, channel: usize, pixels: &[u8], samples: &mut [T]) {
        match &self.tables {
            Some(tables) => look_up(&tables[channel], pixels, samples.iter_mut()),
            None => widen(level, pixels, samples),
        }
    }

    fn write_interleaved(&self, level: Level, pixels: [&[u8]; CHANNELS], samples: &mut [T]) {
        let Some(tables) = &self.tables else { return interleave(level, pixels, samples) };
        for (channel, (table, pixels)) in tables.iter().zip(pixels).enumerate() {
            look_up(table, pixels, samples[channel..].iter_mut().step_by(CHANNELS));
        }
    }

    /// The planes of a row, in the order of the image's channels, if its numbers are those of bytes.
    pub(super) fn plain<'a>(&self, row: &'a mut Row<'_, T>) -> Option<[&'a mut [T]; CHANNELS]> {
        let (None, Row::Planes(planes)) = (&self.tables, row) else { return None };
        let [first, second, third] = planes.each_mut().map(|plane| &mut **plane);
        Some(if self.reversed { [third, second, first] } else { [first, second, third] })
    }

    /// Writes the border from the column of that number on.
    pub(super) fn pad(&self, column: usize, row: &mut Row<'_, T>) {
        let padding = match &self.tables {
            Some(tables) => tables.each_ref().map(|table| table[usize::from(PADDING)]),
            None => [T::of(PADDING); CHANNELS],
        };
        match row {
            Row::Grey(samples) => samples[column..].fill(padding[0]),
            Row::Planes(planes) => {
                for (samples, padding) in planes.iter_mut().zip(padding) {
                    samples[column..].fill(padding);
                }
            }
            Row::Interleaved(samples) => samples.as_chunks_mut::<CHANNELS>().0[column..].fill(padding),
        }
    }
}

fn look_up<'a, T: Copy + 'a>(table: &[T; 256], bytes: &[u8], samples: impl Iterator<Item = &'a mut T>) {
    for (sample, byte) in samples.zip(bytes) {
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
