//! The core against naive twins that follow the definitions and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

mod naive;
mod strategies;

use half::f16;
use naive::{Box4, fit, naive_nms, naive_run};
use proptest::prelude::*;
use strategies::{ANCHORS, coordinate, post, post_at, raw_output, score, small_score, threshold, wishes};
use yoloxfast_core::{BOX_COLUMNS, Error, Grid, Level, Options, PostProcessor, Rows, nms};

/// Compares each level with the naive twin.
fn assert_same_kept(rows: &[(Box4, f32, i64)], by_class: bool, iou_threshold: f32) {
    let boxes: Vec<Box4> = rows.iter().map(|row| row.0).collect();
    let scores: Vec<f32> = rows.iter().map(|row| row.1).collect();
    let class_ids: Vec<i64> = rows.iter().map(|row| row.2).collect();
    let class_ids = by_class.then_some(class_ids.as_slice());
    let expected = naive_nms(&boxes, &scores, class_ids, iou_threshold, 0.0);
    for level in Level::available() {
        assert_eq!(nms(level, &boxes, &scores, class_ids, iou_threshold).unwrap(), expected, "{level:?}");
    }
}

proptest! {
    #[test]
    fn nms_keeps_what_the_naive_twin_keeps(
        rows in prop::collection::vec((prop::array::uniform4(coordinate()), score(), 0_i64..3), 0..60),
        by_class in any::<bool>(),
        iou_threshold in threshold(),
    ) {
        assert_same_kept(&rows, by_class, iou_threshold);
    }

    #[test]
    fn run_finds_what_the_naive_twin_finds(
        (num_classes, raw) in raw_output(),
        scale in 0.1_f32..4.0,
        wishes in wishes(),
    ) {
        let output = Rows::new(&raw, ANCHORS, BOX_COLUMNS + num_classes).unwrap();
        let decoded = post(num_classes).decode(output).unwrap();
        let expected = naive_run(&decoded, &raw, num_classes, scale, &wishes);
        let options = wishes.options(num_classes);
        let boxes = expected.iter().flat_map(|found| &found.xyxy);
        prop_assert!(boxes.flatten().all(|value| value.is_finite()));
        for level in Level::available() {
            prop_assert_eq!(&post_at(level, num_classes).run(output, fit(scale), &options), &expected, "{:?}", level);
        }
    }

    #[test]
    fn a_score_at_the_threshold_is_found_and_one_below_is_not(
        objectness in small_score(),
        class_score in small_score(),
        num_classes in prop::sample::select(vec![1_usize, 3, 16, 80, 91]),
        class_id in any::<prop::sample::Index>(),
    ) {
        let columns = BOX_COLUMNS + num_classes;
        let class_id = class_id.index(num_classes);
        let mut raw = vec![0.0; ANCHORS * columns];
        raw[4] = objectness;
        raw[BOX_COLUMNS + class_id] = class_score;
        let narrow: Vec<f16> = raw.iter().map(|&value| f16::from_f32(value)).collect();
        let found = |level, score_threshold: f32, is_narrow: bool| {
            let (post, options) = (post_at(level, num_classes), Options::new(num_classes).unwrap());
            let options = options.score_threshold(score_threshold).unwrap();
            if is_narrow {
                post.run(Rows::new(&narrow, ANCHORS, columns).unwrap(), 1.0, &options).unwrap()
            } else {
                post.run(Rows::new(&raw, ANCHORS, columns).unwrap(), 1.0, &options).unwrap()
            }
        };
        let narrowed = |value| f16::to_f32(f16::from_f32(value));
        let scores = [(objectness * class_score, false), (narrowed(objectness) * narrowed(class_score), true)];
        for (score, is_narrow) in scores.into_iter().filter(|(score, _)| *score > 0.0 && *score < 1.0) {
            for level in Level::available() {
                prop_assert_eq!(&found(level, score, is_narrow).class_ids, &[class_id.try_into().unwrap()], "{:?}", level);
                prop_assert_eq!(found(level, score.next_up(), is_narrow).class_ids.len(), 0, "{:?}", level);
            }
        }
    }

    #[test]
    fn decode_gives_the_same_at_each_level((num_classes, raw) in raw_output()) {
        let output = Rows::new(&raw, ANCHORS, BOX_COLUMNS + num_classes).unwrap();
        let expected = post_at(Level::SCALAR, num_classes).decode(output).unwrap();
        for level in Level::available() {
            for (value, expected) in post_at(level, num_classes).decode(output).unwrap().iter().zip(&expected) {
                let same = value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan());
                prop_assert!(same, "{value} is not {expected} at {level:?}");
            }
        }
    }

    #[test]
    fn float16_gives_what_its_widened_values_give((num_classes, raw) in raw_output(), wishes in wishes()) {
        let narrow: Vec<f16> = raw.iter().map(|&value| f16::from_f32(value)).collect();
        let wide: Vec<f32> = narrow.iter().map(|&value| f16::to_f32(value)).collect();
        let (columns, options) = (BOX_COLUMNS + num_classes, wishes.options(num_classes));
        let expected = post(num_classes).run(Rows::new(&wide, ANCHORS, columns).unwrap(), fit(1.0), &options);
        for level in Level::available() {
            let narrow = Rows::new(&narrow, ANCHORS, columns).unwrap();
            prop_assert_eq!(&post_at(level, num_classes).run(narrow, fit(1.0), &options), &expected, "{:?}", level);
        }
    }
}

