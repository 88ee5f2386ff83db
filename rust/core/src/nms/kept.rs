//! A list of boxes, laid out for vector units.

use std::marker::PhantomData;

use super::Box4;
use crate::memory::{self, Refused};

/// Boxes compared at once.
pub(super) const LANES: usize = 16;

/// What is below this may have lost digits to underflow.
const TINY: f32 = 1e-30;

/// How long what lies between two coordinates is.
pub(super) trait Measure: Copy {
    fn length(low: f32, high: f32) -> f32;

    /// Where what reaches to a coordinate ends.
    fn end(high: f32) -> f32;

    #[inline(always)]
    fn area([x1, y1, x2, y2]: Box4) -> f32 {
        Self::length(x1, x2) * Self::length(y1, y2)
    }
}

/// Coordinates are of points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

/// Coordinates are of pixels, both of which count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixels;

impl Measure for Plain {
    #[inline(always)]
    fn length(low: f32, high: f32) -> f32 {
        high - low
    }

    #[inline(always)]
    fn end(high: f32) -> f32 {
        high
    }
}

impl Measure for Pixels {
    #[inline(always)]
    fn length(low: f32, high: f32) -> f32 {
        high - low + 1.0
    }

    #[inline(always)]
    fn end(high: f32) -> f32 {
        high + 1.0
    }
}

/// What an IoU must be above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold<M> {
    iou: f32,
    /// What part of the sum of both areas an intersection must then be above: I / (A + B - I) > t where
    /// I > t / (1 + t) * (A + B). A little lower, so that rounding hides no such intersection.
    part: f32,
    measure: PhantomData<M>,
}

impl<M: Measure> Threshold<M> {
    pub(super) fn new(iou: f32) -> Self {
        Self { iou, part: iou / (1.0 + iou) * (1.0 - 8.0 * f32::EPSILON), measure: PhantomData }
    }

    /// A box's share of what its intersection with another must be above; the other adds its own.
    #[inline(always)]
    fn share(self, corners: Box4) -> f32 {
        let share = M::area(corners) * self.part;
        if share < TINY { 0.0 } else { share }
    }
}

/// Some boxes, each number in an array of its own.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))] // a cache line
pub(super) struct Block {
    x1: [f32; LANES],
    y1: [f32; LANES],
    x2: [f32; LANES],
    y2: [f32; LANES],
    /// See [`Threshold::share`].
    shares: [f32; LANES],
}

impl Block {
    /// Boxes that overlap nothing.
    pub(super) const EMPTY: Self = Self {
        x1: [f32::INFINITY; LANES],
        y1: [f32::INFINITY; LANES],
        x2: [f32::NEG_INFINITY; LANES],
        y2: [f32::NEG_INFINITY; LANES],
        shares: [0.0; LANES],
    };

    #[inline(always)]
    pub(super) fn set<M: Measure>(&mut self, lane: usize, corners: Box4, threshold: Threshold<M>) {
        let [x1, y1, x2, y2] = corners;
        self.x1[lane] = x1;
        self.y1[lane] = y1;
        self.x2[lane] = x2;
        self.y2[lane] = y2;
        self.shares[lane] = threshold.share(corners);
    }

    /// Whether the IoU of a box with any of these is above the threshold; NaN, where a union is empty, is not.
    ///
    /// The first test is cheap and nearly always right: the one branch that it takes is one a CPU can guess.
    #[inline(always)]
    pub(super) fn suppresses<M: Measure>(&self, candidate: Box4, threshold: Threshold<M>) -> bool {
        self.may_suppress(candidate, threshold) && self.does_suppress(candidate, threshold)
    }

