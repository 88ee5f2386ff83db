//! The boxes that were kept so far, by where they lie.
//!
//! The plane is divided into cells of two to four times the usual size of a box. A box is entered into each cell that it
//! touches; boxes that overlap touch a common cell, so a box is compared only with those in its own cells. Cells are
//! found by a hash: where two share a place, there is more to compare, and nothing to miss.
//!
//! Boxes that touch many cells are entered nowhere but in a list that is compared with every box, and they themselves
//! are compared with all. So is a box whose cells hold more than that. Boxes without width or height overlap nothing.

#![expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 boxes, and 16 cells for each")]

use super::Box4;
use super::kept::{Block, Kept, LANES, Measure, Threshold};
use crate::memory::{self, Refused};

/// A box that touches more cells is large.
const MOST_CELLS: u32 = 16;

/// The boxes in the cells of one hash.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// How many there are.
    len: u32,
    /// The last block of them.
    block: u32,
}

/// A growing set of boxes.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    per_pixel: [f32; 2],
    places: Vec<Place>,
    blocks: Vec<Block>,
    /// For each block the one before it in the same place, if it is not the first.
    previous: Vec<u32>,
    large: Kept,
    all: Kept,
}

/// The cells that a box touches.
#[derive(Clone, Copy)]
struct Touched {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Cells {
    /// Forgets all boxes, and prepares for some of these.
    pub(super) fn prepare(&mut self, boxes: &[Box4]) -> Result<(), Refused> {
        self.per_pixel = [0, 1].map(|axis| 1.0 / (4.0 * usual_size(boxes, axis)));
        memory::fill(&mut self.places, Place::default(), boxes.len().next_power_of_two())?;
        self.blocks.clear();
        self.previous.clear();
        self.large.clear();
        self.all.clear();
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        let entered =
            memory::bytes_of(&self.places) + memory::bytes_of(&self.blocks) + memory::bytes_of(&self.previous);
        entered + self.large.bytes() + self.all.bytes()
    }

    #[inline(always)]
    pub(super) fn push<M: Measure>(&mut self, corners: Box4, threshold: Threshold<M>) -> Result<(), Refused> {
        self.push_into(self.touched::<M>(corners), corners, threshold)
    }

    /// Adds a box, unless its IoU with one of these is above the threshold, and tells whether it did.
    #[inline(always)]
    pub(super) fn push_unless_suppressed<M: Measure>(
        &mut self,
        candidate: Box4,
        threshold: Threshold<M>,
    ) -> Result<bool, Refused> {
        let touched = self.touched::<M>(candidate);
        let is_new = !self.suppresses(touched, candidate, threshold);
        if is_new {
            self.push_into(touched, candidate, threshold)?;
        }
        Ok(is_new)
    }

    #[inline(always)]
    fn push_into<M: Measure>(
        &mut self,
        touched: Touched,
        corners: Box4,
        threshold: Threshold<M>,
    ) -> Result<(), Refused> {
        self.all.push(corners, threshold)?;
        if is_empty::<M>(corners) {
            return Ok(());
        }
        if touched.count() > MOST_CELLS {
            return self.large.push(corners, threshold);
        }
        for row in touched.top..=touched.bottom {
            for column in touched.left..=touched.right {
                self.enter(self.place(column, row), corners, threshold)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn suppresses<M: Measure>(&self, touched: Touched, candidate: Box4, threshold: Threshold<M>) -> bool {
        if is_empty::<M>(candidate) {
            return false;
        }
        if touched.count() > MOST_CELLS {
            return self.all.suppresses(candidate, threshold);
        }
        if self.large.suppresses(candidate, threshold) {
            return true;
        }
        let mut compared = self.large.len();
        for row in touched.top..=touched.bottom {
            for column in touched.left..=touched.right {
                let Place { len, mut block } = self.places[self.place(column, row)];
                compared += len as usize;
                if compared > self.all.len() {
                    return self.all.suppresses(candidate, threshold);
                }
                for _ in 0..(len as usize).div_ceil(LANES) {
                    if self.blocks[block as usize].suppresses(candidate, threshold) {
                        return true;
                    }
                    block = self.previous[block as usize];
                }
            }
        }
        false
    }

    #[inline(always)]
    fn touched<M: Measure>(&self, [x1, y1, x2, y2]: Box4) -> Touched {
        let [columns_per_pixel, rows_per_pixel] = self.per_pixel;
        Touched {
            left: cell(x1 * columns_per_pixel),
            top: cell(y1 * rows_per_pixel),
            right: cell(M::end(x2) * columns_per_pixel),
            bottom: cell(M::end(y2) * rows_per_pixel),
        }
    }

    /// Where to look for a cell: those next to each other in a row lie so here.
    #[inline(always)]
    fn place(&self, column: u32, row: u32) -> usize {
        const ODD: u32 = 0x9e37_79b9;
        let hash = row.wrapping_mul(ODD).rotate_left(16).wrapping_add(column);
        hash as usize & (self.places.len() - 1)
    }

    #[inline(always)]
    fn enter<M: Measure>(&mut self, place: usize, corners: Box4, threshold: Threshold<M>) -> Result<(), Refused> {
        let Place { len, block } = &mut self.places[place];
        let lane = *len as usize % LANES;
        if lane == 0 {
            memory::push(&mut self.previous, *block)?;
            *block = self.blocks.len() as u32;
            memory::push(&mut self.blocks, Block::EMPTY)?;
        }
        self.blocks[*block as usize].set(lane, corners, threshold);
        *len += 1;
        Ok(())
    }
}

impl Touched {
    #[inline(always)]
    fn count(self) -> u32 {
        let columns = self.right.abs_diff(self.left).saturating_add(1);
        let rows = self.bottom.abs_diff(self.top).saturating_add(1);
        columns.saturating_mul(rows)
    }
}

/// The cell of a coordinate. Each step keeps the order of coordinates, so boxes that overlap share a cell; NaN, which is
/// 0 times infinity, is far from all others, so such a box is large.
#[inline(always)]
fn cell(coordinate: f32) -> u32 {
    const MOST: f32 = 2_097_152.0; // 2^21
    const WHOLE: f32 = 12_582_912.0; // 1.5 * 2^23: a sum with it is rounded to a whole number, in its lowest bits
    let coordinate = if coordinate < -MOST { -MOST } else { coordinate };
    let coordinate = if coordinate > MOST { MOST } else { coordinate };
    (coordinate + WHOLE).to_bits()
}

/// Whether a box has no width or no height.
#[inline(always)]
fn is_empty<M: Measure>([x1, y1, x2, y2]: Box4) -> bool {
    M::length(x1, x2) <= 0.0 || M::length(y1, y2) <= 0.0
}

/// The median of the boxes' sizes on an axis (0 for x, 1 for y), rounded down to a power of two.
fn usual_size(boxes: &[Box4], axis: usize) -> f32 {
    const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;
    let mut counts = [0; 256];
    for corners in boxes {
        let size = (corners[axis + 2] - corners[axis]).max(0.0);
        counts[(size.to_bits() >> MANTISSA_BITS) as usize] += 1;
    }
    let mut below = 0;
    let median = counts.iter().position(|count| {
        below += count;
        2 * below >= boxes.len()
    });
    f32::from_bits((median.unwrap_or_default() as u32) << MANTISSA_BITS)
}
