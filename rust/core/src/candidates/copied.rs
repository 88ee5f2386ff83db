//! Parts of a raw output in which an anchor's numbers do not lie as they are needed: those of an anchor that passes the
//! gate are copied into a row.

use super::consider::consider;
use super::gate::{BLOCK, Gate, Logit, Probability, numbers, passing_plane, passing_rows};
use super::{Candidates, Filter};
use crate::exponential::sigmoid;
use crate::raw::{OBJECTNESS, Planes, Rows};
use crate::{Anchor, BOX_COLUMNS, Element, Error, memory};

/// A part whose anchors are copied into rows.
pub(super) trait Copied<T> {
    /// For each block of anchors, which of them pass.
    fn passing(&self, gate: impl Gate<T>) -> impl Iterator<Item = u64>;

    /// All numbers of one anchor.
    fn row(&self, anchor: usize) -> impl Iterator<Item = T>;
}

impl<T: Element> Copied<T> for Rows<'_, T> {
    #[inline(always)]
    fn passing(&self, gate: impl Gate<T>) -> impl Iterator<Item = u64> {
        self.values().chunks(BLOCK * self.columns()).map(move |rows| passing_rows(rows, self.columns(), gate))
    }

    #[inline(always)]
    fn row(&self, anchor: usize) -> impl Iterator<Item = T> {
        self.values()[anchor * self.columns()..][..self.columns()].iter().copied()
    }
}

impl<T: Element> Copied<T> for Planes<'_, T> {
    #[inline(always)]
    fn passing(&self, gate: impl Gate<T>) -> impl Iterator<Item = u64> {
        self.objectness().chunks(BLOCK).map(move |objectness| passing_plane(objectness, gate))
    }

    #[inline(always)]
    fn row(&self, anchor: usize) -> impl Iterator<Item = T> {
        Planes::row(self, anchor)
    }
}

#[inline(always)]
pub(super) fn find_copied<T: Element>(
    part: &impl Copied<T>,
    first: usize,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    if filter.form.logits {
        find_passing(part, Logit::new(filter.least_score), first, anchors, filter, candidates)
    } else {
        find_passing(part, Probability::new(filter.least_score), first, anchors, filter, candidates)
    }
}

#[inline(always)]
fn find_passing<T: Element>(
    part: &impl Copied<T>,
    gate: impl Gate<T>,
    first: usize,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let columns = BOX_COLUMNS + filter.num_classes;
    let mut row = std::mem::take(&mut candidates.row);
    memory::fill(&mut row, 0.0, columns)?;
    for (block, bits) in part.passing(gate).enumerate() {
        for offset in numbers(bits) {
            let anchor = block * BLOCK + offset;
            for (value, copied) in part.row(anchor).zip(&mut row) {
                *copied = value.to_f32();
            }
            if filter.form.logits {
                for score in &mut row[OBJECTNESS..] {
                    *score = sigmoid(*score);
                }
            }
            consider::<_, true>(&row, first + anchor, anchors[first + anchor], filter, candidates)?;
        }
    }
    candidates.row = row;
    Ok(())
}
