//! The letterbox at each level against its naive twin, in each form.

#![no_main]

#[path = "../../core/tests/naive/letterbox.rs"]
mod naive;

use arbitrary::Arbitrary;
use half::f16;
use libfuzzer_sys::fuzz_target;
use naive::{interleaved, legacy, naive_letterbox, reversed};
use yoloxfast_core::{Format, Job, Level, Plan, Sample, Size};

#[derive(Arbitrary, Debug)]
struct Input {
    source: [u16; 2],
    target: [u16; 2],
    reverses: bool,
    threads: u8,
    /// Repeated to the size of the image.
    bytes: Vec<u8>,
}

/// A side, mostly short.
fn side(number: u16) -> usize {
    usize::from(if number % 8 == 0 { number % 3000 } else { number % 100 }) + 1
}

fn assert_fills<T: Sample + PartialEq + std::fmt::Debug>(
    plan: &Plan,
    image: &[&[u8]],
    format: &Format<T>,
    threads: usize,
    expected: &[T],
) {
    let mut out: Vec<T> = expected.iter().rev().copied().collect();
    for border in [true, false] {
        let jobs = vec![Job { plan, image, out: &mut out, border }];
        Plan::fill_batch(jobs, format, threads).unwrap();
        assert!(out == expected, "{plan:?}");
    }
}

fuzz_target!(|input: Input| {
    let [source, target] =
        [input.source, input.target].map(|[height, width]| Size { height: side(height), width: side(width) });
    if input.bytes.is_empty() || source.height * source.width + target.height * target.width > 300_000 {
        return;
    }
    let image: Vec<u8> = input.bytes.iter().copied().cycle().take(3 * source.height * source.width).collect();
    let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
    let (reverses, threads) = (input.reverses, usize::from(input.threads % 4));
    let twin = Plan::new(source, target, Level::SCALAR).unwrap();
    let bytes = naive_letterbox(&image, &twin);
    let bytes = if reverses { reversed(&bytes) } else { bytes };
    let floats: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte)).collect();
    let halves: Vec<f16> = bytes.iter().map(|byte| f16::from(*byte)).collect();
    for level in Level::available() {
        let plan = Plan::new(source, target, level).unwrap();
        assert_fills(&plan, &rows, &Format::planes(reverses), threads, &floats);
        assert_fills(&plan, &rows, &Format::planes(reverses), threads, &halves);
        assert_fills(&plan, &rows, &Format::planes(reverses), threads, &bytes);
        assert_fills(&plan, &rows, &Format::interleaved(reverses), threads, &interleaved(&bytes));
        assert_fills(&plan, &rows, &Format::legacy(reverses), threads, &legacy(&bytes));
    }
});
