//! Raw outputs whose anchors are labelled: the network gives the best class and its score.

use super::{Candidates, Filter, SCORE_LIMIT};
use crate::element::is_finite;
use crate::raw::Rows;
use crate::{Anchor, Element, Error, LABELLED_COLUMNS};

/// Adds the rows to the candidates that are one.
#[inline(always)]
pub(super) fn find_labelled<T: Element>(
    rows: Rows<'_, T>,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    // Networks fill up what they have found with rows of zeros.
    let least_score = if filter.form.finished { filter.least_score.max(0.0_f32.next_up()) } else { filter.least_score };
    for (anchor, row) in rows.values().as_chunks::<LABELLED_COLUMNS>().0.iter().enumerate() {
        let row = row.map(Element::to_f32);
        let [x1, y1, x2, y2, score, label] = row;
        if score < least_score || !row.into_iter().all(is_finite) {
            continue;
        }
        if score > SCORE_LIMIT {
            return Err(Error::ScoreAboveLimit { anchor, score });
        }
        let class_id = class_of(label, anchor, filter.num_classes)?;
        if filter.wants(class_id) {
            candidates.push([x1, y1, x2, y2], score, class_id, Anchor { x: 0.0, y: 0.0, stride: 1.0 })?;
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers that do not survive it are errors"
)]
fn class_of(label: f32, anchor: usize, num_classes: usize) -> Result<usize, Error> {
    let class_id = label as usize;
    if label >= 0.0 && label.fract() == 0.0 && class_id < num_classes {
        return Ok(class_id);
    }
    Err(Error::Label { anchor, class_id: label, num_classes })
}
