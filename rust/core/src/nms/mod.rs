//! Greedy non-maximum suppression.
//!
//! ```text
//! for each box, best score first (equal scores: lower index first):
//!     keep it, unless its IoU with a box that was kept, of the same class, is above the threshold
//! ```
//!
//! The same boxes come out, in the same order, but
//!
//! 1. boxes are sorted by one integer each, made of score and index ([`order`]);
//! 2. each class is a problem of its own, so its boxes are brought together first ([`groups`]);
//! 3. a box is compared with many kept ones at once ([`kept`]);
//! 4. where many of a class were kept, only with those that lie near ([`cells`]).

mod cells;
mod groups;
mod kept;
mod order;

use crate::level::by_level;
use crate::memory::{self, Refused};
use crate::pool::{Pool, Scratch};
use crate::{Error, Level};
use cells::Cells;
use groups::Groups;
use kept::{Kept, Measure, Pixels, Plain, Threshold};

pub(crate) type Box4 = [f32; 4];

/// A box is compared with all kept boxes of its class while they are fewer than this; then only with those near.
const MANY: usize = if cfg!(fuzzing) { 8 } else { 768 };

static WORKSPACES: Pool<Workspace> = Pool::new();

/// Memory that suppression needs, to be used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    keys: Vec<u64>,
    keys_buffer: Vec<u64>,
    groups: Groups,
    boxes: Vec<Box4>,
    is_kept: Vec<bool>,
    kept: Kept,
    cells: Cells,
}

impl Scratch for Workspace {
    fn bytes(&self) -> usize {
        let keys = memory::bytes_of(&self.keys) + memory::bytes_of(&self.keys_buffer);
        let boxes = memory::bytes_of(&self.boxes) + memory::bytes_of(&self.is_kept);
        keys + boxes + self.groups.bytes() + self.kept.bytes() + self.cells.bytes()
    }
}

/// Returns the indices of the boxes that are kept, best score first.
///
/// `boxes` are `x1, y1, x2, y2`. Without `class_ids` all boxes suppress one another. IoU is plain (no +1 on widths and
/// heights), in `f32`; two boxes without area have none. A box whose corners or score are not finite is never kept.
///
/// # Errors
/// Arrays of different lengths, or 2^32 boxes or more; a threshold outside 0..=1; too little memory.
pub fn nms(
    level: Level,
    boxes: &[Box4],
    scores: &[f32],
    class_ids: Option<&[i64]>,
    iou_threshold: f32,
) -> Result<Vec<usize>, Error> {
    check_threshold("iou_threshold", iou_threshold)?;
    check_length("scores", scores.len(), boxes.len())?;
    if let Some(class_ids) = class_ids {
        check_length("class_ids", class_ids.len(), boxes.len())?;
    }
    if u32::try_from(boxes.len()).is_err() {
        return Err(Error::TooManyBoxes(boxes.len()));
    }
    let class_of = class_ids.map(|class_ids| |index: usize| class_ids[index]);
    let overlap = Overlap { iou_threshold, counts_pixels: false };
    WORKSPACES.with(|workspace| {
        suppress(level, boxes, scores, class_of, overlap, workspace)?;
        memory::try_collect(workspace.kept())
    })
}

/// How much boxes may overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap {
    pub(crate) iou_threshold: f32,
    /// Whether corners are pixels, both of which count: a box from 2 to 5 is 4 wide.
    pub(crate) counts_pixels: bool,
}

impl Workspace {
    /// Puts all boxes whose corners and score are finite in order, as if none suppressed another.
    pub(crate) fn keep_all(&mut self, boxes: &[Box4], scores: &[f32]) -> Result<(), Refused> {
        order::sort(boxes, scores, &mut self.keys, &mut self.keys_buffer)
    }

    /// Drops all boxes but the best ones.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.keys.truncate(len);
    }

    /// Puts the boxes of each class together, the best first, classes in order.
    pub(crate) fn order_by_class(&mut self, class_of: impl Fn(usize) -> u32) {
        self.keys.sort_unstable_by_key(|key| (class_of(order::index(*key)), *key));
    }

    /// The indices of the boxes that were kept, best score first.
    pub(crate) fn kept(&self) -> impl ExactSizeIterator<Item = usize> {
        self.keys.iter().map(|key| order::index(*key))
    }
}

