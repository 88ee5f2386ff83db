//! Where the anchors of a YOLOX head lie: one in each cell of each level, computed once per model.
//!
//! Levels come in the order of their strides; within a level the cells come row by row. A level of stride `s` has
//! `ceil(height / s)` rows and `ceil(width / s)` columns: exported networks pad, so a part of a cell counts as one.
//!
//! YOLOX's own demos build this table for every image; it depends on nothing but the input size.

use crate::{Error, memory};

/// Largest height or width of a network's input.
pub(crate) const MAX_SIDE: usize = 1 << 15;

/// Most anchors of one grid: 200 MB of table.
pub(crate) const MAX_ANCHORS: usize = 1 << 24;

/// Most levels of one grid.
pub const MAX_STRIDES: usize = 64;

/// A cell of the grid, in units of its stride, and the stride in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// Column of the cell.
    pub x: f32,
    /// Row of the cell.
    pub y: f32,
    /// Pixels per cell.
    pub stride: f32,
}

/// The anchors of one input size, in the order of the raw output's rows.
#[derive(Clone, Debug)]
pub struct Grid {
    height: usize,
    width: usize,
    strides: Vec<usize>,
    anchors: Vec<Anchor>,
}

impl Grid {
    /// Computes the anchors of an input of `height` x `width` pixels.
    ///
    /// # Errors
    /// A side of 0 or above 32768, no strides, more than 64 or a stride of 0, more than 2^24 anchors; too little memory.
    pub fn new(height: usize, width: usize, strides: &[usize]) -> Result<Self, Error> {
        let count = Self::count_anchors(height, width, strides)?;
        let mut anchors = memory::with_capacity(count)?;
        for &stride in strides {
            let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
            anchors.extend((0..rows).flat_map(|row| (0..columns).map(move |column| anchor(column, row, stride))));
        }
        Ok(Self { height, width, strides: strides.into(), anchors })
    }

    /// Counts the anchors that [`Grid::new`] would compute.
    ///
    /// # Errors
    /// The same.
    pub fn count_anchors(height: usize, width: usize, strides: &[usize]) -> Result<usize, Error> {
        let side = 1..=MAX_SIDE;
        if !side.contains(&height) || !side.contains(&width) {
            return Err(Error::InputSize { height, width });
        }
        if !(1..=MAX_STRIDES).contains(&strides.len()) || strides.contains(&0) {
            return Err(Error::Strides(strides.into()));
        }
        let cells = |stride: &usize| height.div_ceil(*stride) * width.div_ceil(*stride);
        let count = strides.iter().map(cells).fold(0, usize::saturating_add);
        if count > MAX_ANCHORS {
            return Err(Error::TooManyAnchors { height, width, strides: strides.into(), anchors: count });
        }
        Ok(count)
    }

    /// The anchors, as many as the raw output has rows.
    #[must_use]
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// Checks that a raw output has one row per anchor.
    pub(crate) fn check_anchors(&self, actual: usize) -> Result<(), Error> {
        let expected = self.anchors.len();
        if actual == expected {
            return Ok(());
        }
        let Self { height, width, ref strides, .. } = *self;
        Err(Error::Anchors { actual, expected, height, width, strides: strides.clone() })
    }
}

#[expect(clippy::cast_precision_loss, reason = "cells are below MAX_SIDE; a stride beyond 2^24 has one cell, at 0")]
fn anchor(column: usize, row: usize, stride: usize) -> Anchor {
    Anchor { x: column as f32, y: row as f32, stride: stride as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(height: usize, width: usize, strides: &[usize]) -> usize {
        Grid::new(height, width, strides).unwrap().anchors().len()
    }

    #[test]
    fn counts_match_exported_networks() {
        assert_eq!(count(640, 640, &[8, 16, 32]), 8400);
        assert_eq!(count(416, 416, &[8, 16, 32]), 3549);
        assert_eq!(count(384, 640, &[8, 16, 32]), 5040);
        assert_eq!(count(640, 640, &[8, 16, 32, 64]), 8500);
        assert_eq!(count(240, 320, &[8, 16, 32]), 1580);
    }

    #[test]
    fn cells_come_row_by_row_and_x_runs_along_the_width() {
        let grid = Grid::new(16, 24, &[8, 16]).unwrap();
        let cells: Vec<_> = grid.anchors().iter().map(|anchor| (anchor.x, anchor.y, anchor.stride)).collect();
        let level8 =
            [(0.0, 0.0, 8.0), (1.0, 0.0, 8.0), (2.0, 0.0, 8.0), (0.0, 1.0, 8.0), (1.0, 1.0, 8.0), (2.0, 1.0, 8.0)];
        let level16 = [(0.0, 0.0, 16.0), (1.0, 0.0, 16.0)];
        assert_eq!(cells, [&level8[..], &level16[..]].concat());
    }

    #[test]
    fn impossible_grids_are_errors() {
        assert_eq!(Grid::new(0, 640, &[8]).unwrap_err(), Error::InputSize { height: 0, width: 640 });
        assert_eq!(Grid::new(640, usize::MAX, &[8]).unwrap_err(), Error::InputSize { height: 640, width: usize::MAX });
        assert_eq!(Grid::new(640, 640, &[]).unwrap_err(), Error::Strides(vec![]));
        assert_eq!(Grid::new(640, 640, &[8, 0]).unwrap_err(), Error::Strides(vec![8, 0]));
        assert!(matches!(Grid::new(32768, 32768, &[1]), Err(Error::TooManyAnchors { .. })));
    }
}
