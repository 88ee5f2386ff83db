//! From a raw output to detections.
//!
//! ```text
//! for each anchor:
//!     drop it unless objectness * best class score >= score threshold, and its class is wanted
//!     decode its box
//! suppress boxes that overlap a better one (of the same class, unless class-agnostic)
//! divide the boxes by the letterbox scale
//! ```
//!
//! Nearly all anchors of a real image see nothing. Class scores are at most 1, so the objectness alone drops them: the
//! other 84 numbers of the row are not read, and only the survivors are decoded. Quantized networks may exceed 1 by a
//! rounding step, so the gate leaves room up to [`SCORE_LIMIT`]; scores above that are an error, not a detection.

use crate::decode::{corners, decode, decode_box};
use crate::nms::{check_threshold, nms};
use crate::raw::OBJECTNESS;
use crate::{BOX_COLUMNS, Detections, Element, Error, Grid, RawOutput};

/// Largest objectness or class score that is accepted: 1, and room for the rounding of quantized networks.
pub const SCORE_LIMIT: f32 = 1.0625;

/// Most classes of one model.
pub(crate) const MAX_CLASSES: usize = 1 << 16;

/// What counts as a detection, for one call.
#[derive(Clone, Debug)]
pub struct Options {
    /// Network pixels per image pixel, as the letterbox returned it.
    pub scale: f32,
    /// Least objectness times class score.
    pub score_threshold: f32,
    /// Boxes that overlap a better one by more are suppressed.
    pub iou_threshold: f32,
    /// Whether boxes of different classes suppress one another.
    pub class_agnostic: bool,
    /// The classes to keep; anchors whose best class is another are dropped before suppression.
    pub class_ids: Option<Vec<usize>>,
    /// Keeps only this many of the best.
    pub max_detections: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scale: 1.0,
            score_threshold: 0.25,
            iou_threshold: 0.45,
            class_agnostic: false,
            class_ids: None,
            max_detections: None,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        check_threshold("score_threshold", self.score_threshold)?;
        check_threshold("iou_threshold", self.iou_threshold)?;
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(Error::Scale(self.scale));
        }
        if self.max_detections == Some(0) {
            return Err(Error::MaxDetections);
        }
        Ok(())
    }
}

/// Post-processing of one model: its grid and number of classes.
#[derive(Clone, Debug)]
pub struct PostProcessor {
    grid: Grid,
    num_classes: usize,
}

impl PostProcessor {
    /// Prepares for a model of `num_classes` classes on `grid`.
    ///
    /// # Errors
    /// No classes, or more than 65536.
    pub fn new(grid: Grid, num_classes: usize) -> Result<Self, Error> {
        if !(1..=MAX_CLASSES).contains(&num_classes) {
            return Err(Error::NumClasses(num_classes));
        }
        Ok(Self { grid, num_classes })
    }

    /// Decodes every row: `cx, cy, w, h` in network pixels, then objectness and class scores as they are.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has.
    pub fn decode<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<Vec<f32>, Error> {
        self.check_shape(raw)?;
        Ok(decode(raw, &self.grid))
    }

    /// Finds the detections of one image. Rows with a number that is not finite are no detections.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has, or with scores above [`SCORE_LIMIT`];
    /// options out of range.
    pub fn run<T: Element>(&self, raw: RawOutput<'_, T>, options: &Options) -> Result<Detections, Error> {
        options.check()?;
        self.check_shape(raw)?;
        let candidates = self.candidates(raw, options)?;
        let class_ids = (!options.class_agnostic).then_some(candidates.class_ids.as_slice());
        let mut kept = nms(&candidates.xyxy, &candidates.scores, class_ids, options.iou_threshold)?;
        kept.truncate(options.max_detections.unwrap_or(usize::MAX));
        Ok(Detections {
            xyxy: kept.iter().map(|&index| to_image(candidates.xyxy[index], options.scale)).collect(),
            scores: kept.iter().map(|&index| candidates.scores[index]).collect(),
            class_ids: kept.iter().map(|&index| candidates.class_ids[index]).collect(),
        })
    }

    fn check_shape<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<(), Error> {
        if raw.columns() != BOX_COLUMNS + self.num_classes {
            return Err(Error::Columns { actual: raw.columns(), num_classes: self.num_classes });
        }
        self.grid.check_anchors(raw.anchors())
    }

    /// The anchors that pass the score threshold, in order, with boxes in network pixels.
    #[expect(clippy::cast_possible_wrap, reason = "class ids are below MAX_CLASSES")]
    fn candidates<T: Element>(&self, raw: RawOutput<'_, T>, options: &Options) -> Result<Detections, Error> {
        let wanted = self.wanted_classes(options.class_ids.as_deref())?;
        let mut candidates = Detections::default();
        for (index, (row, &anchor)) in raw.rows().zip(self.grid.anchors()).enumerate() {
            let objectness = row[OBJECTNESS].to_f32();
            let may_pass = objectness * SCORE_LIMIT >= options.score_threshold;
            if !may_pass || !row.iter().all(|value| value.to_f32().is_finite()) {
                continue;
            }
            let (class_id, class_score) = best_class(&row[BOX_COLUMNS..]);
            let highest = objectness.max(class_score);
            if highest > SCORE_LIMIT {
                return Err(Error::ScoreAboveLimit { anchor: index, score: highest });
            }
            let score = objectness * class_score;
            if score < options.score_threshold || wanted.as_ref().is_some_and(|wanted| !wanted[class_id]) {
                continue;
            }
            let xyxy = corners(decode_box(row, anchor));
            if to_image(xyxy, options.scale).iter().all(|value| value.is_finite()) {
                candidates.xyxy.push(xyxy);
                candidates.scores.push(score);
                candidates.class_ids.push(class_id as i64);
            }
        }
        Ok(candidates)
    }

    fn wanted_classes(&self, class_ids: Option<&[usize]>) -> Result<Option<Vec<bool>>, Error> {
        let Some(class_ids) = class_ids else { return Ok(None) };
        let mut wanted = vec![false; self.num_classes];
        for &class_id in class_ids {
            let num_classes = self.num_classes;
            *wanted.get_mut(class_id).ok_or(Error::ClassId { class_id, num_classes })? = true;
        }
        Ok(Some(wanted))
    }
}

/// The highest class score and its class; of equal ones the first.
fn best_class<T: Element>(scores: &[T]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class_id, score) in scores.iter().enumerate() {
        let score = score.to_f32();
        if score > best.1 {
            best = (class_id, score);
        }
    }
    best
}

fn to_image(xyxy: [f32; 4], scale: f32) -> [f32; 4] {
    xyxy.map(|value| value / scale)
}
