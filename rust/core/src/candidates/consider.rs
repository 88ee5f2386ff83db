//! Whether one anchor, whose objectness passes the gate, is a candidate.

use super::meaning::Meaning;
use super::numbers::Numbers;
use super::scores::{LANES, first_of_highest};
use super::{Candidates, Filter, SCORE_LIMIT};
use crate::element::is_finite;
use crate::semantics::ClassesOfAnchor;
use crate::{Anchor, Element, Error};

/// One anchor.
#[derive(Clone, Copy)]
pub(super) struct Considered<T, N, K> {
    /// Where it stands in the raw output.
    pub(super) index: usize,
    pub(super) anchor: Anchor,
    pub(super) objectness: T,
    pub(super) numbers: N,
    /// The key of its highest class score.
    pub(super) highest: K,
    /// The first class with this key, if it is known.
    pub(super) first: Option<usize>,
}

/// Whether an anchor may be a candidate, or an error, by its objectness and the key of its highest class score.
#[inline(always)]
pub(super) fn may_count<T: Element, M: Meaning<T>>(objectness: T, highest: M::Key, filter: Filter<'_>) -> bool {
    let objectness = M::score(objectness);
    let is_below = objectness * M::score_of(highest) < filter.least_score;
    !M::is_ordinary(highest) || !is_below || objectness.is_nan() || objectness > SCORE_LIMIT
}

/// Adds an anchor to the candidates if it is one; its box is left as it is. Where it is known that its best class counts,
/// and no other, the loop over anchors is faster.
#[inline(always)]
pub(super) fn consider<T: Element, M: Meaning<T>, N: Numbers<T>, const ALL_SEMANTICS: bool>(
    considered: Considered<T, N, M::Key>,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let Considered { index, anchor, objectness, numbers, highest, first } = considered;
    let least_score = filter.least_score;
    if !may_count::<T, M>(objectness, highest, filter) {
        return Ok(());
    }
    let objectness = M::score(objectness);
    let is_ordinary = M::is_ordinary(highest);
    if !(M::KEYS_SAY_ALL && is_ordinary || numbers.all_finite()) {
        return Ok(());
    }
    let (class_id, class_score) = if is_ordinary {
        let first = first.filter(|_| M::KEYS_SAY_ALL);
        (first.unwrap_or_else(|| numbers.first::<M>(highest)), M::score_of(highest))
    } else {
        first_of_highest(numbers.class_scores().map(M::score))
    };
    let box_values = numbers.box_values().map(Element::to_f32);
    if !box_values.iter().fold(is_finite(objectness), |all, value| all & is_finite(*value)) {
        return Ok(());
    }
    let score = objectness * class_score;
    if objectness > SCORE_LIMIT || class_score > SCORE_LIMIT {
        let passes = score >= least_score && objectness * SCORE_LIMIT >= least_score;
        let is_error = objectness > SCORE_LIMIT || passes;
        let error = || Error::ScoreAboveLimit { anchor: index, score: objectness.max(class_score) };
        return if is_error { Err(error()) } else { Ok(()) };
    }
    if !ALL_SEMANTICS || filter.classes_of_anchor == ClassesOfAnchor::Best {
        if score >= least_score && filter.wants(class_id) {
            candidates.push(box_values, score, class_id, anchor)?;
        }
        return Ok(());
    }
    consider_products::<T, M, N>(numbers, box_values, objectness, anchor, (class_id, score), filter, candidates)
}

#[inline(always)]
fn consider_products<T: Element, M: Meaning<T>, N: Numbers<T>>(
    numbers: N,
    box_values: [f32; 4],
    objectness: f32,
    anchor: Anchor,
    best: (usize, f32),
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let least_score = filter.least_score;
    let mut push = |class_id, score| {
        let counts = score >= least_score && filter.wants(class_id);
        if counts { candidates.push(box_values, score, class_id, anchor) } else { Ok(()) }
    };
    let product = |class_id| objectness * M::score(numbers.class_score(class_id));
    if filter.classes_of_anchor == ClassesOfAnchor::All {
        for start in (0..numbers.num_classes()).step_by(LANES) {
            let class_ids = start..numbers.num_classes().min(start + LANES);
            if class_ids.clone().fold(false, |any, class_id| any | (product(class_id) >= least_score)) {
                class_ids.into_iter().try_for_each(|class_id| push(class_id, product(class_id)))?;
            }
        }
        return Ok(());
    }
    let (class_id, score) = if objectness >= 0.0 {
        let first = (0..best.0).find(|class_id| product(*class_id) >= best.1);
        (first.unwrap_or(best.0), best.1)
    } else {
        first_of_highest((0..numbers.num_classes()).map(product))
    };
    push(class_id, score)
}
