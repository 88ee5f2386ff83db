//! Candidates among rows.

use super::consider::{Considered, consider};
use super::meaning::Meaning;
use super::scores::greatest;
use super::{Candidates, Search};
use crate::raw::{OBJECTNESS, Rows};
use crate::{BOX_COLUMNS, Element, Error};

/// Columns of networks for one class, and for the 80 of COCO. Where the compiler knows how many there are, it unrolls all
/// loops over them: 0.8 and 0.9 of the time.
const ONE_CLASS: usize = BOX_COLUMNS + 1;
const COCO: usize = BOX_COLUMNS + 80;

/// Anchors per branch: one bit each.
const BLOCK: usize = 64;

/// Anchors for each round of the loop over a block.
const UNROLLED: usize = 16;

/// The bit of the first anchor of a block.
const FIRST: u64 = 1 << 63;

#[inline(always)]
pub(super) fn find_rows<T: Element, M: Meaning<T>, const ALL_SEMANTICS: bool>(
    rows: Rows<'_, T>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let mut find = |columns, num_classes| {
        find_rows_of::<T, M, ALL_SEMANTICS>(rows.values(), columns, num_classes, search, candidates)
    };
    match (rows.columns(), search.filter.num_classes) {
        (ONE_CLASS, 1) => find(ONE_CLASS, 1),
        (COCO, 80) => find(COCO, 80),
        (columns, num_classes) => find(columns, num_classes),
    }
}

#[inline(always)]
fn find_rows_of<T: Element, M: Meaning<T>, const ALL_SEMANTICS: bool>(
    rows: &[T],
    columns: usize,
    num_classes: usize,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let Search { first, anchors, filter } = search;
    let gate = M::gate(filter.least_score);
    for (block, rows) in rows.chunks(BLOCK * columns).enumerate() {
        for offset in numbers(passing_rows::<T, M>(rows, columns, gate)) {
            let number = block * BLOCK + offset;
            let row = &rows[offset * columns..][..BOX_COLUMNS + num_classes];
            let considered = Considered {
                index: first + number,
                anchor: anchors[number],
                objectness: row[OBJECTNESS],
                numbers: row,
                highest: greatest::<T, M>(&row[BOX_COLUMNS..]),
                first: None,
            };
            consider::<T, M, &[T], ALL_SEMANTICS>(considered, filter, candidates)?;
        }
    }
    Ok(())
}

/// One bit for each of at most [`BLOCK`] rows, the highest for the first: whether its objectness passes the gate.
///
/// Shifted in one after the other, which is faster than what a vectorizer makes of a mask: gathers.
#[inline(always)]
fn passing_rows<T: Element, M: Meaning<T>>(rows: &[T], columns: usize, gate: M::Key) -> u64 {
    let mut bits = 0;
    let mut shift_in = |objectness: T| bits = bits << 1 | u64::from(M::key(objectness) >= gate);
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

/// The numbers of the anchors whose bits are set.
#[inline(always)]
fn numbers(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let number = bits.leading_zeros() as usize;
            bits ^= FIRST >> number;
            number
        })
    })
}
