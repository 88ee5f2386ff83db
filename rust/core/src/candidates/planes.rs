//! Candidates among planes. They are read for [`LANES`] anchors at once, if one of them passes the gate: the numbers of a
//! class that lie beside each other are in the same cache line.

use std::ops::Range;

use super::consider::{Considered, consider, may_count};
use super::meaning::{Meaning, higher};
use super::numbers::{Numbers, OfPlanes};
use super::scores::LANES;
use super::{Candidates, Search};
use crate::raw::Planes;
use crate::{Element, Error};

/// Bytes from one cache line to the next. A group of anchors begins with one, so that it is read as few of them.
const CACHE_LINE: usize = 64;

#[inline(always)]
pub(super) fn find_planes<T: Element, M: Meaning<T>>(
    planes: Planes<'_, T>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let objectness = planes.objectness();
    let until_a_line = planes.class_scores().as_ptr().align_offset(CACHE_LINE).min(objectness.len());
    let last_group = until_a_line + (objectness.len() - until_a_line) / LANES * LANES;
    find_singly::<T, M>(planes, 0..until_a_line, search, candidates)?;
    let gate = M::gate(search.filter.least_score);
    for start in (until_a_line..last_group).step_by(LANES) {
        let Some(objectness) = objectness[start..].first_chunk::<LANES>() else { break };
        if objectness.iter().fold(false, |any, objectness| any | (M::key(*objectness) >= gate)) {
            let (highest, class_ids) = best_of::<T, M>(planes, start, search.filter.num_classes);
            let mut count = [false; LANES];
            for lane in 0..LANES {
                count[lane] = may_count::<T, M>(objectness[lane], highest[lane], search.filter);
            }
            for lane in (0..LANES).filter(|lane| count[*lane]) {
                let first = Some(class_ids[lane] as usize);
                consider_one::<T, M>(planes, start + lane, highest[lane], first, search, candidates)?;
            }
        }
    }
    find_singly::<T, M>(planes, last_group..objectness.len(), search, candidates)
}

/// Looks at anchors that make up no group.
#[inline(always)]
fn find_singly<T: Element, M: Meaning<T>>(
    planes: Planes<'_, T>,
    mut anchors: Range<usize>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let num_classes = search.filter.num_classes;
    let gate = M::gate(search.filter.least_score);
    anchors.try_for_each(|anchor| {
        if M::key(planes.objectness()[anchor]) >= gate {
            let scores = OfPlanes { planes, num_classes, anchor }.class_scores();
            let highest = scores.fold(M::LEAST, |highest, score| higher(highest, M::key(score)));
            consider_one::<T, M>(planes, anchor, highest, None, search, candidates)?;
        }
        Ok(())
    })
}

#[inline(always)]
fn consider_one<T: Element, M: Meaning<T>>(
    planes: Planes<'_, T>,
    anchor: usize,
    highest: M::Key,
    first: Option<usize>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let considered = Considered {
        index: search.first + anchor,
        anchor: search.anchors[anchor],
        objectness: planes.objectness()[anchor],
        numbers: OfPlanes { planes, num_classes: search.filter.num_classes, anchor },
        highest,
        first,
    };
    consider::<T, M, _, true>(considered, search.filter, candidates)
}

/// For each of [`LANES`] anchors from the `start` on the greatest key of its class scores, and the first class that has it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
fn best_of<T: Element, M: Meaning<T>>(
    planes: Planes<'_, T>,
    start: usize,
    num_classes: usize,
) -> ([M::Key; LANES], [u32; LANES]) {
    let (mut highest, mut class_ids) = ([M::LEAST; LANES], [0; LANES]);
    let planes = planes.class_scores().chunks_exact(planes.anchors()).take(num_classes);
    for (class_id, plane) in planes.enumerate() {
        let Some(scores) = plane[start..].first_chunk::<LANES>() else { break };
        for lane in 0..LANES {
            let key = M::key(scores[lane]);
            class_ids[lane] = if key > highest[lane] { class_id as u32 } else { class_ids[lane] };
            highest[lane] = higher(highest[lane], key);
        }
    }
    (highest, class_ids)
}
