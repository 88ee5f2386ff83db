//! Greedy non-maximum suppression.
//!
//! ```text
//! for each box, best score first (equal scores: lower index first):
//!     keep it, unless its IoU with a box that was kept, of the same class, is above the threshold
//! ```

use crate::Error;

/// Returns the indices of the boxes that are kept, best score first.
///
/// `boxes` are `x1, y1, x2, y2`. Without `class_ids` all boxes suppress one another. IoU is plain (no +1 on widths and
/// heights), in `f32`; two boxes without area have none. A box whose corners or score are not finite is never kept.
///
/// # Errors
/// Arrays of different lengths; a threshold outside 0..=1.
pub fn nms(
    boxes: &[[f32; 4]],
    scores: &[f32],
    class_ids: Option<&[i64]>,
    iou_threshold: f32,
) -> Result<Vec<usize>, Error> {
    check_threshold("iou_threshold", iou_threshold)?;
    check_length("scores", scores.len(), boxes.len())?;
    if let Some(class_ids) = class_ids {
        check_length("class_ids", class_ids.len(), boxes.len())?;
    }
    let is_finite = |&index: &usize| scores[index].is_finite() && boxes[index].iter().all(|value| value.is_finite());
    let mut order: Vec<usize> = (0..boxes.len()).filter(is_finite).collect();
    // Adding 0 makes -0 equal to 0, which total_cmp tells apart.
    order.sort_unstable_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)).then(a.cmp(&b)));

    let same_class = |a: usize, b: usize| class_ids.is_none_or(|ids| ids[a] == ids[b]);
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        let suppresses = |&other: &usize| same_class(other, index) && iou(boxes[other], boxes[index]) > iou_threshold;
        if !kept.iter().any(suppresses) {
            kept.push(index);
        }
    }
    Ok(kept)
}

pub(crate) fn check_threshold(name: &'static str, value: f32) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Threshold { name, value }) }
}

fn check_length(name: &'static str, actual: usize, boxes: usize) -> Result<(), Error> {
    if actual == boxes { Ok(()) } else { Err(Error::Length { name, actual, boxes }) }
}

/// Intersection over union; NaN, which is above no threshold, where the union is empty.
fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let intersection = width * height;
    intersection / (area(a) + area(b) - intersection)
}

fn area([x1, y1, x2, y2]: [f32; 4]) -> f32 {
    (x2 - x1) * (y2 - y1)
}
