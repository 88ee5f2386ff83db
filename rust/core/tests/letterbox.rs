//! The letterbox against its naive twin.

#[path = "naive/letterbox.rs"]
mod naive;

use half::f16;
use naive::{interleaved, legacy, naive_letterbox, reversed};
use proptest::prelude::*;
use yoloxfast_core::{Error, Format, Job, Level, Plan, Sample, Size};

fn size(most: usize) -> impl Strategy<Value = Size> {
    (1..=most, 1..=most).prop_map(|(height, width)| Size { height, width })
}

fn sizes() -> impl Strategy<Value = (Size, Size)> {
    prop_oneof![
        (size(90), size(60)),
        (size(20), size(80)),
        (1..400_usize, 1..4_usize, size(50)).prop_map(|(height, width, target)| (Size { height, width }, target)),
        (1..4_usize, 1..400_usize, size(50)).prop_map(|(height, width, target)| (Size { height, width }, target)),
        (1..7_usize, 0..2_usize, size(40)).prop_map(|(times, more, target)| {
            (Size { height: times * target.height + more, width: times * target.width }, target)
        }),
    ]
}

fn random_image(size: Size, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let byte = |_| {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        state.to_le_bytes()[3]
    };
    (0..3 * size.height * size.width).map(byte).collect()
}

/// Fills inputs that hold something else: one on one thread, one on several and then again without the border.
#[expect(clippy::unwrap_used, reason = "tests")]
fn filled<T: Sample>(plan: &Plan, image: &[&[u8]], format: &Format<T>, other: T, threads: usize) -> [Vec<T>; 2] {
    let Size { height, width } = plan.target();
    let mut outs = [vec![other; 3 * height * width], vec![other; 3 * height * width]];
    plan.fill(image, &mut outs[0], format).unwrap();
    Plan::fill_batch(vec![Job { plan, image, out: &mut outs[1], border: true }], format, threads).unwrap();
    Plan::fill_batch(vec![Job { plan, image, out: &mut outs[1], border: false }], format, threads).unwrap();
    outs
}

