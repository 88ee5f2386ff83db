//! NMS at each level against its naive twin.

#![no_main]

#[path = "../../core/tests/naive/mod.rs"]
mod naive;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use naive::naive_nms;
use yoloxfast_core::{Level, nms};

/// Small numbers, which meet often, or any at all.
#[derive(Arbitrary, Debug)]
enum Number {
    Small(i8),
    Any(f32),
}

impl Number {
    fn value(&self) -> f32 {
        match *self {
            Self::Small(value) => f32::from(value) / 4.0,
            Self::Any(value) => value,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    boxes: Vec<([Number; 4], Number, u8)>,
    /// Repeats the boxes, moved a little, so that there are enough for a search by place.
    copies: u8,
    by_class: bool,
    iou_threshold: u8,
}

fuzz_target!(|input: Input| {
    let (mut boxes, mut scores, mut class_ids) = (vec![], vec![], vec![]);
    for copy in 0..=input.copies.min(40) {
        let offset = f32::from(copy) * 7.0;
        for (corners, score, class_id) in input.boxes.iter().take(100) {
            boxes.push(corners.each_ref().map(|corner| corner.value() + offset));
            scores.push(score.value());
            class_ids.push(i64::from(*class_id % 3));
        }
    }
    let class_ids = input.by_class.then_some(class_ids.as_slice());
    let iou_threshold = f32::from(input.iou_threshold) / 255.0;
    let expected = naive_nms(&boxes, &scores, class_ids, iou_threshold);
    for level in Level::available() {
        assert_eq!(nms(level, &boxes, &scores, class_ids, iou_threshold).unwrap(), expected, "{level:?}");
    }
});
