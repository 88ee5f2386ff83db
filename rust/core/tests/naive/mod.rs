//! Naive twins of the core, which follow the definitions and nothing else.

#![expect(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]

use yoloxfast_core::{BOX_COLUMNS, Detections, Error, Options, SCORE_LIMIT};

pub(crate) type Box4 = [f32; 4];

/// What [`Options`] are made of.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) score_threshold: f32,
    pub(crate) iou_threshold: f32,
    pub(crate) class_agnostic: bool,
    pub(crate) class_ids: Option<Vec<usize>>,
    pub(crate) max_detections: Option<usize>,
}

impl Wishes {
    pub(crate) fn options(&self, num_classes: usize) -> Options {
        let options = Options::new(num_classes).unwrap().class_agnostic(self.class_agnostic);
        let options = options.score_threshold(self.score_threshold).unwrap();
        let options = options.iou_threshold(self.iou_threshold).unwrap();
        let options = options.max_detections(self.max_detections).unwrap();
        if let Some(class_ids) = &self.class_ids { options.class_ids(class_ids).unwrap() } else { options }
    }
}

/// Marks suppressed boxes pair by pair, best first.
pub(crate) fn naive_nms(boxes: &[Box4], scores: &[f32], class_ids: Option<&[i64]>, iou_threshold: f32) -> Vec<usize> {
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
            if same_class && naive_iou(boxes[best], boxes[other]) > iou_threshold {
                suppressed[other] = true;
            }
        }
    }
    order.into_iter().filter(|&i| !suppressed[i]).collect()
}

fn naive_iou(a: Box4, b: Box4) -> f32 {
    let overlap = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low])).max(0.0);
    let intersection = overlap(0) * overlap(1);
    let area = |c: Box4| (c[2] - c[0]) * (c[3] - c[1]);
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
    let to_image = |corners: Box4| corners.map(|value| value / scale);
    let (mut boxes, mut scores, mut class_ids) = (vec![], vec![], vec![]);
    for (anchor, (row, raw_row)) in decoded.chunks(columns).zip(raw.chunks(columns)).enumerate() {
        let mut best = 0;
        for class_id in 1..num_classes {
            if row[BOX_COLUMNS + class_id] > row[BOX_COLUMNS + best] {
                best = class_id;
            }
        }
        let wanted = wishes.class_ids.as_ref().is_none_or(|ids| ids.contains(&best));
        let (objectness, class_score) = (row[4], row[BOX_COLUMNS + best]);
        let score = objectness * class_score;
        let is_looked_at = class_score <= SCORE_LIMIT || objectness * SCORE_LIMIT >= wishes.score_threshold;
        let passes = score >= wishes.score_threshold && is_looked_at;
        let is_above = objectness > SCORE_LIMIT || (class_score > SCORE_LIMIT && passes);
        if is_above && raw_row.iter().all(|value| value.is_finite()) {
            return Err(Error::ScoreAboveLimit { anchor, score: objectness.max(class_score) });
        }
        let [cx, cy, w, h] = [row[0], row[1], row[2], row[3]];
        let corners = [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0];
        let finite = raw_row.iter().chain(&to_image(corners)).all(|value| value.is_finite());
        if wanted && finite && passes {
            boxes.push(corners);
            scores.push(score);
            class_ids.push(best as i64);
        }
    }
    let groups = (!wishes.class_agnostic).then_some(class_ids.as_slice());
    let mut kept = naive_nms(&boxes, &scores, groups, wishes.iou_threshold);
    kept.truncate(wishes.max_detections.unwrap_or(usize::MAX));
    Ok(Detections {
        xyxy: kept.iter().map(|&i| to_image(boxes[i])).collect(),
        scores: kept.iter().map(|&i| scores[i]).collect(),
        class_ids: kept.iter().map(|&i| class_ids[i]).collect(),
    })
}