#[test]
fn decode_follows_the_formula() {
    let grid = Grid::new(8, 16, &[8]).unwrap();
    let post = PostProcessor::new(grid, 1, Level::best()).unwrap();
    let raw = [0.5, 0.25, 0.0, 2.0_f32.ln(), 0.75, 0.5, -1.0, 1.0, 1.0, 0.0, 0.25, 1.0];
    let decoded = post.decode(Rows::new(&raw, 2, 6).unwrap()).unwrap();
    let expected = [4.0, 2.0, 8.0, 16.0, 0.75, 0.5, 0.0, 8.0, 8.0 * std::f32::consts::E, 8.0, 0.25, 1.0];
    for (value, expected) in decoded.iter().zip(expected) {
        assert!((value - expected).abs() <= 2.0 * f32::EPSILON * expected, "{value} is not {expected}");
    }
}

/// Boxes enough for a search by place, most of one class: of all sizes, some without any, some huge, in a field that may
/// be crowded, tiny or vast.
fn many_boxes() -> impl Strategy<Value = Vec<(Box4, f32, i64)>> {
    let size =
        prop_oneof![20 => 1.0_f32..40.0, 2 => 100.0_f32..2000.0, 1 => prop::sample::select(vec![0.0, -5.0, 1e-30])];
    let place = (prop::array::uniform2(-300.0_f32..300.0), prop::array::uniform2(size));
    let usual = place.prop_map(|([x, y], [width, height])| [x, y, x + width, y + height]);
    let odd = prop::array::uniform4(prop::sample::select(vec![-3e38_f32, -2e20, -1.0, -0.0, 1e-40, 1.0, 1e30, 3e38]));
    let class_id = prop_oneof![30 => Just(0_i64), 2 => 0_i64..3, 1 => any::<i64>()];
    let rows = prop::collection::vec((prop_oneof![60 => usual, 1 => odd], score(), class_id), 2400..3600);
    (rows, prop::sample::select(vec![1.0_f32, 1e-42, 1e35])).prop_map(|(mut rows, unit)| {
        for (corners, ..) in &mut rows {
            *corners = corners.map(|value| value * unit);
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn nms_of_many_boxes_keeps_what_the_naive_twin_keeps(
        rows in many_boxes(),
        by_class in any::<bool>(),
        iou_threshold in threshold(),
    ) {
        assert_same_kept(&rows, by_class, iou_threshold);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_batch_gives_what_its_images_give(
        images in prop::collection::vec((prop::collection::vec(score(), ANCHORS * 6), 0.1_f32..4.0), 0..7),
        wishes in wishes(),
        threads in 0_usize..9,
    ) {
        let (post, options) = (post(1), wishes.options(1));
        let images: Vec<_> =
            images.iter().map(|(raw, scale)| (Rows::new(raw, ANCHORS, 6).unwrap(), fit(*scale))).collect();
        let one_by_one: Result<Vec<_>, _> = images.iter().map(|(raw, fit)| post.run(*raw, *fit, &options)).collect();
        prop_assert_eq!(post.run_batch(images.iter().copied(), &options, threads), one_by_one);
    }
}

#[test]
fn a_batch_fails_with_the_first_error_in_the_order_of_its_images() {
    let (good, mut bad) = (vec![0.0; ANCHORS * 6], vec![0.0; ANCHORS * 6]);
    bad[4..6].copy_from_slice(&[0.5, 2.5]);
    let options = Options::new(1).unwrap();
    let image = |raw, scale| (Rows::new(raw, ANCHORS, 6).unwrap(), scale);
    let images = [image(&good, 1.0), image(&bad, 1.0), image(&good, 1.0), image(&good, -1.0), image(&bad, 1.0)];
    for threads in [0, 1, 2, 3, 5, 100] {
        let found = post(1).run_batch(images.iter().copied(), &options, threads);
        assert_eq!(found.unwrap_err(), Error::ScoreAboveLimit { anchor: 0, score: 2.5 });
        let found = post(1).run_batch(images[2..].iter().copied(), &options, threads);
        assert_eq!(found.unwrap_err(), Error::Scale(-1.0));
    }
    let others = Options::new(2).unwrap();
    let found = post(1).run_batch(images[..0].iter().copied(), &others, 1);
    assert_eq!(found, Err(Error::OtherOptions { actual: 2, expected: 1 }));
}

/// Inputs that made a search by place walk through 2^64 cells.
#[test]
fn boxes_across_the_whole_plane_are_compared_like_others() {
    for (size, unit) in [(20.0, 1.0_f32), (20.0, 1e-43)] {
        let mut boxes: Vec<Box4> = (0..2400_u16)
            .map(|index| {
                let (x, y) = (f32::from(index % 60) * 15.0 - 400.0, f32::from(index / 60) * 15.0);
                [x, y, x + size, y + size].map(|value| value * unit)
            })
            .collect();
        boxes.extend([[-3e38, 0.0, 3e38, 10.0], [-2e20, -2e20, 2e20, 2e20], [-1.0, 0.0, 1.0, 10.0]]);
        let scores = (0..2403_u16).map(|index| f32::from(index * 26 % 2403) / 2403.0);
        let rows: Vec<_> = boxes.into_iter().zip(scores).map(|(corners, score)| (corners, score, 0)).collect();
        for iou_threshold in [0.0, 0.1, 0.5] {
            assert_same_kept(&rows, false, iou_threshold);
        }
    }
}
