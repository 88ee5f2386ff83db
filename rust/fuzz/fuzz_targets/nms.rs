//! NMS at each level against its naive twin.

#![no_main]

#[path = "../../core/tests/naive/mod.rs"]
#[allow(dead_code, reason = "the twin of other targets")]
mod naive;
mod number;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use naive::naive_nms;
use number::{numbers, threshold};
use yoloxfast_core::{Level, nms};

/// Under `cfg(fuzzing)` the core changes its algorithms at 8, 16 and 64 boxes, and vector code takes 16 at once: more
/// boxes than these reach no other code, and the twin's time grows with the square of their number.
const MAX_BOXES: usize = 160;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    iou_threshold: u8,
    /// Without classes, all boxes suppress one another.
    num_classes: u8,
    /// From one class id to the next.
    class_step: i64,
    /// Boxes are repeated, moved a little, until there are as many.
    count: u8,
    /// Five for each box: its place, its size, which is mostly above 0, and its score.
    numbers: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let numbers = numbers(input.numbers);
    let (given, _) = numbers.as_chunks::<5>();
    let count = usize::from(input.count).max(given.len()).min(MAX_BOXES);
    let num_classes = input.num_classes % 8;
    let (mut boxes, mut scores, mut class_ids) = (vec![], vec![], vec![]);
    for (index, [x, y, width, height, score]) in given.iter().cycle().take(count).enumerate() {
        let offset = (index / given.len()) as f32 * 7.0;
        let (x, y) = (x / 4.0 + offset, y / 4.0 + offset);
        boxes.push([x, y, x + width / 4.0 + 8.0, y + height / 4.0 + 8.0]);
        scores.push(*score);
        class_ids.push((index as i64 % i64::from(num_classes).max(1)).wrapping_mul(input.class_step));
    }
    let class_ids = (num_classes > 0).then_some(class_ids.as_slice());
    let iou_threshold = threshold(input.iou_threshold);
    let expected = naive_nms(&boxes, &scores, class_ids, iou_threshold, 0.0);
    for level in Level::available() {
        assert_eq!(nms(level, &boxes, &scores, class_ids, iou_threshold).unwrap(), expected, "{level:?}");
    }
});
