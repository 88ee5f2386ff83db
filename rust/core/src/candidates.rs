//! From a raw output to the anchors that pass the score threshold.
//!
//! ```text
//! for each anchor:
//!     drop it unless objectness * best class score >= score threshold, and its class is wanted
//!     decode its box
//! ```
//!
//! Nearly all anchors of a real image see nothing. Class scores are at most 1, so the objectness alone drops them: the
//! other numbers of the row are not read. What that costs is memory, one cache line per anchor; so the objectness of
//! [`BLOCK`] anchors is compared without a branch. Quantized networks may exceed 1 by a rounding step, so the gate
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
//! Boxes are decoded when all candidates are known, several at once.

use std::hint::black_box;

use crate::decode::{corners, decode_boxes};
use crate::level::by_level;
use crate::raw::OBJECTNESS;
use crate::{Anchor, BOX_COLUMNS, Element, Error, RawOutput, memory};

/// Largest objectness or class score that is accepted: 1, and room for the rounding of quantized networks.
pub const SCORE_LIMIT: f32 = 1.0625;

/// Anchors per branch of the gate: one bit each.
const BLOCK: usize = 64;

/// Anchors for each round of its loop.
const UNROLLED: usize = 16;

/// The bit of the first of them.
const FIRST: u64 = 1 << 63;

/// Columns of networks for one class, and for the 80 of COCO. Where the compiler knows how many there are, it unrolls all
/// loops over them: 0.8 and 0.9 of the time.
const ONE_CLASS: usize = BOX_COLUMNS + 1;
const COCO: usize = BOX_COLUMNS + 80;

/// Class scores compared at once.
const LANES: usize = 16;

/// What makes an anchor a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) score_threshold: f32,
    /// Network pixels per image pixel.
    pub(crate) scale: f32,
    /// For each class whether it is wanted; `None` for all.
    pub(crate) wanted: Option<&'a [bool]>,
}

/// Anchors that passed, in order: parallel arrays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    /// `x1, y1, x2, y2` in network pixels.
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
}

by_level! {
    /// Replaces `candidates` by those of a raw output; `anchors` are as many as it has rows.
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
    match raw.columns() {
        ONE_CLASS => find_rows(raw, ONE_CLASS, anchors, filter, candidates)?,
        COCO => find_rows(raw, COCO, anchors, filter, candidates)?,
        columns => find_rows(raw, columns, anchors, filter, candidates)?,
    }
    let Candidates { boxes, scores, anchors, .. } = candidates;
    decode_boxes(boxes.as_flattened_mut(), 4, anchors);
    for (xyxy, score) in boxes.iter_mut().zip(scores) {
        *xyxy = corners(*xyxy);
        let is_finite = xyxy.iter().fold(true, |all, value| all & is_finite(value / filter.scale));
        *score = if is_finite { *score } else { f32::NAN };
    }
    Ok(())
}

/// Finds the rows; their boxes are not decoded.
#[inline(always)]
fn find_rows<T: Element>(
    raw: RawOutput<'_, T>,
    columns: usize,
    anchors: &[Anchor],
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    // Rounding of the quotient, and of the product that has to reach the threshold, is worth less than two steps.
    let gate = T::least_bits((filter.score_threshold / SCORE_LIMIT).next_down().next_down());
    for (number, rows) in raw.values().chunks(BLOCK * columns).enumerate() {
        let mut bits = passing(rows, columns, gate);
        while bits != 0 {
            let offset = bits.leading_zeros() as usize;
            bits ^= FIRST >> offset;
            let index = number * BLOCK + offset;
            consider(&rows[offset * columns..][..columns], index, anchors[index], filter, candidates)?;
        }
    }
    Ok(())
}

