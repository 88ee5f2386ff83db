//! The core against naive twins that follow the definitions and nothing else.

#![expect(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]

use half::f16;
use proptest::prelude::*;
use yoloxfast_core::{BOX_COLUMNS, Detections, Error, Grid, Options, PostProcessor, RawOutput, SCORE_LIMIT, nms};

const HEIGHT: usize = 32;
const WIDTH: usize = 64;
const STRIDES: [usize; 3] = [8, 16, 32];
const ANCHORS: usize = 32 + 8 + 2;

type Box4 = [f32; 4];

/// Marks suppressed boxes pair by pair, best first.
fn naive_nms(boxes: &[Box4], scores: &[f32], class_ids: Option<&[i64]>, iou_threshold: f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.retain(|&i| scores[i].is_finite() && boxes[i].iter().all(|value| value.is_finite()));
    order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap());
    let mut suppressed = vec![false; boxes.len()];
    for (rank, &best) in order.iter().enumerate() {
        for &other in &order[rank + 1..] {
            let same_class = class_ids.is_none_or(|ids| ids[best] == ids[other]);
            if !suppressed[best] && same_class && naive_iou(boxes[best], boxes[other]) > iou_threshold {
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

/// Decodes everything first, then looks at every class of every anchor.
fn naive_run(post: &PostProcessor, raw: &[f32], num_classes: usize, options: &Options) -> Detections {
    let columns = BOX_COLUMNS + num_classes;
    let to_image = |corners: Box4| corners.map(|value| value / options.scale);
    let decoded = post.decode(RawOutput::new(raw, ANCHORS, columns).unwrap()).unwrap();
    let (mut boxes, mut scores, mut class_ids) = (vec![], vec![], vec![]);
    for (row, raw_row) in decoded.chunks(columns).zip(raw.chunks(columns)) {
        let mut best = 0;
        for class_id in 1..num_classes {
            if row[BOX_COLUMNS + class_id] > row[BOX_COLUMNS + best] {
                best = class_id;
            }
        }
        let wanted = options.class_ids.as_ref().is_none_or(|ids| ids.contains(&best));
        let score = row[4] * row[BOX_COLUMNS + best];
        let [cx, cy, w, h] = [row[0], row[1], row[2], row[3]];
        let corners = [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0];
        let finite = raw_row.iter().chain(&to_image(corners)).all(|value| value.is_finite());
        if wanted && finite && score >= options.score_threshold {
            boxes.push(corners);
            scores.push(score);
            class_ids.push(best as i64);
        }
    }
    let groups = (!options.class_agnostic).then_some(class_ids.as_slice());
    let mut kept = naive_nms(&boxes, &scores, groups, options.iou_threshold);
    kept.truncate(options.max_detections.unwrap_or(usize::MAX));
    Detections {
        xyxy: kept.iter().map(|&i| to_image(boxes[i])).collect(),
        scores: kept.iter().map(|&i| scores[i]).collect(),
        class_ids: kept.iter().map(|&i| class_ids[i]).collect(),
    }
}

fn post(num_classes: usize) -> PostProcessor {
    PostProcessor::new(Grid::new(HEIGHT, WIDTH, &STRIDES).unwrap(), num_classes).unwrap()
}

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (0_u8..40).prop_map(f32::from),
        4 => -20.0_f32..60.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38]),
    ]
}

fn score() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => (0_u8..=4).prop_map(|quarter| f32::from(quarter) / 4.0),
        8 => 0.0_f32..=SCORE_LIMIT,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]),
    ]
}

fn threshold() -> impl Strategy<Value = f32> {
    prop_oneof![prop::sample::select(vec![0.0, 0.25, 0.5, 1.0]), 0.0_f32..=1.0]
}

fn raw_output() -> impl Strategy<Value = (usize, Vec<f32>)> {
    (1_usize..4).prop_flat_map(|num_classes| {
        let numbers = (prop::array::uniform4(coordinate()), prop::collection::vec(score(), 1 + num_classes));
        let row = numbers.prop_map(|([x, y, w, h], scores)| {
            let mut row = vec![x / 40.0, y / 40.0, w / 20.0, h / 20.0];
            row.extend(scores);
            row
        });
        prop::collection::vec(row, ANCHORS).prop_map(move |rows| (num_classes, rows.concat()))
    })
}

fn options() -> impl Strategy<Value = Options> {
    let class_ids = prop::option::of(prop::collection::vec(0_usize..1, 0..2));
    (0.1_f32..4.0, threshold(), threshold(), any::<bool>(), class_ids, prop::option::of(1_usize..9)).prop_map(
        |(scale, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections)| Options {
            scale,
            score_threshold,
            iou_threshold,
            class_agnostic,
            class_ids,
            max_detections,
        },
    )
}

