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
//! anchors is compared without a branch ([`rows`]). Quantized networks may exceed 1 by a rounding step, so the gate
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
//! Of planes, some anchors that lie beside each other are read at once if one of them passes the gate.
//!
//! Boxes are decoded when all candidates are known, several at once.

mod consider;
mod labelled;
mod meaning;
mod numbers;
mod planes;
mod rows;
mod scores;

use crate::decode::{corners, decode_boxes};
use crate::element::is_finite;
use crate::level::by_level;
use crate::raw::{Part, Planes, Rows};
use crate::semantics::ClassesOfAnchor;
use crate::{Anchor, Element, Error, Form, Level, RawOutput, memory};
use labelled::find_labelled;
use meaning::{Logit, Probability};
use planes::find_planes;
use rows::find_rows;

/// Largest objectness or class score that is accepted: 1, and room for the rounding of quantized networks.
pub const SCORE_LIMIT: f32 = 1.0625;

/// Largest logarithm of a width or height that is accepted: of 22026 strides.
pub const LOG_SIZE_LIMIT: f32 = 10.0;

/// What makes an anchor a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) num_classes: usize,
    pub(crate) least_score: f32,
    /// For each class whether it is wanted; `None` for all.
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

/// What is searched for in one part of a raw output.
#[derive(Clone, Copy, Debug)]
struct Search<'a> {
    /// Number of its first anchor.
    first: usize,
    /// Its anchors, and those of the parts behind it.
    anchors: &'a [Anchor],
    filter: Filter<'a>,
}

/// Anchors that passed, in order: parallel arrays. With several classes, an anchor is there several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    /// `x1, y1, x2, y2` in network pixels, or in image pixels if the semantics count those.
    pub(crate) boxes: Vec<[f32; 4]>,
    /// NaN for a box that is not finite in image pixels: it is not a candidate.
    pub(crate) scores: Vec<f32>,
    pub(crate) class_ids: Vec<u32>,
    anchors: Vec<Anchor>,
}

impl Candidates {
    pub(crate) fn bytes(&self) -> usize {
        let numbers = memory::bytes_of(&self.boxes) + memory::bytes_of(&self.scores);
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

/// Replaces `candidates` by those of a raw output; `anchors` are as many as it has, unless it is finished.
pub(crate) fn find_candidates<T: Element>(
    level: Level,
    raw: RawOutput<'_, T>,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    candidates.clear();
    if let RawOutput::Labelled(rows) = raw {
        find_labelled(rows, filter, candidates)?;
        place_labelled(level, filter, candidates);
        return Ok(());
    }
    let mut first = 0;
    for part in raw.parts() {
        let of_part = Search { first, anchors: &anchors[first..], filter };
        match *part {
            Part::Rows(rows) if filter.classes_of_anchor == ClassesOfAnchor::Best && !filter.form.logits => {
                find_best_in_rows(level, rows, of_part, candidates)?;
            }
            Part::Rows(rows) => find_in_rows(level, rows, of_part, candidates)?,
            Part::Planes(planes) => find_in_planes(level, planes, of_part, candidates)?,
        }
        first += part.anchors();
    }
    place(level, filter, candidates)
}

// Each is a function of its own: in one, each loop would be slower for the others.
by_level! {
    fn find_best_in_rows<T: Element>(
        rows: Rows<'_, T>,
        search: Search<'_>,
        candidates: &mut Candidates,
    ) -> Result<(), Error> = find_best_in_rows_body
}

by_level! {
    fn find_in_rows<T: Element>(
        rows: Rows<'_, T>,
        search: Search<'_>,
        candidates: &mut Candidates,
    ) -> Result<(), Error> = find_in_rows_body
}

by_level! {
    fn find_in_planes<T: Element>(
        planes: Planes<'_, T>,
        search: Search<'_>,
        candidates: &mut Candidates,
    ) -> Result<(), Error> = find_in_planes_body
}

by_level! {
    /// From the four values of each candidate to its corners.
    fn place(filter: Filter<'_>, candidates: &mut Candidates) -> Result<(), Error> = place_body
}

by_level! {
    fn place_labelled(filter: Filter<'_>, candidates: &mut Candidates) = place_labelled_body
}

#[inline(always)]
fn find_best_in_rows_body<T: Element>(
    rows: Rows<'_, T>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    find_rows::<T, Probability, false>(rows, search, candidates)
}

#[inline(always)]
fn find_in_rows_body<T: Element>(
    rows: Rows<'_, T>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    if search.filter.form.logits {
        find_rows::<T, Logit, true>(rows, search, candidates)
    } else {
        find_rows::<T, Probability, true>(rows, search, candidates)
    }
}

#[inline(always)]
fn find_in_planes_body<T: Element>(
    planes: Planes<'_, T>,
    search: Search<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    if search.filter.form.logits {
        find_planes::<T, Logit>(planes, search, candidates)
    } else {
        find_planes::<T, Probability>(planes, search, candidates)
    }
}

#[inline(always)]
fn place_body(filter: Filter<'_>, candidates: &mut Candidates) -> Result<(), Error> {
    if !filter.form.decoded {
        check_log_sizes(&candidates.boxes)?;
        decode_boxes(candidates.boxes.as_flattened_mut(), 4, &candidates.anchors);
    }
    place_corners(candidates, filter, corners);
    Ok(())
}

#[inline(always)]
fn place_labelled_body(filter: Filter<'_>, candidates: &mut Candidates) {
    place_corners(candidates, filter, |xyxy| xyxy);
}

/// What is not finite in the image is not a candidate any more.
#[inline(always)]
fn place_corners(candidates: &mut Candidates, filter: Filter<'_>, corners_of: impl Fn([f32; 4]) -> [f32; 4]) {
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