/// One bit for each of at most [`BLOCK`] rows, the highest for the first: whether its objectness passes the gate.
///
/// Shifted in one after the other, which is faster than what a vectorizer makes of a mask: gathers.
#[inline(always)]
fn passing<T: Element>(rows: &[T], columns: usize, gate: T::Bits) -> u64 {
    let mut bits = 0;
    let mut shift_in = |objectness: T| bits = bits << 1 | u64::from(objectness.bits() >= gate);
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

/// Adds a row to the candidates if it is one; its box is left as it is.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
fn consider<T: Element>(
    row: &[T],
    index: usize,
    anchor: Anchor,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let (head, class_scores) = row.split_at(BOX_COLUMNS);
    let objectness = head[OBJECTNESS].to_f32();
    let highest = greatest(class_scores);
    let is_ordinary = highest < T::INFINITY;
    if is_ordinary && objectness * T::value(highest) < filter.score_threshold && objectness <= SCORE_LIMIT {
        return Ok(());
    }
    let (class_id, class_score) = if is_ordinary {
        (first(class_scores, highest), T::value(highest))
    } else if all_finite(class_scores) {
        highest_with_signs(class_scores)
    } else {
        return Ok(());
    };
    let box_values = [0, 1, 2, 3].map(|column| head[column].to_f32());
    if !box_values.iter().fold(is_finite(objectness), |all, value| all & is_finite(*value)) {
        return Ok(());
    }
    let score = objectness * class_score;
    if objectness > SCORE_LIMIT || class_score > SCORE_LIMIT {
        let passes = score >= filter.score_threshold && objectness * SCORE_LIMIT >= filter.score_threshold;
        let is_error = objectness > SCORE_LIMIT || passes;
        let error = || Error::ScoreAboveLimit { anchor: index, score: objectness.max(class_score) };
        return if is_error { Err(error()) } else { Ok(()) };
    }
    if score >= filter.score_threshold && filter.wanted.is_none_or(|wanted| wanted[class_id]) {
        memory::push(&mut candidates.boxes, box_values)?;
        memory::push(&mut candidates.scores, score)?;
        memory::push(&mut candidates.class_ids, class_id as u32)?;
        memory::push(&mut candidates.anchors, anchor)?;
    }
    Ok(())
}

/// Whether it is neither infinite nor NaN, by its bits: `f32::is_finite` becomes a vector instruction (`NEQ_OQ`) that
/// valgrind 3.19 takes NaN to be finite in.
#[inline(always)]
fn is_finite(value: f32) -> bool {
    value.abs().to_bits() < f32::INFINITY.to_bits()
}

/// Whether no number is infinite or NaN.
fn all_finite<T: Element>(values: &[T]) -> bool {
    values.iter().fold(true, |all, value| all & is_finite(value.to_f32()))
}

/// The greatest bits of these scores.
#[inline(always)]
fn greatest<T: Element>(scores: &[T]) -> T::Bits {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for chunk in chunks {
        one_by_one();
        for lane in 0..LANES {
            lanes[lane] = lanes[lane].max(chunk[lane].bits());
        }
    }
    let greatest = lanes.into_iter().fold(T::ZERO, T::Bits::max);
    rest.iter().fold(greatest, |greatest, score| greatest.max(score.bits()))
}

/// The first class of a score with these bits, which is one of them.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
fn first<T: Element>(scores: &[T], bits: T::Bits) -> usize {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [u32::MAX; LANES];
    for (number, chunk) in chunks.iter().enumerate().rev() {
        one_by_one();
        for lane in 0..LANES {
            let class_id = (number * LANES + lane) as u32;
            lanes[lane] = if chunk[lane].bits() == bits { class_id } else { lanes[lane] };
        }
    }
    let first = lanes.into_iter().fold(u32::MAX, u32::min);
    if first < u32::MAX {
        return first as usize;
    }
    let position = rest.iter().position(|score| score.bits() == bits);
    let class_id = chunks.len() * LANES + position.unwrap_or_default();
    class_id.min(scores.len() - 1) // if none has these bits any more
}

/// Keeps a compiler from taking many rounds of a loop at once: their numbers would be gathered, which is slow.
#[inline(always)]
fn one_by_one() {
    black_box(());
}

/// The first class of the highest score, where scores may be negative, and that score.
#[cold]
fn highest_with_signs<T: Element>(scores: &[T]) -> (usize, f32) {
    let scores = scores.iter().map(|score| score.to_f32()).enumerate();
    scores.fold((0, f32::NEG_INFINITY), |best, other| if other.1 > best.1 { other } else { best })
}
