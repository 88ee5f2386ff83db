//! From a raw output to the anchors that pass the score threshold.
//!
//! ```text
//! for each anchor:
//!     drop it unless objectness * best class score >= score threshold, and its class is wanted
//!     decode its box
//! ```
//!
//! Nearly all anchors of a real image see nothing. Class scores are at most 1, so the objectness alone drops them: the
//! other numbers of the row are not read. What that costs is memory, one cache line per anchor; so the objectness of many
//! anchors is compared without a branch ([`gate`]). Quantized networks may exceed 1 by a rounding step, so the gate
//! leaves room up to [`SCORE_LIMIT`]; scores above that are an error, not a detection. An anchor whose objectness times
//! that limit is below the threshold is not looked at, so its class scores may be anything.
//!
//! Another thread may write into the raw output meanwhile, which is that thread's fault. Then detections mean nothing,
//! but class ids stay in range, whatever is read, and however often.
//!
//! Of a row that passes, the highest class score decides, and after that, which class it is. All of this compares bits,
//! as integers without a sign, which keep the order of scores. A number that is negative or not finite comes after all
//! scores: as objectness it passes the gate, among class scores it is the highest, and its row is looked at once more,
//! number by number.
//!
//! Where the numbers of an anchor do not lie beside each other, or lack their sigmoid, those of an anchor that passes the
//! gate are copied into a row first.
//!
//! Boxes are decoded when all candidates are known, several at once.

mod consider;
mod copied;
mod gate;
mod labelled;
mod scores;

use crate::decode::{corners, decode_boxes};
use crate::level::by_level;
use crate::raw::{Part, Rows};
use crate::semantics::ClassesOfAnchor;
use crate::{Anchor, BOX_COLUMNS, Element, Error, Form, RawOutput, memory};
use consider::consider;
use copied::find_copied;
use gate::{BLOCK, Probability, numbers, passing_rows};
use labelled::find_labelled;
use scores::is_finite;

/// Largest objectness or class score that is accepted: 1, and room for the rounding of quantized networks.
pub const SCORE_LIMIT: f32 = 1.0625;

/// Largest logarithm of a width or height that is accepted: of 22026 strides.
pub const LOG_SIZE_LIMIT: f32 = 10.0;

/// Columns of networks for one class, and for the 80 of COCO. Where the compiler knows how many there are, it unrolls all
/// loops over them: 0.8 and 0.9 of the time.
const ONE_CLASS: usize = BOX_COLUMNS + 1;
const COCO: usize = BOX_COLUMNS + 80;

/// What makes an anchor a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) num_classes: usize,
    pub(crate) least_score: f32,
    /// For each class whether it is wanted; all are if there is none.
    pub(crate) wanted: Option<&'a [bool]>,
    pub(crate) classes_of_anchor: ClassesOfAnchor,
    /// Network pixels per image pixel.
    pub(crate) scale: f32,
    /// Whether boxes are suppressed in image pixels.
    pub(crate) counts_pixels: bool,
    pub(crate) form: Form,
}

impl Filter<'_> {
    #[inline(always)]
    fn wants(&self, class_id: usize) -> bool {
        self.wanted.is_none_or(|wanted| wanted[class_id])
    }
}

/// Anchors that passed, in order: parallel arrays. With several classes, an anchor is there several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    /// `x1, y1, x2, y2` in network pixels, or in image pixels if the semantics count those.
    pub(crate) boxes: Vec<[f32; 4]>,
    /// NaN for a box that is not finite in image pixels: it is no candidate.
    pub(crate) scores: Vec<f32>,
    pub(crate) class_ids: Vec<u32>,
    anchors: Vec<Anchor>,
    /// The numbers of one anchor.
    row: Vec<f32>,
}

impl Candidates {
    pub(crate) fn bytes(&self) -> usize {
        let numbers = memory::bytes_of(&self.boxes) + memory::bytes_of(&self.scores) + memory::bytes_of(&self.row);
        numbers + memory::bytes_of(&self.class_ids) + memory::bytes_of(&self.anchors)
    }

