//! Inputs for property tests.

#![allow(dead_code, reason = "no test uses all")]
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use yoloxfast_core::{Grid, Level, PostProcessor, SCORE_LIMIT, Semantics};

use crate::naive::Wishes;

pub(crate) const HEIGHT: usize = 32;
pub(crate) const WIDTH: usize = 128;
pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];
pub(crate) const LEVELS: [usize; 3] = [64, 16, 4];
pub(crate) const ANCHORS: usize = 64 + 16 + 4;

pub(crate) fn post(num_classes: usize) -> PostProcessor {
    post_at(Level::best(), num_classes)
}

pub(crate) fn post_at(level: Level, num_classes: usize) -> PostProcessor {
    PostProcessor::new(Grid::new(HEIGHT, WIDTH, &STRIDES).unwrap(), num_classes, level).unwrap()
}

pub(crate) fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (0_u8..40).prop_map(f32::from),
        4 => -20.0_f32..60.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38]),
    ]
}

pub(crate) fn finite_score() -> impl Strategy<Value = f32> {
    prop_oneof![4 => (0_u8..=4).prop_map(|quarter| f32::from(quarter) / 4.0), 8 => 0.0_f32..=SCORE_LIMIT, 1 => Just(-0.0)]
}

pub(crate) fn score() -> impl Strategy<Value = f32> {
    let not_finite = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    prop_oneof![12 => finite_score(), 1 => not_finite]
}

/// Positive scores of any size, down to those that lose digits.
pub(crate) fn small_score() -> impl Strategy<Value = f32> {
    (0_i32..=40, 0.5_f32..=1.0).prop_map(|(exponent, value)| value * 2_f32.powi(-exponent * exponent / 16))
}

pub(crate) fn threshold() -> impl Strategy<Value = f32> {
    prop_oneof![prop::sample::select(vec![0.0, 0.25, 0.5, 1.0]), 0.0_f32..=1.0]
}

pub(crate) fn raw_output() -> impl Strategy<Value = (usize, Vec<f32>)> {
    let not_finite = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    let spoilt = prop_oneof![20 => not_finite, 1 => 1.0_f32..9.0];
    let spoilt = prop::option::weighted(0.1, (any::<prop::sample::Index>(), spoilt));
    prop_oneof![1_usize..4, 15_usize..40, Just(80)].prop_flat_map(move |num_classes| {
        let boxes = prop::array::uniform4(-2.0_f32..3.0);
        let negative = || -1.0_f32..0.0;
        let class_scores = prop_oneof![
            4 => prop::collection::vec(finite_score(), num_classes),
            1 => prop::collection::vec(prop_oneof![finite_score(), negative()], num_classes),
            1 => prop::collection::vec(negative(), num_classes),
        ];
        let objectness = prop_oneof![4 => finite_score(), 1 => negative()];
        let row = (boxes, objectness, class_scores, spoilt.clone());
        let row = row.prop_map(|(boxes, objectness, class_scores, spoilt)| {
            let mut row = [&boxes[..], &[objectness], &class_scores].concat();
            if let Some((column, value)) = spoilt {
                *column.get_mut(&mut row) = value;
            }
            row
        });
        prop::collection::vec(row, ANCHORS).prop_map(move |rows| (num_classes, rows.concat()))
    })
}

pub(crate) fn wishes() -> impl Strategy<Value = Wishes> {
    let class_ids = prop::option::weighted(0.3, Just(vec![0]));
    let semantics = prop::sample::select(&Semantics::ALL);
    (semantics, threshold(), threshold(), any::<bool>(), class_ids, prop::option::of(1_usize..9)).prop_map(
        |(semantics, score_threshold, iou_threshold, class_agnostic, class_ids, max_detections)| Wishes {
            semantics,
            score_threshold,
            iou_threshold,
            class_agnostic,
            class_ids,
            max_detections,
        },
    )
}
