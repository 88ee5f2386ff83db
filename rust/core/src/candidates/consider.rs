//! Whether one anchor, whose objectness passes the gate, is a candidate.

use super::scores::{all_finite, first, first_of_highest, greatest, is_finite};
use super::{Candidates, Filter, SCORE_LIMIT};
use crate::raw::OBJECTNESS;
use crate::semantics::ClassesOfAnchor;
use crate::{Anchor, BOX_COLUMNS, Element, Error};

/// Adds a row to the candidates if it is one; its box is left as it is. Where it is known that its best class counts, and
/// no other, the loop over rows is faster.
#[inline(always)]
pub(super) fn consider<T: Element, const ALL_SEMANTICS: bool>(
    row: &[T],
    index: usize,
    anchor: Anchor,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let least_score = filter.least_score;
    let (head, class_scores) = row.split_at(BOX_COLUMNS);
    let objectness = head[OBJECTNESS].to_f32();
    let highest = greatest(class_scores);
    let is_ordinary = highest < T::INFINITY;
    if is_ordinary && objectness * T::value(highest) < least_score && objectness <= SCORE_LIMIT {
        return Ok(());
    }
    let (class_id, class_score) = if is_ordinary {
        (first(class_scores, highest), T::value(highest))
    } else if all_finite(class_scores) {
        first_of_highest(class_scores.iter().map(|score| score.to_f32()))
    } else {
        return Ok(());
    };
    let box_values = [0, 1, 2, 3].map(|column| head[column].to_f32());
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
    if ALL_SEMANTICS && filter.classes_of_anchor != ClassesOfAnchor::Best {
        return consider_products(box_values, objectness, class_scores, anchor, filter, candidates);
    }
    if score >= least_score && filter.wants(class_id) {
        candidates.push(box_values, score, class_id, anchor)?;
    }
    Ok(())
}

/// Adds a row with the class of the highest product, or with all classes that pass.
fn consider_products<T: Element>(
    box_values: [f32; 4],
    objectness: f32,
    class_scores: &[T],
    anchor: Anchor,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let products = class_scores.iter().map(|score| objectness * score.to_f32());
    let best = first_of_highest(products.clone()).0;
    for (class_id, score) in products.enumerate() {
        let counts = filter.classes_of_anchor == ClassesOfAnchor::All || class_id == best;
        if counts && score >= filter.least_score && filter.wants(class_id) {
            candidates.push(box_values, score, class_id, anchor)?;
        }
    }
    Ok(())
}
