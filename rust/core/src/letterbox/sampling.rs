//! From the rows of an image to a row of the resized one.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::exact::{halve, split};
use super::grey::{WEIGHTS, make_grey};
use super::resize::{Columns, blend};
use super::sample::Sample;
use super::taps::{self, Tap};
use super::{CHANNELS, Plan, Size};
use crate::{Error, Level, memory};

/// Images that are enlarged by more are faster if their resized rows are kept: 100x75 to 640x480 takes 0.9 of the time.
#[cfg(target_arch = "x86_64")]
const MOST_ENLARGED: usize = 2;

/// How images of one size become images of another.
#[derive(Clone, Debug)]
pub(super) enum Sampling {
    Copy,
    Halve,
    /// Rows of the image are resized and kept, and blended.
    Blend {
        columns: Columns,
        rows: Vec<Tap>,
    },
    /// All of that at once, but rows are not kept, nor made grey.
    #[cfg(target_arch = "x86_64")]
    AtOnce {
        columns: avx512::Columns,
        rows: Vec<Tap>,
    },
}

/// One row for each channel.
type Channels<T> = [Vec<T>; CHANNELS];

fn channels<T: Copy + Default>(width: usize) -> Result<Channels<T>, Error> {
    let channel = || memory::filled(T::default(), width);
    Ok([channel()?, channel()?, channel()?])
}

fn slices<T>(channels: &mut Channels<T>) -> [&mut [T]; CHANNELS] {
    channels.each_mut().map(Vec::as_mut_slice)
}

impl Sampling {
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "all rows may be made grey"))]
    pub(super) fn new(source: Size, resized: Size, grey: bool, level: Level) -> Result<Self, Error> {
        if source == resized {
            return Ok(Self::Copy);
        }
        let columns = taps::of_columns(source.width, resized.width)?;
        let rows = taps::of_rows(source.height, resized.height)?;
        #[cfg(target_arch = "x86_64")]
        if !grey
            && MOST_ENLARGED * source.height >= resized.height
            && let Some(columns) = avx512::Columns::new(&columns, CHANNELS * source.width, level)?
        {
            return Ok(Self::AtOnce { columns, rows });
        }
        if source == (Size { height: 2 * resized.height, width: 2 * resized.width }) {
            return Ok(Self::Halve);
        }
        Ok(Self::Blend { columns: Columns::new(columns, source.width, level)?, rows })
    }
}

/// Makes rows of a resized image, best from top to bottom.
pub(super) struct Sampler<'a> {
    sampling: &'a Sampling,
    level: Level,
    image: &'a [&'a [u8]],
    /// Weights of the channels in the first one, which is all that is made then.
    grey: Option<[u32; CHANNELS]>,
    /// The row that was made.
    bytes: Channels<u8>,
    /// To halve: two rows of the image. To blend in grey: one.
    wide: [Channels<u8>; 2],
    /// To blend: the last two rows of the image that were resized, and which they are.
    resized: [Channels<i16>; 2],
    held: [Option<usize>; 2],
}