proptest! {
    #[test]
    fn nms_keeps_what_the_naive_twin_keeps(
        rows in prop::collection::vec((prop::array::uniform4(coordinate()), score(), 0_i64..3), 0..60),
        by_class in any::<bool>(),
        iou_threshold in threshold(),
    ) {
        let boxes: Vec<Box4> = rows.iter().map(|row| row.0).collect();
        let scores: Vec<f32> = rows.iter().map(|row| row.1).collect();
        let class_ids: Vec<i64> = rows.iter().map(|row| row.2).collect();
        let class_ids = by_class.then_some(class_ids.as_slice());
        let kept = nms(&boxes, &scores, class_ids, iou_threshold).unwrap();
        prop_assert_eq!(kept, naive_nms(&boxes, &scores, class_ids, iou_threshold));
    }

    #[test]
    fn run_finds_what_the_naive_twin_finds((num_classes, raw) in raw_output(), options in options()) {
        let post = post(num_classes);
        let found = post.run(RawOutput::new(&raw, ANCHORS, BOX_COLUMNS + num_classes).unwrap(), &options).unwrap();
        prop_assert!(found.xyxy.iter().flatten().all(|value| value.is_finite()));
        prop_assert_eq!(found, naive_run(&post, &raw, num_classes, &options));
    }

    #[test]
    fn float16_gives_what_its_widened_values_give((num_classes, raw) in raw_output(), options in options()) {
        let narrow: Vec<f16> = raw.iter().map(|&value| f16::from_f32(value)).collect();
        let wide: Vec<f32> = narrow.iter().map(|&value| value.to_f32()).collect();
        let columns = BOX_COLUMNS + num_classes;
        let from_narrow = post(num_classes).run(RawOutput::new(&narrow, ANCHORS, columns).unwrap(), &options);
        prop_assert_eq!(from_narrow, post(num_classes).run(RawOutput::new(&wide, ANCHORS, columns).unwrap(), &options));
    }
}

#[test]
fn decode_follows_the_formula() {
    let grid = Grid::new(8, 16, &[8]).unwrap();
    let post = PostProcessor::new(grid, 1).unwrap();
    let raw = [0.5, 0.25, 0.0, 2.0_f32.ln(), 0.75, 0.5, -1.0, 1.0, 1.0, 0.0, 0.25, 1.0];
    let decoded = post.decode(RawOutput::new(&raw, 2, 6).unwrap()).unwrap();
    let expected = [4.0, 2.0, 8.0, 16.0, 0.75, 0.5, 0.0, 8.0, 8.0 * std::f32::consts::E, 8.0, 0.25, 1.0];
    for (value, expected) in decoded.iter().zip(expected) {
        assert!((value - expected).abs() <= 2.0 * f32::EPSILON * expected, "{value} is not {expected}");
    }
}

#[test]
fn a_class_score_of_a_quantized_network_may_exceed_one_by_a_step() {
    let mut raw = vec![0.0; ANCHORS * 6];
    raw[4..6].copy_from_slice(&[0.498, 1.004]);
    let options = Options { score_threshold: 0.4999, ..Options::default() };
    let found = post(1).run(RawOutput::new(&raw, ANCHORS, 6).unwrap(), &options).unwrap();
    assert_eq!(found.scores, [0.498 * 1.004]);
}

#[test]
fn scores_without_a_sigmoid_are_an_error() {
    let mut raw = vec![-7.0; ANCHORS * 6];
    raw[10..12].copy_from_slice(&[0.5, 2.5]);
    let found = post(1).run(RawOutput::new(&raw, ANCHORS, 6).unwrap(), &Options::default());
    assert_eq!(found.unwrap_err(), Error::ScoreAboveLimit { anchor: 1, score: 2.5 });
}

#[test]
fn broken_preconditions_are_errors() {
    let raw = vec![0.0_f32; ANCHORS * 6];
    let run = |options: Options| post(1).run(RawOutput::new(&raw, ANCHORS, 6).unwrap(), &options).unwrap_err();
    for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        let name = |error| matches!(error, Error::Threshold { name, .. } if name == "score_threshold");
        assert!(name(run(Options { score_threshold: value, ..Options::default() })));
        assert!(matches!(run(Options { iou_threshold: value, ..Options::default() }), Error::Threshold { .. }));
        assert!(matches!(nms(&[], &[], None, value), Err(Error::Threshold { .. })));
    }
    for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(run(Options { scale: value, ..Options::default() }), Error::Scale(_)));
    }
    assert_eq!(run(Options { max_detections: Some(0), ..Options::default() }), Error::MaxDetections);
    let unknown = Options { class_ids: Some(vec![0, 1]), ..Options::default() };
    assert_eq!(run(unknown), Error::ClassId { class_id: 1, num_classes: 1 });

    assert!(matches!(RawOutput::new(&raw, ANCHORS, 7), Err(Error::RawLength { .. })));
    assert!(matches!(RawOutput::new(&raw, usize::MAX, 6), Err(Error::RawLength { .. })));
    let rows_of_seven = RawOutput::new(&raw, 36, 7).unwrap();
    assert_eq!(post(1).decode(rows_of_seven).unwrap_err(), Error::Columns { actual: 7, num_classes: 1 });
    let too_few = RawOutput::new(&raw[6..], ANCHORS - 1, 6).unwrap();
    assert!(matches!(post(1).decode(too_few), Err(Error::Anchors { actual: 41, expected: 42, .. })));
    let without_columns = RawOutput::<f32>::new(&[], ANCHORS, 0).unwrap();
    assert!(matches!(post(1).decode(without_columns), Err(Error::Columns { .. })));

    let lengths = nms(&[[0.0; 4]], &[], None, 0.5);
    assert_eq!(lengths.unwrap_err(), Error::Length { name: "scores", actual: 0, boxes: 1 });
    let lengths = nms(&[[0.0; 4]], &[0.5], Some(&[]), 0.5);
    assert_eq!(lengths.unwrap_err(), Error::Length { name: "class_ids", actual: 0, boxes: 1 });
    for num_classes in [0, usize::MAX] {
        let model = PostProcessor::new(Grid::new(8, 8, &[8]).unwrap(), num_classes);
        assert_eq!(model.unwrap_err(), Error::NumClasses(num_classes));
    }
}
