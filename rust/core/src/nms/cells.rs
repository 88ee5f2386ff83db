//! The boxes that were kept so far, by where they lie.
//!
//! The plane is divided into cells of about twice the usual size of a box. A box is entered into each cell that it
//! touches; boxes that overlap touch a common cell, so a box is compared only with those in its own cells. Cells are
//! found by a hash: where two share a place, there is more to compare, and nothing to miss.
//!
//! Boxes that touch many cells are entered nowhere but in a list that is compared with every box, and they themselves
//! are compared with all. So is a box whose cells hold more than that. Boxes without width or height overlap nothing.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cells saturate, and a hash has no sign")]

use super::Box4;
use super::kept::{Block, Kept, LANES};

/// A box that touches more cells is large.
const MOST_CELLS: u64 = 16;

/// No block: the end of a chain.
const NONE: u32 = u32::MAX;

/// Some boxes of a cell, and where there are more.
#[derive(Clone, Debug)]
#[repr(C)] // what is read first comes first
struct Link {
    /// Blocks from here to the end of the chain.
    depth: u32,
    next: u32,
    len: u32,
    block: Block,
}

/// A growing set of boxes.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    per_pixel: [f64; 2],
    /// For each place the first link of its chain.
    chains: Vec<u32>,
    links: Vec<Link>,
    large: Kept,
    all: Kept,
}

/// The cells that a box touches.
struct Touched {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

impl Cells {
    /// Forgets all boxes, and prepares for some of these.
    pub(super) fn prepare(&mut self, boxes: &[Box4]) {
        self.per_pixel = [0, 1].map(|axis| 0.5 / usual_size(boxes, axis));
        self.chains.clear();
        self.chains.resize((2 * boxes.len()).next_power_of_two(), NONE);
        self.links.clear();
        self.large.clear();
        self.all.clear();
    }

    #[inline(always)]
    pub(super) fn push(&mut self, corners: Box4) {
        self.all.push(corners);
        if is_empty(corners) {
            return;
        }
        let touched = self.touched(corners);
        if touched.count() > MOST_CELLS {
            self.large.push(corners);
            return;
        }
        for row in touched.top..=touched.bottom {
            for column in touched.left..=touched.right {
                self.enter(self.place(column, row), corners);
            }
        }
    }

    /// Whether the IoU of a box with any of these is above the threshold.
    #[inline(always)]
    pub(super) fn suppresses(&self, candidate: Box4, iou_threshold: f32) -> bool {
        if is_empty(candidate) {
            return false;
        }
        let touched = self.touched(candidate);
        if touched.count() > MOST_CELLS || self.depth(&touched) >= self.all.blocks().len() {
            return self.all.suppresses(candidate, iou_threshold);
        }
        if self.large.suppresses(candidate, iou_threshold) {
            return true;
        }
        for row in touched.top..=touched.bottom {
            for column in touched.left..=touched.right {
                let mut next = self.chains[self.place(column, row)];
                while next != NONE {
                    let link = &self.links[next as usize];
                    if link.block.suppresses(candidate, iou_threshold) {
                        return true;
                    }
                    next = link.next;
                }
            }
        }
        false
    }

    /// Blocks that a box has to be compared with.
    #[inline(always)]
    fn depth(&self, touched: &Touched) -> usize {
        let mut depth = self.large.blocks().len();
        for row in touched.top..=touched.bottom {
            for column in touched.left..=touched.right {
                let first = self.chains[self.place(column, row)];
                if first != NONE {
                    depth += self.links[first as usize].depth as usize;
                }
            }
        }
        depth
    }

    /// The order of coordinates is kept by multiplying, rounding down and saturating (0 times infinity, NaN, becomes 0,
    /// between those that saturate), so boxes that overlap share a cell.
    #[inline(always)]
    fn touched(&self, [x1, y1, x2, y2]: Box4) -> Touched {
        let [columns_per_pixel, rows_per_pixel] = self.per_pixel;
        Touched {
            left: (f64::from(x1) * columns_per_pixel).floor() as i64,
            top: (f64::from(y1) * rows_per_pixel).floor() as i64,
            right: (f64::from(x2) * columns_per_pixel).floor() as i64,
            bottom: (f64::from(y2) * rows_per_pixel).floor() as i64,
        }
    }

    #[inline(always)]
    fn place(&self, column: i64, row: i64) -> usize {
        const ODD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
        let hash = (column as u64).wrapping_mul(ODD[0]) ^ (row as u64).wrapping_mul(ODD[1]);
        (hash >> 32) as usize & (self.chains.len() - 1)
    }

    #[inline(always)]
    fn enter(&mut self, place: usize, corners: Box4) {
        let first = self.chains[place];
        if let Some(link) = self.links.get_mut(first as usize)
            && (link.len as usize) < LANES
        {
            link.block.set(link.len as usize, corners);
            link.len += 1;
            return;
        }
        let depth = self.links.get(first as usize).map_or(0, |link| link.depth) + 1;
        let mut block = Block::EMPTY;
        block.set(0, corners);
        self.chains[place] = self.links.len() as u32;
        self.links.push(Link { block, len: 1, depth, next: first });
    }
}

impl Touched {
    #[inline(always)]
    fn count(&self) -> u64 {
        let columns = self.right.abs_diff(self.left).saturating_add(1);
        let rows = self.bottom.abs_diff(self.top).saturating_add(1);
        columns.saturating_mul(rows)
    }
}

/// Whether a box has no width or no height.
#[inline(always)]
fn is_empty([x1, y1, x2, y2]: Box4) -> bool {
    x1 >= x2 || y1 >= y2
}

/// The median of the boxes' sizes on an axis (0 for x, 1 for y), rounded down to a power of two.
fn usual_size(boxes: &[Box4], axis: usize) -> f64 {
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
    f64::from(f32::from_bits((median.unwrap_or_default() as u32) << MANTISSA_BITS))
}
