//! What the numbers for objectness and classes mean: scores, or logits, whose sigmoid is missing.

use crate::Element;
use crate::exponential::sigmoid;

use super::SCORE_LIMIT;
use crate::element::is_finite;

/// A meaning of numbers. Of each anchor the highest is looked for first, and its score then, if at all.
pub(super) trait Meaning<T: Element>: Copy {
    /// What numbers are compared by.
    type Key: Copy + PartialOrd;

    /// No key is less.
    const LEAST: Self::Key;

    /// Whether keys say all: equal scores have equal keys, and what is negative or not finite comes after all scores.
    const KEYS_SAY_ALL: bool;

    fn key(value: T) -> Self::Key;

    /// Whether it is a key of a score.
    fn is_ordinary(key: Self::Key) -> bool;

    /// The score of such a key.
    fn score_of(key: Self::Key) -> f32;

    fn score(value: T) -> f32;

    /// Whether a number has the score of the highest key. Its own key may be lower.
    fn is_as_high(value: T, highest: Self::Key) -> bool;

    /// The key that an objectness must reach so that the product with a class score may reach a score.
    fn gate(least_score: f32) -> Self::Key;
}

/// The higher of two keys.
#[inline(always)]
pub(super) fn higher<K: PartialOrd>(key: K, other: K) -> K {
    if other > key { other } else { key }
}

/// Numbers are scores.
#[derive(Clone, Copy)]
pub(super) struct Probability;

impl<T: Element> Meaning<T> for Probability {
    type Key = T::Bits;

    const LEAST: T::Bits = T::ZERO;
    const KEYS_SAY_ALL: bool = true;

    #[inline(always)]
    fn key(value: T) -> T::Bits {
        value.bits()
    }

    #[inline(always)]
    fn is_ordinary(key: T::Bits) -> bool {
        key < T::INFINITY
    }

    #[inline(always)]
    fn score_of(key: T::Bits) -> f32 {
        T::value(key)
    }

    #[inline(always)]
    fn score(value: T) -> f32 {
        value.to_f32()
    }

    #[inline(always)]
    fn is_as_high(value: T, highest: T::Bits) -> bool {
        value.bits() == highest
    }

    #[inline(always)]
    fn gate(least_score: f32) -> T::Bits {
        // Rounding of the quotient, and of the product that has to reach the threshold, is worth less than two steps.
        T::least_bits((least_score / SCORE_LIMIT).next_down().next_down())
    }
}

/// The score is the sigmoid of a number.
#[derive(Clone, Copy)]
pub(super) struct Logit;

impl<T: Element> Meaning<T> for Logit {
    type Key = f32;

    const LEAST: f32 = f32::NEG_INFINITY;
    const KEYS_SAY_ALL: bool = false;

    #[inline(always)]
    fn key(value: T) -> f32 {
        value.to_f32()
    }

    #[inline(always)]
    fn is_ordinary(key: f32) -> bool {
        is_finite(key)
    }

    #[inline(always)]
    fn score_of(key: f32) -> f32 {
        sigmoid(key)
    }

    #[inline(always)]
    fn score(value: T) -> f32 {
        sigmoid(value.to_f32())
    }

    #[inline(always)]
    fn is_as_high(value: T, highest: f32) -> bool {
        /// From here on sigmoids may be equal although logits differ by more than 1.
        const SATURATED: f32 = 15.0;
        let logit = value.to_f32();
        (logit > highest - 1.0 || logit > SATURATED) && sigmoid(logit) >= sigmoid(highest)
    }

    #[expect(clippy::cast_possible_truncation, reason = "there is room for rounding")]
    fn gate(least_score: f32) -> f32 {
        /// More than rounding of a score to `f32` may add to it.
        const ROUNDING: f64 = 1e-6;
        let least = f64::from(least_score) * (1.0 - ROUNDING);
        (least / (1.0 - least)).ln() as f32 - ROUNDING as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_logit_that_reaches_a_score_is_held_back() {
        for score in [0.0, 1e-30, 1e-6, 0.001, 0.01, 0.25, 0.5, 0.999, 1.0_f32.next_down(), 1.0] {
            let gate = <Logit as Meaning<f32>>::gate(score);
            for bits in (0..=u32::MAX).step_by(40_009) {
                let logit = f32::from_bits(bits);
                let reaches = sigmoid(logit) >= score && is_finite(logit);
                assert!(!reaches || logit >= gate, "{logit} of {score}");
            }
            let mut logit = gate.next_down();
            for _ in 0..1000 {
                assert!(sigmoid(logit) < score || score == 0.0, "{logit} of {score}");
                logit = logit.next_down();
            }
        }
    }

    #[test]
    fn logits_are_as_high_as_others_if_their_sigmoids_are() {
        for highest in [-80.0_f32, -3.0, 0.1, 6.0, 14.9, 16.0, 17.2, 40.0] {
            for below in (0..4000_u16).map(|step| f32::from(step) * 1e-3) {
                for logit in [highest - below, highest - below * 1e-6, highest - below * 20.0] {
                    let expected = sigmoid(logit) >= sigmoid(highest);
                    assert_eq!(Logit::is_as_high(logit, highest), expected, "{logit} and {highest}");
                }
            }
        }
    }
}
