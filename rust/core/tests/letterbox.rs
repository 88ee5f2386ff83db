//! The letterbox against its naive twin.

#[path = "naive/letterbox.rs"]
mod naive;

use half::f16;
use naive::{grey, interleaved, looked_up, naive_letterbox, reversed};
use proptest::prelude::*;
use yoloxfast_core::{Error, Fitting, Format, Job, Level, Plan, Sample, Size};

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

/// Numbers for the bytes of each channel.
fn random_tables(seed: u32) -> [[f32; 256]; 3] {
    let bytes = random_image(Size { height: 1, width: 512 }, seed);
    let number = |pair: &[u8]| f32::from(pair[0]) / 7.0 - f32::from(pair[1]);
    [0, 1, 2].map(|table| std::array::from_fn(|byte| number(&bytes[512 * table + 2 * byte..][..2])))
}

fn halves(floats: &[f32]) -> Vec<f16> {
    floats.iter().map(|value| f16::from_f32(*value)).collect()
}

/// Fills inputs that hold something else: one on one thread, one on several and then again without the border.
#[expect(clippy::unwrap_used, reason = "tests")]
fn filled<T: Sample>(plan: &Plan, image: &[&[u8]], format: &Format<T>, other: T, threads: usize) -> [Vec<T>; 2] {
    let Fitting { target: Size { height, width }, grey, .. } = plan.fitting();
    let len = if grey { 1 } else { 3 } * height * width;
    let mut outs = [vec![other; len], vec![other; len]];
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
            for out in filled(&plan, &rows, &Format::planes(reverses), f32::NAN, threads) {
                prop_assert_eq!(&out, &floats, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::planes(reverses), f16::NAN, threads) {
                prop_assert_eq!(&out, &halves(&floats), "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::planes(reverses), 7_u8, threads) {
                prop_assert_eq!(&out, &bytes, "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::interleaved(reverses), f32::NAN, threads) {
                prop_assert_eq!(&out, &interleaved(&floats), "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::interleaved(reverses), f16::NAN, threads) {
                prop_assert_eq!(&out, &halves(&interleaved(&floats)), "{:?}", level);
            }
            for out in filled(&plan, &rows, &Format::interleaved(reverses), 7_u8, threads) {
                prop_assert_eq!(&out, &interleaved(&bytes), "{:?}", level);
            }
        }
    }

    #[test]
    fn each_level_writes_the_numbers_of_tables(
        (source, target) in sizes(),
        seed in any::<u32>(),
        reverses in any::<bool>(),
        threads in 1..5_usize,
    ) {
        let image = random_image(source, seed);
        let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
        let tables = random_tables(seed);
        for level in Level::available() {
            let plan = Plan::new(source, target, level).unwrap();
            let bytes = naive_letterbox(&image, &plan);
            let bytes = if reverses { reversed(&bytes) } else { bytes };
            let floats = looked_up(&bytes, target.height * target.width, &tables);
            let planes = Format::planes(reverses).with_values(&tables);
            for out in filled(&plan, &rows, &planes, f32::NAN, threads) {
                prop_assert_eq!(&out, &floats, "{:?}", level);
            }
            let planes = Format::planes(reverses).with_values(&tables);
            for out in filled(&plan, &rows, &planes, f16::NAN, threads) {
                prop_assert_eq!(&out, &halves(&floats), "{:?}", level);
            }
            let pixels = Format::interleaved(reverses).with_values(&tables);
            for out in filled(&plan, &rows, &pixels, f32::NAN, threads) {
                prop_assert_eq!(&out, &interleaved(&floats), "{:?}", level);
            }
        }
    }

    #[test]
    fn each_level_writes_grey_inputs(
        (source, target) in sizes(),
        seed in any::<u32>(),
        reverses in any::<bool>(),
        threads in 1..5_usize,
    ) {
        let image = random_image(source, seed);
        let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
        let (area, tables) = (target.height * target.width, random_tables(seed));
        for level in Level::available() {
            let plan = Plan::of(Fitting { source, target, grey: true, single_precision: false }, level).unwrap();
            let bytes = naive_letterbox(&grey(&image, reverses), &plan)[..area].to_vec();
            for out in filled(&plan, &rows, &Format::planes(reverses), 7_u8, threads) {
                prop_assert_eq!(&out, &bytes, "{:?}", level);
            }
            for format in [Format::planes(reverses), Format::interleaved(reverses)] {
                for out in filled(&plan, &rows, &format.with_values(&tables), f32::NAN, threads) {
                    prop_assert_eq!(&out, &looked_up(&bytes, area, &tables), "{:?}", level);
                }
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

/// `float r`, and `int unpad_h = r * img.rows`, in YOLOX's `yolox.cpp`.
#[test]
fn in_single_precision_the_resized_side_may_be_another() {
    let target = Size { height: 640, width: 640 };
    for (height, exact, single) in [(1064, 640, 639), (1077, 639, 640), (1000, 640, 640)] {
        for (single_precision, expected) in [(false, exact), (true, single)] {
            let source = Size { height, width: 640 };
            let plan = Plan::of(Fitting { source, target, grey: false, single_precision }, Level::best()).unwrap();
            assert_eq!(plan.resized().height, expected);
        }
    }
    let source = Size { height: 1064, width: 640 };
    let plan = Plan::of(Fitting { source, target, grey: false, single_precision: true }, Level::best()).unwrap();
    assert_eq!(plan.scale().to_bits(), f64::from(640_f32 / 1064.0).to_bits());
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
