//! Decoding, filter and suppression at each level against their naive twin, in both dtypes, of rows and of planes.

#![no_main]

#[path = "../../core/tests/naive/mod.rs"]
mod naive;
mod number;

use arbitrary::Arbitrary;
use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;
use libfuzzer_sys::fuzz_target;
use naive::{Wishes, fit, naive_run};
use number::{numbers, threshold};
use yoloxfast_core::{BOX_COLUMNS, Element, Grid, Level, Planes, PostProcessor, Rows, SCORE_LIMIT, Semantics};

/// Most cells along a side of the finest level. Up to about 170 anchors: the filter takes 64 at once, decoding 32.
const MAX_CELLS: u8 = 11;

/// Vector code compares 16 class scores at once.
const MAX_CLASSES: u8 = 40;

/// Numbers of classes for which the filter is compiled separately.
const OWN_CODE: [usize; 2] = [1, 80];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    sides: [u8; 2],
    num_strides: u8,
    num_classes: u8,
    is_f16: bool,
    /// Whether scores may be those of a network without a sigmoid.
    has_any_scores: bool,
    scale: u8,
    semantics: u8,
    thresholds: [u8; 2],
    class_agnostic: bool,
    class_ids: Option<u32>,
    max_detections: Option<u8>,
    /// Repeated to the size of the raw output.
    numbers: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let [height, width] = input.sides.map(|side| usize::from(side % MAX_CELLS) * 16 + 1 + usize::from(side / 16));
    let strides = &[16, 32, 64][..usize::from(input.num_strides % 3) + 1];
    let grid = Grid::new(height, width, strides).unwrap();
    let num_classes = match input.num_classes.checked_sub(192) {
        Some(number) => OWN_CODE[usize::from(number % 2)],
        None => usize::from(input.num_classes % MAX_CLASSES) + 1,
    };
    let (anchors, columns) = (grid.anchors().len(), BOX_COLUMNS + num_classes);
    let mut given = numbers(input.numbers);
    given.iter_mut().for_each(|value| *value /= 64.0);
    given.push(0.5);
    let mut raw = given.repeat((anchors * columns).div_ceil(given.len()));
    raw.truncate(anchors * columns);
    if !input.has_any_scores {
        for score in raw.chunks_mut(columns).flat_map(|row| &mut row[4..]) {
            *score = if score.abs() > SCORE_LIMIT { score.fract() } else { *score }.abs();
        }
    }
    let wishes = Wishes {
        semantics: Semantics::ALL[usize::from(input.semantics) % Semantics::ALL.len()],
        score_threshold: threshold(input.thresholds[0]),
        iou_threshold: threshold(input.thresholds[1]),
        class_agnostic: input.class_agnostic,
        class_ids: input.class_ids.map(|ids| (0..num_classes).filter(|id| ids >> (id % 32) & 1 == 1).collect()),
        max_detections: input.max_detections.map(|most| usize::from(most) + 1),
    };
    let scale = f32::from(input.scale) / 64.0 + 0.01;
    if input.is_f16 {
        let narrow: Vec<f16> = Vec::from_f32_slice(&raw);
        compare(&grid, num_classes, &narrow, &narrow.to_f32_vec(), scale, &wishes);
    } else {
        compare(&grid, num_classes, &raw, &raw, scale, &wishes);
    }
});

fn compare<T: Element>(grid: &Grid, num_classes: usize, raw: &[T], wide: &[f32], scale: f32, wishes: &Wishes) {
    let (anchors, columns) = (grid.anchors().len(), BOX_COLUMNS + num_classes);
    let planes: Vec<T> = (0..columns).flat_map(|column| raw.iter().skip(column).step_by(columns).copied()).collect();
    let planes = Planes::new(&planes, columns, anchors).unwrap();
    let raw = Rows::new(raw, anchors, columns).unwrap();
    let options = wishes.options(num_classes);
    let mut found = Level::available().map(|level| {
        let post = PostProcessor::new(grid.clone(), num_classes, level).unwrap();
        let found = post.run(raw, fit(scale), &options);
        assert_eq!(post.run(planes, fit(scale), &options), found);
        (post.decode(raw).unwrap(), found)
    });
    let (decoded, first) = found.next().unwrap();
    for (other_decoded, other) in found {
        let mut pairs = decoded.iter().zip(other_decoded);
        assert!(pairs.all(|(first, other)| first.to_bits() == other.to_bits() || (first.is_nan() && other.is_nan())));
        assert_eq!(first, other);
    }
    assert_eq!(first, naive_run(&decoded, wide, num_classes, scale, wishes));
}
