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
//! leaves room up to [`SCORE_LIMIT`]; scores above that are an error, not a detection.
//!
//! Of a row that passes, the highest class score is found first, [`LANES`] classes at a time, together with the largest
//! magnitude, which tells whether all numbers are finite. Which class it is matters only if the score passes, too.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays")]

use crate::decode::{corners, decode_box};
use crate::level::by_level;
use crate::raw::OBJECTNESS;
use crate::{Anchor, BOX_COLUMNS, Element, Error, RawOutput};

/// Largest objectness or class score that is accepted: 1, and room for the rounding of quantized networks.
pub const SCORE_LIMIT: f32 = 1.0625;

/// Anchors per branch of the gate: one bit each.
const BLOCK: usize = 64;

/// Class scores compared at once.
const LANES: usize = 16;

/// Magnitude of infinity as bits; those of NaN are above.
const INFINITY_BITS: u32 = 0x7f80_0000;

/// What makes an anchor a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) score_threshold: f32,
    /// Network pixels per image pixel.
    pub(crate) scale: f32,
    /// For each class whether it is wanted; all are if there is none.
    pub(crate) wanted: Option<&'a [bool]>,
}

/// Anchors that passed, in order: parallel arrays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    /// `x1, y1, x2, y2` in network pixels.
    pub(crate) boxes: Vec<[f32; 4]>,
    pub(crate) scores: Vec<f32>,
    pub(crate) class_ids: Vec<u32>,
}

impl Candidates {
    fn clear(&mut self) {
        self.boxes.clear();
        self.scores.clear();
        self.class_ids.clear();
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
    let columns = raw.columns();
    let gate = T::gate(filter.score_threshold, SCORE_LIMIT);
    let mut widened = Vec::new();
    for (number, rows) in raw.values().chunks(BLOCK * columns).enumerate() {
        let mut bits = passing(rows, columns, gate);
        while bits != 0 {
            let offset = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let row = T::widen(&rows[offset * columns..][..columns], &mut widened);
            let index = number * BLOCK + offset;
            consider(row, index, anchors[index], filter, candidates)?;
        }
    }
    Ok(())
}

/// One bit for each of at most [`BLOCK`] rows: whether its objectness passes the gate.
#[inline(always)]
fn passing<T: Element>(rows: &[T], columns: usize, gate: T::Gate) -> u64 {
    let mut bits = 0;
    for (offset, row) in rows.chunks_exact(columns).enumerate() {
        bits |= u64::from(row[OBJECTNESS].passes(gate)) << offset;
    }
    bits
}

/// Adds a row to the candidates if it is one.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "class ids are below MAX_CLASSES")]
fn consider(
    row: &[f32],
    index: usize,
    anchor: Anchor,
    filter: Filter<'_>,
    candidates: &mut Candidates,
) -> Result<(), Error> {
    let (head, class_scores) = row.split_at(BOX_COLUMNS);
    let (highest, mut magnitude) = highest_and_magnitude(class_scores);
    for value in head {
        magnitude = magnitude.max(magnitude_bits(*value));
    }
    if magnitude >= INFINITY_BITS {
        return Ok(());
    }
    let objectness = head[OBJECTNESS];
    if objectness > SCORE_LIMIT || highest > SCORE_LIMIT {
        return Err(Error::ScoreAboveLimit { anchor: index, score: objectness.max(highest) });
    }
    if objectness * highest < filter.score_threshold {
        return Ok(());
    }
    let class_id = first(class_scores, highest);
    if filter.wanted.is_some_and(|wanted| !wanted[class_id]) {
        return Ok(());
    }
    let xyxy = corners(decode_box(head, anchor));
    if xyxy.iter().all(|value| (value / filter.scale).is_finite()) {
        candidates.boxes.push(xyxy);
        candidates.scores.push(objectness * class_scores[class_id]);
        candidates.class_ids.push(class_id as u32);
    }
    Ok(())
}

/// The highest score, and the largest magnitude as bits.
#[inline(always)]
fn highest_and_magnitude(scores: &[f32]) -> (f32, u32) {
    let mut highest = [f32::NEG_INFINITY; LANES];
    let mut magnitude = [0; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            highest[lane] = if chunk[lane] > highest[lane] { chunk[lane] } else { highest[lane] };
            magnitude[lane] = magnitude[lane].max(magnitude_bits(chunk[lane]));
        }
    }
    for (lane, score) in rest.iter().enumerate() {
        highest[lane] = if *score > highest[lane] { *score } else { highest[lane] };
        magnitude[lane] = magnitude[lane].max(magnitude_bits(*score));
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = lane + half;
            highest[lane] = if highest[other] > highest[lane] { highest[other] } else { highest[lane] };
            magnitude[lane] = magnitude[lane].max(magnitude[other]);
        }
        half /= 2;
    }
    (highest[0], magnitude[0])
}

/// The first class of that score, which is one of them.
#[inline(always)]
#[expect(clippy::float_cmp, reason = "it was found among them")]
fn first(scores: &[f32], score: f32) -> usize {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for (number, chunk) in chunks.iter().enumerate() {
        let mut equal = 0_u32;
        for lane in 0..LANES {
            equal |= u32::from(chunk[lane] == score) << lane;
        }
        if equal != 0 {
            return number * LANES + equal.trailing_zeros() as usize;
        }
    }
    let mut class_id = chunks.len() * LANES;
    for other in rest {
        if *other == score {
            break;
        }
        class_id += 1;
    }
    class_id
}

#[inline(always)]
fn magnitude_bits(value: f32) -> u32 {
    value.to_bits() & 0x7fff_ffff
}