proptest! {
    #[test]
    fn each_level_writes_what_the_naive_twin_does(
        (source, target) in sizes(),
        seed in any::<u32>(),
        reverses in any::<bool>(),
        threads in 1..5_usize,
    ) {
        let image = random_image(source, seed);
        let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
        for level in Level::available() {
            let plan = Plan::new(source, target, level).unwrap();
            let bytes = naive_letterbox(&image, &plan);
            let bytes = if reverses { reversed(&bytes) } else { bytes };
            let floats: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte)).collect();
            let halves: Vec<f16> = bytes.iter().map(|byte| f16::from(*byte)).collect();
            let normal = legacy(&bytes);
            let normal_halves: Vec<f16> = normal.iter().map(|value| f16::from_f32(*value)).collect();
            let pixels = interleaved(&bytes);
            for out in filled(&plan, &rows, &Format::planes(reverses), f32::NAN, threads) {
                prop_assert_eq!(&out, &floats, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::planes(reverses), f16::NAN, threads) {
                prop_assert_eq!(&out, &halves, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::planes(reverses), 7_u8, threads) {
                prop_assert_eq!(&out, &bytes, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::interleaved(reverses), 7_u8, threads) {
                prop_assert_eq!(&out, &pixels, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::legacy(reverses), f32::NAN, threads) {
                prop_assert_eq!(&out, &normal, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::legacy(reverses), f16::NAN, threads) {
                prop_assert_eq!(&out, &normal_halves, "{:?}", level);
            }
        }
    }

    #[test]
    fn a_batch_is_each_of_its_images(
        sources in prop::collection::vec(size(70), 0..6),
        target in size(50),
        threads in 0..9_usize,
        seed in any::<u32>(),
    ) {
        let images: Vec<Vec<u8>> = sources.iter().map(|source| random_image(*source, seed)).collect();
        let rows: Vec<Vec<&[u8]>> =
            images.iter().zip(&sources).map(|(image, source)| image.chunks(3 * source.width).collect()).collect();
        let prepared = |source: &Size| Plan::new(*source, target, Level::best()).unwrap();
        let plans: Vec<Plan> = sources.iter().map(prepared).collect();
        let size = 3 * target.height * target.width;
        let mut batch = vec![0_u8; size * images.len()];
        let parts = plans.iter().zip(&rows).zip(batch.chunks_mut(size));
        let jobs = parts.map(|((plan, image), out)| Job { plan, image, out, border: true }).collect();
        Plan::fill_batch(jobs, &Format::planes(false), threads).unwrap();
        for ((plan, image), out) in plans.iter().zip(&images).zip(batch.chunks(size)) {
            prop_assert_eq!(out, naive_letterbox(image, plan));
        }
    }
}

#[test]
fn the_resized_side_is_truncated_and_never_0() {
    let resized = |source, target| {
        let [source, target] = [source, target].map(|(height, width)| Size { height, width });
        let plan = Plan::new(source, target, Level::best()).unwrap();
        (plan.resized().height, plan.resized().width)
    };
    assert_eq!(resized((1241, 640), (640, 640)), (639, 330));
    assert_eq!(resized((1, 2000), (416, 416)), (1, 416));
    assert_eq!(resized((480, 640), (640, 640)), (480, 640));
}

#[test]
fn other_sizes_are_errors() {
    let size = |height, width| Size { height, width };
    for (height, width) in [(0, 1), (1, 0), (1, (1 << 20) + 1)] {
        let expected = |name| Error::Side { name, height, width, most: 1 << 20 };
        assert_eq!(Plan::new(size(height, width), size(8, 8), Level::best()).unwrap_err(), expected("image"));
        assert_eq!(Plan::new(size(8, 8), size(height, width), Level::best()).unwrap_err(), expected("input"));
    }
    let plan = Plan::new(size(2, 3), size(4, 4), Level::best()).unwrap();
    let (row, mut out, format) = ([0; 9], [0_f32; 49], Format::planes(false));
    assert!(plan.fill(&[&row, &row], &mut out[..48], &format).is_ok());
    for image in [&[&row[..]][..], &[&row, &row[1..]], &[&row, &row, &row], &[]] {
        let found = plan.fill(image, &mut out[..48], &format);
        assert_eq!(found.unwrap_err(), Error::OtherImage { height: 2, width: 3 });
    }
    for actual in [0, 16, 47, 49] {
        let expected = Error::OutLength { actual, expected: 48 };
        assert_eq!(plan.fill(&[&row, &row], &mut out[..actual], &format).unwrap_err(), expected);
    }
}

#[test]
fn the_border_is_left_alone_if_it_is_there_already() {
    let [source, target] = [2, 4].map(|height| Size { height, width: 4 });
    let plan = Plan::new(source, target, Level::best()).unwrap();
    let (row, mut out) = ([5; 12], [9; 48]);
    let job = Job { plan: &plan, image: &[&row, &row], out: &mut out, border: false };
    Plan::fill_batch(vec![job], &Format::planes(false), 1).unwrap();
    assert_eq!(out[..16], [5, 5, 5, 5, 5, 5, 5, 5, 9, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn nothing_is_written_if_one_image_of_a_batch_is_wrong() {
    let size = Size { height: 2, width: 2 };
    let plan = Plan::new(size, size, Level::best()).unwrap();
    let (row, mut outs) = ([5_u8; 6], [[9_u8; 12]; 2]);
    let images = [&[&row[..], &row][..], &[&row[..]]];
    let jobs = images.iter().zip(&mut outs).map(|(image, out)| Job { plan: &plan, image, out, border: true }).collect();
    assert!(Plan::fill_batch(jobs, &Format::planes(false), 1).is_err());
    assert_eq!(outs, [[9; 12]; 2]);
}
