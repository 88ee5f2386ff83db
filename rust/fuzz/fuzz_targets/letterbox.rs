//! The letterbox at each level against its naive twin, in each form.

#![no_main]

#[path = "../../core/tests/naive/letterbox.rs"]
mod naive;

use std::fmt::Debug;

use arbitrary::Arbitrary;
use half::f16;
use half::vec::HalfFloatVecExt;
use libfuzzer_sys::fuzz_target;
use naive::{grey, interleaved, looked_up, naive_letterbox, reversed};
use yoloxfast_core::{Fitting, Format, Job, Level, Plan, Sample, Size};

/// Most sides are at most this long: vector code takes up to 64 columns at once.
const MAX_USUAL_SIDE: u16 = 100;

/// One side of 16 is longer, because rounding depends on the coordinate.
const MAX_SIDE: u16 = 3000;

/// Most pixels of an input, and of an image that is not a multiple of it. An execution's time grows with them.
const MAX_AREA: usize = 2048;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    target: [u16; 2],
    source: [u16; 2],
    /// From 1 to 4, the image is that many times as large as the input, which code of its own copies, halves or thins.
    times: u8,
    form: u8,
    reverses: bool,
    threads: u8,
    /// Whether the input is filled a second time, without its border.
    refills: bool,
    /// Repeated to the size of the image.
    bytes: &'a [u8],
}

fn size([height, width]: [u16; 2]) -> Size {
    let [height, width] = [height, width]
        .map(|side| usize::from(if side % 16 == 0 { side % MAX_SIDE } else { side % MAX_USUAL_SIDE }) + 1);
    Size { height: height.min(MAX_AREA / width).max(1), width: width.min(MAX_AREA) }
}

impl Input<'_> {
    fn assert_fills<T: Sample + PartialEq + Debug>(
        &self,
        fitting: Fitting,
        image: &[&[u8]],
        format: &Format<T>,
        expected: &[T],
    ) {
        // Starting threads takes longer than all the rest, so few executions do it.
        let threads = if self.threads < 4 { usize::from(self.threads) } else { 1 };
        for level in Level::available() {
            let plan = &Plan::of(fitting, level).unwrap();
            let mut out: Vec<T> = expected.iter().rev().copied().collect();
            for border in [true, false].into_iter().take(1 + usize::from(self.refills)) {
                Plan::fill_batch(vec![Job { plan, image, out: &mut out, border }], format, threads).unwrap();
                assert!(out == expected, "{plan:?}");
            }
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    if input.bytes.is_empty() {
        return;
    }
    let form = input.form % 11;
    let target = size(input.target);
    let source = match usize::from(input.times % 8) {
        times @ 1..=4 => Size { height: times * target.height, width: times * target.width },
        _ => size(input.source),
    };
    let mut image = input.bytes.repeat((3 * source.height * source.width).div_ceil(input.bytes.len()));
    image.truncate(3 * source.height * source.width);
    let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
    let is_grey = form == 10;
    let fitting = Fitting { source, target, grey: is_grey, single_precision: input.refills };
    let plan = Plan::of(fitting, Level::SCALAR).unwrap();
    let bytes = naive_letterbox(&if is_grey { grey(&image, input.reverses) } else { image.clone() }, &plan);
    let bytes = if input.reverses { reversed(&bytes) } else { bytes };
    let floats = || -> Vec<f32> { bytes.iter().map(|byte| f32::from(*byte)).collect() };
    let tables = [0.5, 0.25, 0.125].map(|scale| std::array::from_fn(|byte| scale * byte as f32 - 1.0));
    let area = target.height * target.width;
    let values = || looked_up(&bytes, area, &tables);
    let planes = || Format::planes(input.reverses);
    match form {
        0 | 1 => input.assert_fills(fitting, &rows, &planes(), &floats()),
        2 | 3 => {
            let halves = Vec::<f16>::from_f32_slice(&floats());
            input.assert_fills(fitting, &rows, &Format::planes(input.reverses), &halves);
        }
        4 | 5 => input.assert_fills(fitting, &rows, &Format::planes(input.reverses), &bytes),
        6 => input.assert_fills(fitting, &rows, &Format::interleaved(input.reverses), &interleaved(&bytes)),
        7 => input.assert_fills(fitting, &rows, &Format::interleaved(input.reverses), &interleaved(&floats())),
        8 => input.assert_fills(fitting, &rows, &planes().with_values(&tables), &values()),
        9 => {
            let format = Format::interleaved(input.reverses).with_values(&tables);
            input.assert_fills(fitting, &rows, &format, &interleaved(&values()));
        }
        _ => input.assert_fills(fitting, &rows, &planes().with_values(&tables), &values()[..area]),
    }
});
