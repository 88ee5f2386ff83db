//! The letterbox against a naive twin that follows OpenCV's arithmetic pixel by pixel.

use half::f16;
use proptest::prelude::*;
use yoloxfast_core::{Error, Letterbox, Level, PADDING, Size};

/// Where a target coordinate lies: the source coordinate before it, and the fraction beyond.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
fn position(target: usize, source_side: usize, target_side: usize) -> (i64, f32) {
    let scale = 1.0 / (target_side as f64 / source_side as f64);
    let position = ((target as f64 + 0.5) * scale - 0.5) as f32;
    (position.floor() as i64, position - position.floor())
}

#[expect(clippy::cast_possible_truncation, reason = "at most 2048")]
fn weight(fraction: f32) -> i64 {
    (fraction * 2048.0).round_ties_even() as i64
}

/// A pixel of the resized image.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
fn naive_pixel(image: &[u8], source: Size, target: Size, row: usize, column: usize, channel: usize) -> u8 {
    if source == (Size { height: 2 * target.height, width: 2 * target.width }) {
        let at = |row: usize, column: usize| u32::from(image[3 * (row * source.width + column) + channel]);
        let (row, column) = (2 * row, 2 * column);
        return ((at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1) + 2) >> 2)
            as u8;
    }
    let (x, mut x_fraction) = position(column, source.width, target.width);
    let (y, y_fraction) = position(row, source.height, target.height);
    let last = source.width as i64 - 1;
    if x < 0 || x >= last {
        x_fraction = 0.0;
    }
    let x = x.clamp(0, last);
    let across = |y: i64| {
        let row = y.clamp(0, source.height as i64 - 1) as usize;
        let at = |x: i64| i64::from(image[3 * (row * source.width + x.min(last) as usize) + channel]);
        (at(x) * weight(1.0 - x_fraction) + at(x + 1) * weight(x_fraction)) >> 4
    };
    let blended = ((across(y) * weight(1.0 - y_fraction)) >> 16) + ((across(y + 1) * weight(y_fraction)) >> 16);
    ((blended + 2) >> 2) as u8
}

fn naive(image: &[u8], letterbox: &Letterbox) -> Vec<u8> {
    let (target, resized) = (letterbox.target(), letterbox.resized());
    let mut out = vec![PADDING; 3 * target.height * target.width];
    for channel in 0..3 {
        for row in 0..resized.height {
            for column in 0..resized.width {
                out[(channel * target.height + row) * target.width + column] =
                    naive_pixel(image, letterbox.source(), resized, row, column, channel);
            }
        }
    }
    out
}

fn size(most: usize) -> impl Strategy<Value = Size> {
    (1..=most, 1..=most).prop_map(|(height, width)| Size { height, width })
}

proptest! {
    #[test]
    fn each_level_resizes_as_the_naive_twin_does(
        (source, target) in prop_oneof![
            (size(90), size(60)),
            (size(20), size(80)),
            size(40).prop_map(|half| (Size { height: 2 * half.height, width: 2 * half.width }, half)),
        ],
        seed in any::<u32>(),
    ) {
        let mut state = seed | 1;
        let image: Vec<u8> = (0..3 * source.height * source.width)
            .map(|_| {
                state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                state.to_le_bytes()[3]
            })
            .collect();
        let rows: Vec<&[u8]> = image.chunks(3 * source.width).collect();
        for level in Level::available() {
            let letterbox = Letterbox::new(source, target, level).unwrap();
            let expected = naive(&image, &letterbox);
            let (mut wide, mut narrow) = (vec![f32::NAN; expected.len()], vec![f16::NAN; expected.len()]);
            letterbox.fill(&rows, &mut wide).unwrap();
            letterbox.pad(&mut wide).unwrap();
            letterbox.fill(&rows, &mut narrow).unwrap();
            letterbox.pad(&mut narrow).unwrap();
            prop_assert_eq!(wide, expected.iter().map(|byte| f32::from(*byte)).collect::<Vec<_>>(), "{:?}", level);
            prop_assert_eq!(narrow, expected.iter().map(|byte| f16::from(*byte)).collect::<Vec<_>>(), "{:?}", level);
        }
    }
}

#[test]
fn the_resized_side_is_truncated_and_never_0() {
    let resized = |source, target| {
        let [source, target] = [source, target].map(|(height, width)| Size { height, width });
        let letterbox = Letterbox::new(source, target, Level::best()).unwrap();
        (letterbox.resized().height, letterbox.resized().width)
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
        assert_eq!(Letterbox::new(size(height, width), size(8, 8), Level::best()).unwrap_err(), expected("image"));
        assert_eq!(Letterbox::new(size(8, 8), size(height, width), Level::best()).unwrap_err(), expected("input"));
    }
    let letterbox = Letterbox::new(size(2, 3), size(4, 4), Level::best()).unwrap();
    let (row, mut out) = ([0; 9], [0_f32; 48]);
    assert!(letterbox.fill(&[&row, &row], &mut out).is_ok());
    for image in [&[&row[..]][..], &[&row, &row[1..]], &[&row, &row, &row], &[]] {
        assert_eq!(letterbox.fill(image, &mut out).unwrap_err(), Error::OtherImage { height: 2, width: 3 });
    }
    for count in [0, 16, 47] {
        let expected = Error::OutLength { actual: count, expected: 48 };
        assert_eq!(letterbox.fill(&[&row, &row], &mut out[..count]).unwrap_err(), expected);
        assert_eq!(letterbox.pad(&mut out[..count]).unwrap_err(), expected);
    }
    assert!(matches!(letterbox.pad(&mut [0_f32; 49]), Err(Error::OutLength { actual: 49, .. })));
}