    fn clear(&mut self) {
        self.boxes.clear();
        self.scores.clear();
        self.class_ids.clear();
        self.anchors.clear();
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
    fn push(&mut self, box_values: [f32; 4], score: f32, class_id: usize, anchor: Anchor) -> Result<(), Error> {
        memory::push(&mut self.boxes, box_values)?;
        memory::push(&mut self.scores, score)?;
        memory::push(&mut self.class_ids, class_id as u32)?;
        memory::push(&mut self.anchors, anchor)?;
        Ok(())
    }
}

by_level! {
    /// Replaces `candidates` by those of a raw output; `anchors` are as many as it has, unless it is finished.
    pub(crate) fn find_candidates<T: Element>(
        raw: RawOutput<'_, T>,
        anchors: &[Anchor],
        filter: Filter<'_>,
        candidates: &mut Candidates,
    ) -> Result<(), Error> = find_candidates_body
}

#[inline(always)]
fn find_candidates_body<T: Element>(
    raw: RawOutput<'_, T>,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    candidates.clear();
    if let RawOutput::Labelled(rows) = raw {
        find_labelled(rows, filter, candidates)?;
        place(candidates, filter, |xyxy| xyxy);
        return Ok(());
    }
    let mut first = 0;
    for part in raw.parts() {
        find_in_part(*part, first, anchors, filter, candidates)?;
        first += part.anchors();
    }
    if !filter.form.decoded {
        let Candidates { boxes, anchors, .. } = candidates;
        check_log_sizes(boxes)?;
        decode_boxes(boxes.as_flattened_mut(), 4, anchors);
    }
    place(candidates, filter, corners);
    Ok(())
}

/// From the four values of each candidate to its corners. What is not finite in the image is no candidate any more.
#[inline(always)]
fn place(candidates: &mut Candidates, filter: Filter<'_>, corners_of: impl Fn([f32; 4]) -> [f32; 4]) {
    let Candidates { boxes, scores, .. } = candidates;
    let to_image = |xyxy: [f32; 4]| xyxy.map(|value| value / filter.scale);
    for (xyxy, score) in boxes.iter_mut().zip(scores) {
        *xyxy = corners_of(*xyxy);
        let is_finite = to_image(*xyxy).iter().fold(true, |all, value| all & is_finite(*value));
        *score = if is_finite { *score } else { f32::NAN };
    }
    if filter.counts_pixels {
        for xyxy in boxes {
            *xyxy = to_image(*xyxy);
        }
    }
}

#[inline(always)]
fn check_log_sizes(boxes: &[[f32; 4]]) -> Result<(), Error> {
    let is_above = |log_size: f32| log_size > LOG_SIZE_LIMIT;
    if boxes.iter().fold(false, |any, [.., w, h]| any | is_above(*w) | is_above(*h)) {
        return Err(Error::Decoded(boxes.iter().fold(0.0, |most, [.., w, h]| most.max(*w).max(*h))));
    }
    Ok(())
}

/// Finds the candidates of one part, whose anchors begin with the `first`; their boxes are as they stand there.
#[inline(always)]
fn find_in_part<T: Element>(
    part: Part<'_, T>,
    first: usize,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let num_classes = filter.num_classes;
    match part {
        Part::Rows(rows) if !filter.form.logits && filter.classes_of_anchor == ClassesOfAnchor::Best => {
            match (rows.columns(), num_classes) {
                (ONE_CLASS, 1) => find_rows(rows, ONE_CLASS, 1, first, anchors, filter, candidates),
                (COCO, 80) => find_rows(rows, COCO, 80, first, anchors, filter, candidates),
                (columns, _) => find_rows(rows, columns, num_classes, first, anchors, filter, candidates),
            }
        }
        Part::Rows(rows) => find_copied(&rows, first, anchors, filter, candidates),
        Part::Planes(planes) => find_copied(&planes, first, anchors, filter, candidates),
    }
}

#[inline(always)]
fn find_rows<T: Element>(
    rows: Rows<'_, T>,
    columns: usize,
    num_classes: usize,
    first: usize,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let gate = Probability::new(filter.least_score);
    for (block, rows) in rows.values().chunks(BLOCK * columns).enumerate() {
        for offset in numbers(passing_rows(rows, columns, gate)) {
            let index = first + block * BLOCK + offset;
            let row = &rows[offset * columns..][..BOX_COLUMNS + num_classes];
            consider::<_, false>(row, index, anchors[index], filter, candidates)?;
        }
    }
    Ok(())
}