impl<'a> Sampler<'a> {
    /// For an image whose channels are blue, green and red, or `reversed`.
    pub(super) fn new(plan: &'a Plan, image: &'a [&'a [u8]], reversed: bool) -> Result<Self, Error> {
        let Plan { fitting, sampling, level, resized: Size { width, .. }, .. } = plan;
        let grey = fitting.grey.then_some(if reversed { [WEIGHTS[2], WEIGHTS[1], WEIGHTS[0]] } else { WEIGHTS });
        let (wide, narrow) = match sampling {
            Sampling::Copy => (0, 0),
            Sampling::Halve => (2 * width, 0),
            Sampling::Blend { .. } => (if fitting.grey { fitting.source.width } else { 0 }, *width),
            #[cfg(target_arch = "x86_64")]
            Sampling::AtOnce { .. } => (0, 0),
        };
        Ok(Self {
            sampling,
            level: *level,
            image,
            grey,
            bytes: channels(*width)?,
            wide: [channels(wide)?, channels(wide)?],
            resized: [channels(narrow)?, channels(narrow)?],
            held: [None; 2],
        })
    }

    /// The row of that number, one slice for each channel; if it is grey, only the first one counts.
    pub(super) fn row(&mut self, row: usize) -> [&[u8]; CHANNELS] {
        match self.sampling {
            Sampling::Copy => split_or_grey(self.level, self.grey, self.image[row], &mut self.bytes),
            Sampling::Halve => self.halve(row),
            Sampling::Blend { columns, rows } => self.blend(columns, rows[row]),
            #[cfg(target_arch = "x86_64")]
            Sampling::AtOnce { columns, rows } => sample(columns, self.image, &rows[row..], slices(&mut self.bytes)),
        }
        self.bytes.each_ref().map(Vec::as_slice)
    }

    /// Writes the row of that number into planes, unless it has to be made of bytes first.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_variables, clippy::needless_pass_by_value, reason = "all rows are made of bytes")
    )]
    pub(super) fn write<T: Sample>(&self, row: usize, planes: [&mut [T]; CHANNELS]) -> bool {
        match self.sampling {
            #[cfg(target_arch = "x86_64")]
            Sampling::AtOnce { columns, rows } => {
                sample(columns, self.image, &rows[row..], planes);
                true
            }
            _ => false,
        }
    }

    fn halve(&mut self, row: usize) {
        for (wide, source) in self.wide.iter_mut().zip(&self.image[2 * row..]) {
            split_or_grey(self.level, self.grey, source, wide);
        }
        let [upper, lower] = &self.wide;
        for ((bytes, upper), lower) in self.bytes.iter_mut().zip(upper).zip(lower) {
            halve(self.level, [upper, lower], bytes);
        }
    }

    fn blend(&mut self, columns: &Columns, Tap { sources: [first, second], weights }: Tap) {
        let places = [self.hold(columns, first, second), self.hold(columns, second, first)];
        let channels = if self.grey.is_some() { 1 } else { CHANNELS };
        for (channel, bytes) in self.bytes.iter_mut().enumerate().take(channels) {
            blend(self.level, places.map(|place| self.resized[place][channel].as_slice()), weights, bytes);
        }
    }

    /// Where a row of the image lies resized: where it did already, or else where the `other` one does not.
    fn hold(&mut self, columns: &Columns, source: usize, other: usize) -> usize {
        if let Some(place) = self.held.iter().position(|held| *held == Some(source)) {
            return place;
        }
        let place = usize::from(self.held[0] == Some(other));
        if self.grey.is_some() {
            split_or_grey(self.level, self.grey, self.image[source], &mut self.wide[0]);
            columns.resize_channel(&self.wide[0][0], &mut self.resized[place][0]);
        } else {
            columns.resize(self.image[source], slices(&mut self.resized[place]));
        }
        self.held[place] = Some(source);
        place
    }
}

/// Copies a row of pixels, each channel to a row of its own, of which the first one is made grey if there are weights.
fn split_or_grey(level: Level, grey: Option<[u32; CHANNELS]>, row: &[u8], channels: &mut Channels<u8>) {
    split(level, row, slices(channels));
    if let Some(weights) = grey {
        make_grey(level, weights, slices(channels));
    }
}

/// Makes the first of these rows, while the next one is fetched.
#[cfg(target_arch = "x86_64")]
fn sample<T: Sample>(columns: &avx512::Columns, image: &[&[u8]], taps: &[Tap], channels: [&mut [T]; CHANNELS]) {
    let (tap, next) = (taps[0], taps.get(1).unwrap_or(&taps[0]));
    let [first, second] = next.sources.map(|source| if tap.sources.contains(&source) { &[] } else { image[source] });
    let ahead = if next.sources[0] == next.sources[1] { [first, &[]] } else { [first, second] };
    let rows = avx512::Rows { now: tap.sources.map(|source| image[source]), ahead };
    columns.sample(rows, tap.weights, channels);
}
