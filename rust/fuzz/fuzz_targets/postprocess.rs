//! Decoding, filter and suppression at each level against their naive twin, in both dtypes.

#![no_main]

#[path = "../../core/tests/naive/mod.rs"]
mod naive;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use naive::{Wishes, naive_run};
use yoloxfast_core::{BOX_COLUMNS, Element, Grid, Level, PostProcessor, RawOutput, SCORE_LIMIT};

#[derive(Arbitrary, Debug)]
struct Input {
    height: u8,
    width: u8,
    num_classes: u8,
    values: Vec<f32>,
    has_no_sigmoid: bool,
    scale: u8,
    thresholds: [u8; 2],
    class_agnostic: bool,
    class_ids: Option<Vec<u8>>,
    max_detections: Option<u8>,
}

fuzz_target!(|input: Input| {
    let grid = Grid::new(usize::from(input.height) + 1, usize::from(input.width) + 1, &[16, 32, 64]).unwrap();
    let (anchors, num_classes) = (grid.anchors().len(), usize::from(input.num_classes) % 96 + 1);
    let columns = BOX_COLUMNS + num_classes;
    let mut raw: Vec<f32> = input.values.iter().copied().cycle().take(anchors * columns).collect();
    raw.resize(anchors * columns, 0.5);
    if !input.has_no_sigmoid {
        for row in raw.chunks_mut(columns) {
            for score in &mut row[4..] {
                *score = if *score > SCORE_LIMIT { score.fract() } else { *score };
            }
        }
    }
    let wishes = Wishes {
        score_threshold: f32::from(input.thresholds[0]) / 255.0,
        iou_threshold: f32::from(input.thresholds[1]) / 255.0,
        class_agnostic: input.class_agnostic,
        class_ids: input.class_ids.map(|ids| ids.iter().map(|id| usize::from(*id) % num_classes).collect()),
        max_detections: input.max_detections.map(|most| usize::from(most) + 1),
    };
    let scale = f32::from(input.scale) / 64.0 + 0.01;
    let narrow: Vec<half::f16> = raw.iter().map(|value| half::f16::from_f32(*value)).collect();
    let widened: Vec<f32> = narrow.iter().map(|value| value.to_f32()).collect();
    compare(&grid, num_classes, &raw, &raw, scale, &wishes);
    compare(&grid, num_classes, &narrow, &widened, scale, &wishes);
});

fn compare<T: Element>(grid: &Grid, num_classes: usize, raw: &[T], wide: &[f32], scale: f32, wishes: &Wishes) {
    let (anchors, columns) = (grid.anchors().len(), BOX_COLUMNS + num_classes);
    let raw = RawOutput::new(raw, anchors, columns).unwrap();
    let options = wishes.options(num_classes);
    let mut found = Level::available().map(|level| {
        let post = PostProcessor::new(grid.clone(), num_classes, level).unwrap();
        (post.decode(raw).unwrap(), post.run(raw, scale, &options))
    });
    let (decoded, first) = found.next().unwrap();
    for (_, other) in found {
        assert_eq!(first, other);
    }
    assert_eq!(first, naive_run(&decoded, wide, num_classes, scale, wishes));
}