/// Finds the boxes that are kept, for [`Workspace::kept`]. The arguments have been checked.
pub(crate) fn suppress<F: Fn(usize) -> i64>(
    level: Level,
    boxes: &[Box4],
    scores: &[f32],
    class_of: Option<F>,
    overlap: Overlap,
    workspace: &mut Workspace,
) -> Result<(), Refused> {
    workspace.keep_all(boxes, scores)?;
    let Workspace { keys, groups, boxes: grouped, .. } = workspace;
    match class_of {
        Some(class_of) => groups.split(keys.iter().map(|key| class_of(order::index(*key))))?,
        None => groups.join(keys.len())?,
    }
    memory::refill(grouped, groups.positions().iter().map(|position| boxes[order::index(keys[*position as usize])]))?;
    if overlap.counts_pixels {
        suppress_groups(level, Threshold::<Pixels>::new(overlap.iou_threshold), workspace)
    } else {
        suppress_groups(level, Threshold::<Plain>::new(overlap.iou_threshold), workspace)
    }
}

fn suppress_groups<M: Measure>(
    level: Level,
    threshold: Threshold<M>,
    workspace: &mut Workspace,
) -> Result<(), Refused> {
    let Workspace { keys, groups, boxes, is_kept, kept, cells, .. } = workspace;
    memory::fill(is_kept, false, keys.len())?;
    for group in groups.iter() {
        let (boxes, positions) = (&boxes[group.clone()], &groups.positions()[group]);
        let seen = suppress_few(level, boxes, positions, threshold, kept, is_kept)?;
        if seen < boxes.len() {
            suppress_many(level, boxes, positions, seen, threshold, cells, is_kept)?;
        }
    }
    let mut is_kept = is_kept.iter();
    keys.retain(|_| is_kept.next() == Some(&true));
    Ok(())
}

by_level! {
    /// Marks which of the boxes of one class, best first, are kept: those at these positions. Stops when many are, and
    /// returns how many boxes it has seen.
    fn suppress_few<M: Measure>(
        boxes: &[Box4],
        positions: &[u32],
        threshold: Threshold<M>,
        kept: &mut Kept,
        is_kept: &mut [bool],
    ) -> Result<usize, Refused> = suppress_few_body
}

#[inline(always)]
fn suppress_few_body<M: Measure>(
    boxes: &[Box4],
    positions: &[u32],
    threshold: Threshold<M>,
    kept: &mut Kept,
    is_kept: &mut [bool],
) -> Result<usize, Refused> {
    kept.clear();
    for (number, (candidate, position)) in boxes.iter().zip(positions).enumerate() {
        if kept.len() == MANY {
            return Ok(number);
        }
        if !kept.suppresses(*candidate, threshold) {
            kept.push(*candidate, threshold)?;
            is_kept[*position as usize] = true;
        }
    }
    Ok(boxes.len())
}

by_level! {
    /// Goes on where [`suppress_few`] stopped, with a search for the boxes that lie near.
    fn suppress_many<M: Measure>(
        boxes: &[Box4],
        positions: &[u32],
        seen: usize,
        threshold: Threshold<M>,
        cells: &mut Cells,
        is_kept: &mut [bool],
    ) -> Result<(), Refused> = suppress_many_body
}

#[inline(always)]
fn suppress_many_body<M: Measure>(
    boxes: &[Box4],
    positions: &[u32],
    seen: usize,
    threshold: Threshold<M>,
    cells: &mut Cells,
    is_kept: &mut [bool],
) -> Result<(), Refused> {
    cells.prepare(boxes)?;
    let mut both = boxes.iter().zip(positions);
    for (corners, position) in both.by_ref().take(seen) {
        if is_kept[*position as usize] {
            cells.push(*corners, threshold)?;
        }
    }
    for (candidate, position) in both {
        is_kept[*position as usize] = cells.push_unless_suppressed(*candidate, threshold)?;
    }
    Ok(())
}

pub(crate) fn check_threshold(name: &'static str, value: f32) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Threshold { name, value }) }
}

fn check_length(name: &'static str, actual: usize, boxes: usize) -> Result<(), Error> {
    if actual == boxes { Ok(()) } else { Err(Error::Length { name, actual, boxes }) }
}
