//! Sizes at which nothing need be weighted: the same one, and exactly half of it.
//!
//! The fixed-point arithmetic would give the same bytes: with weights of 1 and 1/2 nothing is lost before its last shift,
//! which leaves a copy, or the mean of four.

use crate::level::by_level;

by_level! {
    /// Copies a row of pixels, each channel to a row of its own.
    pub(super) fn split(row: &[u8], channels: [&mut [u8]; 3]) = split_body
}

#[inline(always)]
fn split_body(row: &[u8], [first, second, third]: [&mut [u8]; 3]) {
    let (pixels, _) = row.as_chunks::<3>();
    for (((pixel, first), second), third) in pixels.iter().zip(first).zip(second).zip(third) {
        [*first, *second, *third] = *pixel;
    }
}

by_level! {
    /// Takes the means, rounded, of blocks of two by two bytes of two rows of one channel.
    pub(super) fn halve(rows: [&[u8]; 2], bytes: &mut [u8]) = halve_body
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes")]
fn halve_body(rows: [&[u8]; 2], bytes: &mut [u8]) {
    let [upper, lower] = rows.map(|row| row.as_chunks::<2>().0);
    for (byte, (upper, lower)) in bytes.iter_mut().zip(upper.iter().zip(lower)) {
        let sum = |pair: &[u8; 2]| u16::from(pair[0]) + u16::from(pair[1]);
        *byte = ((sum(upper) + sum(lower) + 2) >> 2) as u8;
    }
}
