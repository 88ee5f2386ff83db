//! Which source pixels a resized one is made of, and how much of each: OpenCV's `INTER_LINEAR` for bytes
//! (`modules/imgproc/src/resize.cpp`).
//!
//! ```text
//! f = (target + 0.5) * source_side / target_side - 0.5        s = floor(f)        f -= s
//! value = (1 - f) * pixel[s] + f * pixel[s + 1]
//! ```
//!
//! along each axis, `f` in `f32`, weights in units of 1/2048. Beyond the first and the last column the fraction is
//! dropped; beyond the first and the last row it is not: there a row is blended with itself, and loses by rounding.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sides are below 2^21")]
#![expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "sides are below 2^21")]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::CHANNELS;
use crate::{Error, memory};

/// A weight of 1.
const ONE: f32 = 2048.0;

/// Two columns or rows of the source, and their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) sources: [usize; 2],
    pub(super) weights: [i16; 2],
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Tap {
    /// Where the first of two columns begins in a row, in bytes; the second is its neighbour.
    pub(super) fn offset(&self) -> usize {
        CHANNELS * self.sources[0]
    }
}

/// Columns that vector code treats at once.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) const LANES: usize = 8;

/// The taps of as many columns, as vector code takes them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Where the two pixels of each column begin, in bytes.
    pub(super) offsets: [u32; LANES],
    pub(super) weights: [[i16; 2]; LANES],
}

/// One tap for each target column. Its two columns are neighbours, unless there is but one.
pub(super) fn of_columns(source: usize, target: usize) -> Result<Vec<Tap>, Error> {
    let last = source - 1;
    let tap = |column| {
        let (first, fraction) = position(column, source, target);
        match usize::try_from(first) {
            Err(_) => Tap { sources: [0, last.min(1)], weights: weights(0.0) },
            Ok(first) if first >= last => Tap { sources: [last.saturating_sub(1), last], weights: weights(1.0) },
            Ok(first) => Tap { sources: [first, first + 1], weights: weights(fraction) },
        }
    };
    memory::try_collect((0..target).map(tap))
}

/// One tap for each target row. Where one row has all the weight, the tap names it twice, so that no other is read.
pub(super) fn of_rows(source: usize, target: usize) -> Result<Vec<Tap>, Error> {
    let inside = |row: isize| row.clamp(0, source as isize - 1) as usize;
    let tap = |row| {
        let (first, fraction) = position(row, source, target);
        let (first, second, weights) = (inside(first), inside(first + 1), weights(fraction));
        match weights {
            [_, 0] => Tap { sources: [first; 2], weights },
            [0, _] => Tap { sources: [second; 2], weights },
            _ => Tap { sources: [first, second], weights },
        }
    };
    memory::try_collect((0..target).map(tap))
}

fn position(target: usize, source_side: usize, target_side: usize) -> (isize, f32) {
    let scale = 1.0 / (target_side as f64 / source_side as f64);
    let position = ((target as f64 + 0.5) * scale - 0.5) as f32;
    let first = position.floor();
    (first as isize, position - first)
}

fn weights(fraction: f32) -> [i16; 2] {
    [1.0 - fraction, fraction].map(|weight| (weight * ONE).round_ties_even() as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_the_mean_of_two() {
        let expected = [0, 2, 4].map(|first| Tap { sources: [first, first + 1], weights: [1024, 1024] });
        assert_eq!((of_columns(6, 3), of_rows(6, 3)), (Ok(expected.to_vec()), Ok(expected.to_vec())));
    }

    #[test]
    fn the_fraction_stays_beyond_rows_and_goes_beyond_columns() {
        let tap = |sources, weights| Tap { sources, weights };
        let inner = [tap([0, 1], [1536, 512]), tap([0, 1], [512, 1536])];
        let columns = [tap([0, 1], [2048, 0]), inner[0], inner[1], tap([0, 1], [0, 2048])];
        let rows = [tap([0, 0], [512, 1536]), inner[0], inner[1], tap([1, 1], [1536, 512])];
        assert_eq!((of_columns(2, 4), of_rows(2, 4)), (Ok(columns.to_vec()), Ok(rows.to_vec())));
    }

    #[test]
    fn a_row_without_weight_is_not_read() {
        let tap = |source| Tap { sources: [source; 2], weights: [2048, 0] };
        assert_eq!(of_rows(9, 3).unwrap(), [1, 4, 7].map(tap));
    }

    #[test]
    fn a_single_column_is_its_own_neighbour() {
        assert!(of_columns(1, 3).unwrap().iter().all(|tap| tap.sources == [0, 0]));
    }
}
