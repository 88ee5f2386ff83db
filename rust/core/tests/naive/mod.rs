//! Naive twins of the core, which follow the definitions and nothing else.

#![expect(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]

use yoloxfast_core::{BOX_COLUMNS, Detections, Error, Fit, LOG_SIZE_LIMIT, Options, SCORE_LIMIT, Semantics, Size};

pub(crate) type Box4 = [f32; 4];

/// The image that boxes are clipped to.
pub(crate) const IMAGE: Size = Size { height: 20, width: 50 };

/// What [`Options`] are made of.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) semantics: Semantics,
    pub(crate) score_threshold: f32,
    pub(crate) iou_threshold: f32,
    pub(crate) class_agnostic: bool,
    pub(crate) class_ids: Option<Vec<usize>>,
    pub(crate) max_detections: Option<usize>,
}

impl Wishes {
    pub(crate) fn options(&self, num_classes: usize) -> Options {
        let options = Options::new(num_classes).unwrap().semantics(self.semantics).class_agnostic(self.class_agnostic);
        let options = options.score_threshold(self.score_threshold).unwrap();
        let options = options.iou_threshold(self.iou_threshold).unwrap();
        let options = options.max_detections(self.max_detections).unwrap();
        if let Some(class_ids) = &self.class_ids { options.class_ids(class_ids).unwrap() } else { options }
    }

    fn passes(&self, score: f32) -> bool {
        match self.semantics {
            Semantics::Eval | Semantics::Demo => score >= self.score_threshold,
            Semantics::OnnxDemo | Semantics::OnnxDemoAware | Semantics::CppDemo => score > self.score_threshold,
        }
    }

    /// The classes of an anchor that count.
    fn classes(&self, objectness: f32, class_scores: &[f32]) -> Vec<usize> {
        let first_of_highest =
            |scores: &[f32]| (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
        let products: Vec<f32> = class_scores.iter().map(|score| objectness * score).collect();
        match self.semantics {
            Semantics::Eval | Semantics::Demo => vec![first_of_highest(class_scores)],
            Semantics::OnnxDemo => vec![first_of_highest(&products)],
            Semantics::OnnxDemoAware | Semantics::CppDemo => (0..class_scores.len()).collect(),
        }
    }
}

pub(crate) fn fit(scale: f32) -> Fit {
    Fit { scale, image_size: Some(IMAGE) }
}

/// Marks suppressed boxes pair by pair, best first. Plain IoU has 0 as `extra`.
pub(crate) fn naive_nms(
    boxes: &[Box4],
    scores: &[f32],
    class_ids: Option<&[i64]>,
    iou_threshold: f32,
    extra: f32,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.retain(|&i| scores[i].is_finite() && boxes[i].iter().all(|value| value.is_finite()));
    order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap());
    let mut suppressed = vec![false; boxes.len()];
    for (rank, &best) in order.iter().enumerate() {
        if suppressed[best] {
            continue;
        }
        for &other in &order[rank + 1..] {
            let same_class = class_ids.is_none_or(|ids| ids[best] == ids[other]);
            if same_class && naive_iou(boxes[best], boxes[other], extra) > iou_threshold {
                suppressed[other] = true;
            }
        }
    }
    order.into_iter().filter(|&i| !suppressed[i]).collect()
}

fn naive_iou(a: Box4, b: Box4, extra: f32) -> f32 {
    let overlap = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low]) + extra).max(0.0);
    let intersection = overlap(0) * overlap(1);
    let area = |c: Box4| (c[2] - c[0] + extra) * (c[3] - c[1] + extra);
    intersection / (area(a) + area(b) - intersection)
}

/// Looks at every class of every anchor, after all have been decoded.
pub(crate) fn naive_run(
    decoded: &[f32],
    raw: &[f32],
    num_classes: usize,
    scale: f32,
    wishes: &Wishes,
) -> Result<Detections, Error> {
    let columns = BOX_COLUMNS + num_classes;
    let counts_pixels = matches!(wishes.semantics, Semantics::OnnxDemo | Semantics::OnnxDemoAware);
    let to_image = |corners: Box4| corners.map(|value| value / scale);
    let (mut boxes, mut in_image, mut scores, mut class_ids) = (vec![], vec![], vec![], vec![]);
    let mut log_size = 0.0_f32;
    for (anchor, (row, raw_row)) in decoded.chunks(columns).zip(raw.chunks(columns)).enumerate() {
        let (objectness, class_scores) = (row[4], &row[BOX_COLUMNS..]);
        let highest = class_scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let is_looked_at = highest <= SCORE_LIMIT || wishes.passes(objectness * SCORE_LIMIT);
        let is_above = highest > SCORE_LIMIT && wishes.passes(objectness * highest) && is_looked_at;
        if (objectness > SCORE_LIMIT || is_above) && raw_row.iter().all(|value| value.is_finite()) {
            return Err(Error::ScoreAboveLimit { anchor, score: objectness.max(highest) });
        }
        let [cx, cy, w, h] = [row[0], row[1], row[2], row[3]];
        let corners = [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0];
        let raw_is_finite = raw_row.iter().all(|value| value.is_finite());
        let finite = raw_is_finite && to_image(corners).iter().all(|value| value.is_finite());
        for class_id in wishes.classes(objectness, class_scores) {
            let wanted = wishes.class_ids.as_ref().is_none_or(|ids| ids.contains(&class_id));
            let score = objectness * class_scores[class_id];
            let counts = wanted && is_looked_at && wishes.passes(score);
            if counts && raw_is_finite {
                log_size = log_size.max(raw_row[2]).max(raw_row[3]);
            }
            if counts && finite {
                boxes.push(if counts_pixels { to_image(corners) } else { corners });
                in_image.push(to_image(corners));
                scores.push(score);
                class_ids.push(class_id as i64);
            }
        }
    }
    if boxes.is_empty() && raw.chunks(columns).all(|row| row.iter().any(|value| !value.is_finite())) {
        return Err(Error::NeverFinite);
    }
    if log_size > LOG_SIZE_LIMIT {
        return Err(Error::Decoded(log_size));
    }
    let is_aware = matches!(wishes.semantics, Semantics::Eval | Semantics::OnnxDemoAware) && !wishes.class_agnostic;
    let groups = is_aware.then_some(class_ids.as_slice());
    let mut kept = naive_nms(&boxes, &scores, groups, wishes.iou_threshold, f32::from(u8::from(counts_pixels)));
    kept.truncate(wishes.max_detections.unwrap_or(usize::MAX));
    if wishes.semantics == Semantics::OnnxDemoAware {
        kept.sort_by_key(|&i| class_ids[i]);
    }
    let clip =
        |[x1, y1, x2, y2]: Box4| [x1.clamp(0.0, 49.0), y1.clamp(0.0, 19.0), x2.clamp(0.0, 49.0), y2.clamp(0.0, 19.0)];
    let finish = |corners| if wishes.semantics == Semantics::CppDemo { clip(corners) } else { corners };
    Ok(Detections {
        xyxy: kept.iter().map(|&i| finish(in_image[i])).collect(),
        scores: kept.iter().map(|&i| scores[i]).collect(),
        class_ids: kept.iter().map(|&i| class_ids[i]).collect(),
    })
}
