//! Which anchors are worth a look: those whose objectness alone may reach the score threshold.

use super::SCORE_LIMIT;
use crate::Element;
use crate::raw::OBJECTNESS;

/// Anchors per branch: one bit each.
pub(super) const BLOCK: usize = 64;

/// Anchors for each round of the loop over a block.
const UNROLLED: usize = 16;

/// The bit of the first anchor of a block.
const FIRST: u64 = 1 << 63;

/// What an objectness must be.
pub(super) trait Gate<T>: Copy {
    fn passes(self, objectness: T) -> bool;
}

/// At least this, as bits: negative numbers and those that are not finite pass as well.
#[derive(Clone, Copy)]
pub(super) struct Probability<T: Element>(T::Bits);

impl<T: Element> Probability<T> {
    pub(super) fn new(least_score: f32) -> Self {
        // Rounding of the quotient, and of the product that has to reach the threshold, is worth less than two steps.
        Self(T::least_bits((least_score / SCORE_LIMIT).next_down().next_down()))
    }
}

impl<T: Element> Gate<T> for Probability<T> {
    #[inline(always)]
    fn passes(self, objectness: T) -> bool {
        objectness.bits() >= self.0
    }
}

/// At least this before the sigmoid.
#[derive(Clone, Copy)]
pub(super) struct Logit(f32);

impl Logit {
    #[expect(clippy::cast_possible_truncation, reason = "there is room for rounding")]
    pub(super) fn new(least_score: f32) -> Self {
        /// What rounding of a score to `f32` may add to it.
        const ROUNDING: f64 = 1e-6;
        let least = f64::from(least_score) * (1.0 - ROUNDING);
        Self((least / (1.0 - least)).ln() as f32 - ROUNDING as f32)
    }
}

impl<T: Element> Gate<T> for Logit {
    #[inline(always)]
    fn passes(self, objectness: T) -> bool {
        objectness.to_f32() >= self.0
    }
}

/// One bit for each of at most [`BLOCK`] rows, the highest for the first: whether its objectness passes the gate.
///
/// Shifted in one after the other, which is faster than what a vectorizer makes of a mask: gathers.
#[inline(always)]
pub(super) fn passing_rows<T: Element>(rows: &[T], columns: usize, gate: impl Gate<T>) -> u64 {
    let mut bits = 0;
    let mut shift_in = |objectness: T| bits = bits << 1 | u64::from(gate.passes(objectness));
    let several = rows.chunks_exact(UNROLLED * columns);
    let rest = several.remainder().chunks_exact(columns);
    for rows in several {
        for row in 0..UNROLLED {
            shift_in(rows[row * columns + OBJECTNESS]);
        }
    }
    for row in rest {
        shift_in(row[OBJECTNESS]);
    }
    bits << (BLOCK - rows.len() / columns)
}

/// The same of numbers that lie beside each other. In most blocks none passes, which vector code finds out at once.
#[inline(always)]
pub(super) fn passing_plane<T: Element>(objectness: &[T], gate: impl Gate<T>) -> u64 {
    if !objectness.iter().fold(false, |any, value| any | gate.passes(*value)) {
        return 0;
    }
    let bits = objectness.iter().fold(0, |bits, value| bits << 1 | u64::from(gate.passes(*value)));
    bits << (BLOCK - objectness.len())
}

/// The numbers of the anchors whose bits are set.
#[inline(always)]
pub(super) fn numbers(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let number = bits.leading_zeros() as usize;
            bits ^= FIRST >> number;
            number
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exponential::sigmoid;

    #[test]
    fn no_logit_that_reaches_a_score_is_held_back() {
        for score in [0.0, 1e-30, 1e-6, 0.001, 0.01, 0.25, 0.5, 0.999, 1.0_f32.next_down(), 1.0] {
            let gate = Logit::new(score);
            for bits in (0..=u32::MAX).step_by(40_009) {
                let logit = f32::from_bits(bits);
                assert!(sigmoid(logit).is_nan() || sigmoid(logit) < score || gate.passes(logit), "{logit} of {score}");
            }
            let mut logit = gate.0.next_down();
            for _ in 0..1000 {
                assert!(sigmoid(logit) < score || score == 0.0, "{logit} of {score}");
                logit = logit.next_down();
            }
        }
    }
}