    /// Without a division. A height below 0 is as good as 0: shares are not negative.
    #[inline(always)]
    fn may_suppress<M: Measure>(&self, candidate: Box4, threshold: Threshold<M>) -> bool {
        let [x1, y1, x2, y2] = candidate;
        let share = threshold.share(candidate);
        let mut any = 0;
        for lane in 0..LANES {
            let width = at_least_0(M::length(larger(x1, self.x1[lane]), smaller(x2, self.x2[lane])));
            let height = M::length(larger(y1, self.y1[lane]), smaller(y2, self.y2[lane]));
            any |= u32::from(width * height > share + self.shares[lane]);
        }
        any != 0
    }

    #[inline(always)]
    fn does_suppress<M: Measure>(&self, [x1, y1, x2, y2]: Box4, threshold: Threshold<M>) -> bool {
        let mut any = 0;
        for lane in 0..LANES {
            let other = [self.x1[lane], self.y1[lane], self.x2[lane], self.y2[lane]];
            let width = at_least_0(M::length(larger(x1, other[0]), smaller(x2, other[2])));
            let height = at_least_0(M::length(larger(y1, other[1]), smaller(y2, other[3])));
            let intersection = width * height;
            let union = M::area(other) + M::area([x1, y1, x2, y2]) - intersection;
            any |= u32::from(intersection / union > threshold.iou);
        }
        any != 0
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
    pub(super) fn push<M: Measure>(&mut self, corners: Box4, threshold: Threshold<M>) -> Result<(), Refused> {
        let lane = self.len % LANES;
        if lane == 0 {
            memory::push(&mut self.blocks, Block::EMPTY)?;
        }
        if let Some(block) = self.blocks.last_mut() {
            block.set(lane, corners, threshold);
        }
        self.len += 1;
        Ok(())
    }

    /// Whether the IoU of a box with any of these is above the threshold; NaN, where a union is empty, is not.
    #[inline(always)]
    pub(super) fn suppresses<M: Measure>(&self, candidate: Box4, threshold: Threshold<M>) -> bool {
        for block in &self.blocks {
            if block.suppresses(candidate, threshold) {
                return true;
            }
        }
        false
    }

    pub(super) fn bytes(&self) -> usize {
        memory::bytes_of(&self.blocks)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below 1, the same each time.
    fn numbers() -> impl Iterator<Item = f32> {
        let mut state = 1_u32;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            f32::from_bits(state >> 9 | 127 << 23) - 1.0
        })
    }

    fn iou_of<M: Measure>(a: Box4, b: Box4) -> f32 {
        let (width, height) = (M::length(a[0].max(b[0]), a[2].min(b[2])), M::length(a[1].max(b[1]), a[3].min(b[3])));
        let intersection = width.max(0.0) * height.max(0.0);
        intersection / (M::area(a) + M::area(b) - intersection)
    }

    #[test]
    fn the_first_test_misses_no_box_that_suppresses() {
        assert!(count_suppressing::<Plain>() > 200_000);
        assert!(count_suppressing::<Pixels>() > 200_000);
    }

    fn count_suppressing<M: Measure>() -> usize {
        let mut numbers = numbers();
        let mut number = || numbers.next().unwrap_or_default();
        let mut suppressing = 0;
        for round in 0..200_000 {
            let scale = 10_f32.powi(round % 40 - 21);
            let mut corners = || {
                let (x, y) = (number(), number());
                [x, y, x + 3.0 * number(), y + 3.0 * number()].map(|value| value * scale)
            };
            let (kept, near) = (corners(), corners());
            let around = [0.0, 0.0, near[2] * 1e20, near[3] * 1e20];
            let candidate = if round % 3 == 0 { around } else { near };
            let exact = iou_of::<M>(kept, candidate);
            for iou in [exact.next_down(), exact, exact / 2.0, 0.0, f32::MIN_POSITIVE / 4.0] {
                let threshold = Threshold::<M>::new(iou.max(0.0));
                let mut block = Block::EMPTY;
                block.set(0, kept, threshold);
                if block.does_suppress(candidate, threshold) {
                    suppressing += 1;
                    assert!(block.may_suppress(candidate, threshold), "{kept:?} {candidate:?} {iou:e}");
                }
            }
        }
        suppressing
    }
}
