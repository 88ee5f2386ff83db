//! A list of boxes, laid out for vector units.

use super::Box4;

/// Boxes compared at once.
pub(super) const LANES: usize = 16;

/// What an IoU must be above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold {
    iou: f32,
    /// A little lower: an intersection below this times the union need not be divided by it. Rounding cannot lift its
    /// quotient above the threshold, unless that is so small that it has lost digits.
    least: f32,
}

impl Threshold {
    pub(super) fn new(iou: f32) -> Self {
        let least = if iou < f32::MIN_POSITIVE { 0.0 } else { iou * (1.0 - 2.0 * f32::EPSILON) };
        Self { iou, least }
    }
}

/// Coordinates of some boxes, each in an array of its own.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))] // a cache line
pub(super) struct Block {
    x1: [f32; LANES],
    y1: [f32; LANES],
    x2: [f32; LANES],
    y2: [f32; LANES],
}

impl Block {
    /// Boxes that overlap nothing.
    pub(super) const EMPTY: Self = Self {
        x1: [f32::INFINITY; LANES],
        y1: [f32::INFINITY; LANES],
        x2: [f32::NEG_INFINITY; LANES],
        y2: [f32::NEG_INFINITY; LANES],
    };

    #[inline(always)]
    pub(super) fn set(&mut self, lane: usize, [x1, y1, x2, y2]: Box4) {
        self.x1[lane] = x1;
        self.y1[lane] = y1;
        self.x2[lane] = x2;
        self.y2[lane] = y2;
    }

    /// Whether the IoU of a box with any of these is above the threshold; NaN, where a union is empty, is not.
    #[inline(always)]
    #[expect(clippy::needless_bitwise_bool, reason = "without a branch for each comparison")]
    pub(super) fn suppresses(&self, [x1, y1, x2, y2]: Box4, threshold: Threshold) -> bool {
        let mut overlaps = 0;
        for lane in 0..LANES {
            let in_x = (self.x1[lane] < x2) & (x1 < self.x2[lane]);
            let in_y = (self.y1[lane] < y2) & (y1 < self.y2[lane]);
            overlaps |= u32::from(in_x & in_y);
        }
        if overlaps == 0 {
            return false;
        }
        let area = (x2 - x1) * (y2 - y1);
        let (mut intersections, mut unions) = ([0.0; LANES], [0.0; LANES]);
        let mut may_suppress = 0;
        for lane in 0..LANES {
            let width = at_least_0(smaller(self.x2[lane], x2) - larger(self.x1[lane], x1));
            let height = at_least_0(smaller(self.y2[lane], y2) - larger(self.y1[lane], y1));
            let other_area = (self.x2[lane] - self.x1[lane]) * (self.y2[lane] - self.y1[lane]);
            intersections[lane] = width * height;
            unions[lane] = other_area + area - intersections[lane];
            may_suppress |= u32::from(intersections[lane] >= unions[lane] * threshold.least);
        }
        if may_suppress == 0 {
            return false;
        }
        let mut suppresses = 0;
        for lane in 0..LANES {
            suppresses |= u32::from(intersections[lane] / unions[lane] > threshold.iou);
        }
        suppresses != 0
    }
}

/// A growing list of boxes.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    blocks: Vec<Block>,
    len: usize,
}

impl Kept {
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.len = 0;
    }

    #[inline(always)]
    pub(super) fn push(&mut self, corners: Box4) {
        let lane = self.len % LANES;
        if lane == 0 {
            self.blocks.push(Block::EMPTY);
        }
        if let Some(block) = self.blocks.last_mut() {
            block.set(lane, corners);
        }
        self.len += 1;
    }

    /// Whether the IoU of a box with any of these is above the threshold; NaN, where a union is empty, is not.
    #[inline(always)]
    pub(super) fn suppresses(&self, candidate: Box4, threshold: Threshold) -> bool {
        for block in &self.blocks {
            if block.suppresses(candidate, threshold) {
                return true;
            }
        }
        false
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// As `f32::min` for numbers that are not NaN, in one instruction.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// As `f32::max` for numbers that are not NaN, in one instruction.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn at_least_0(value: f32) -> f32 {
    larger(value, 0.0)
}
