//! The naive twin of the letterbox, which follows OpenCV's arithmetic pixel by pixel.

use yoloxfast_core::{PADDING, Plan, Size};

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
fn naive_pixel(image: &[u8], source: Size, target: Size, row: usize, column: usize) -> [u8; 3] {
    if source == (Size { height: 2 * target.height, width: 2 * target.width }) {
        return [0, 1, 2].map(|channel| {
            let at = |row: usize, column: usize| u32::from(image[3 * (row * source.width + column) + channel]);
            let (row, column) = (2 * row, 2 * column);
            ((at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1) + 2) >> 2) as u8
        });
    }
    let (x, mut x_fraction) = position(column, source.width, target.width);
    let (y, y_fraction) = position(row, source.height, target.height);
    let last = source.width as i64 - 1;
    if x < 0 || x >= last {
        x_fraction = 0.0;
    }
    let x = x.clamp(0, last);
    let x_weights = [weight(1.0 - x_fraction), weight(x_fraction)];
    let y_weights = [weight(1.0 - y_fraction), weight(y_fraction)];
    [0, 1, 2].map(|channel| {
        let across = |y: i64| {
            let row = y.clamp(0, source.height as i64 - 1) as usize;
            let at = |x: i64| i64::from(image[3 * (row * source.width + x.min(last) as usize) + channel]);
            (at(x) * x_weights[0] + at(x + 1) * x_weights[1]) >> 4
        };
        let blended = ((across(y) * y_weights[0]) >> 16) + ((across(y + 1) * y_weights[1]) >> 16);
        ((blended + 2) >> 2) as u8
    })
}

/// The bytes of an input, plane by plane.
pub(crate) fn naive_letterbox(image: &[u8], plan: &Plan) -> Vec<u8> {
    let (target, resized) = (plan.fitting().target, plan.resized());
    let area = target.height * target.width;
    let mut out = vec![PADDING; 3 * area];
    for row in 0..resized.height {
        for column in 0..resized.width {
            let pixel = naive_pixel(image, plan.fitting().source, resized, row, column);
            for (channel, byte) in pixel.into_iter().enumerate() {
                out[channel * area + row * target.width + column] = byte;
            }
        }
    }
    out
}

/// The image in grey, in three equal channels.
#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes")]
pub(crate) fn grey(image: &[u8], reversed: bool) -> Vec<u8> {
    let weights = if reversed { [9798, 19235, 3735] } else { [3735, 19235, 9798] };
    let grey = |pixel: &[u8]| {
        let sum: u32 = pixel.iter().zip(weights).map(|(byte, weight)| u32::from(*byte) * weight).sum();
        ((sum + (1 << 14)) >> 15) as u8
    };
    image.chunks(3).flat_map(|pixel| [grey(pixel); 3]).collect()
}

/// The same planes in opposite order.
pub(crate) fn reversed(planes: &[u8]) -> Vec<u8> {
    planes.chunks(planes.len() / 3).rev().flatten().copied().collect()
}

/// What each plane's table has for the bytes of planes, of which there may be fewer than tables.
pub(crate) fn looked_up(planes: &[u8], area: usize, tables: &[[f32; 256]; 3]) -> Vec<f32> {
    let of_plane = |(plane, table): (&[u8], &[f32; 256])| -> Vec<f32> {
        plane.iter().map(|byte| table[usize::from(*byte)]).collect()
    };
    planes.chunks(area).zip(tables).flat_map(of_plane).collect()
}

/// The numbers of planes pixel by pixel.
pub(crate) fn interleaved<T: Copy>(planes: &[T]) -> Vec<T> {
    let area = planes.len() / 3;
    (0..area).flat_map(|pixel| [0, 1, 2].map(|plane| planes[plane * area + pixel])).collect()
}
