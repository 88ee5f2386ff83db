//! The class scores of one anchor, and the best of them.

use std::hint::black_box;

use super::meaning::{Meaning, higher};
use crate::Element;

/// Class scores compared at once.
pub(super) const LANES: usize = 16;

/// The greatest key of these numbers.
#[inline(always)]
pub(super) fn greatest<T: Element, M: Meaning<T>>(scores: &[T]) -> M::Key {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [M::LEAST; LANES];
    for chunk in chunks {
        one_by_one();
        for lane in 0..LANES {
            lanes[lane] = higher(lanes[lane], M::key(chunk[lane]));
        }
    }
    let greatest = lanes.into_iter().fold(M::LEAST, higher);
    rest.iter().fold(greatest, |greatest, score| higher(greatest, M::key(*score)))
}

/// The first class with this key, which one of them has.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
pub(super) fn first<T: Element, M: Meaning<T>>(scores: &[T], key: M::Key) -> usize {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [u32::MAX; LANES];
    for (number, chunk) in chunks.iter().enumerate().rev() {
        one_by_one();
        for lane in 0..LANES {
            let class_id = (number * LANES + lane) as u32;
            lanes[lane] = if M::key(chunk[lane]) == key { class_id } else { lanes[lane] };
        }
    }
    let first = lanes.into_iter().fold(u32::MAX, u32::min);
    if first < u32::MAX {
        return first as usize;
    }
    let position = rest.iter().position(|score| M::key(*score) == key);
    let class_id = chunks.len() * LANES + position.unwrap_or_default();
    class_id.min(scores.len() - 1) // if none has this key any more
}

/// Keeps a compiler from taking many rounds of a loop at once: their numbers would be gathered, which is slow.
#[inline(always)]
fn one_by_one() {
    black_box(());
}

/// The first class of the highest score, which may be negative, and that score.
#[cold]
pub(super) fn first_of_highest(scores: impl Iterator<Item = f32>) -> (usize, f32) {
    scores.enumerate().fold((0, f32::NEG_INFINITY), |best, other| if other.1 > best.1 { other } else { best })
}
