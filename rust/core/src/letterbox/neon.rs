//! [`resize`](super::resize) of a row in NEON.

use std::arch::aarch64::{
    uint16x8_t, uint32x4_t, vextq_u16, vget_low_u16, vld1_u8, vld1q_u16, vmlal_laneq_u16, vmovl_u8, vmull_laneq_u16,
    vreinterpretq_u16_u32, vreinterpretq_u32_u16, vshrn_high_n_u32, vshrn_n_u32, vst1q_u16, vtrn1q_u16, vtrn1q_u32,
    vtrn2q_u16, vtrn2q_u32,
};

use super::CHANNELS;
use super::taps::{Group, LANES};

/// Bytes that are read for the six of two pixels.
pub(super) const READ: usize = 8;

/// Resizes a row to the columns of these groups, each channel to a row of its own.
///
/// # Safety
/// The row has [`READ`] bytes from each offset on.
#[target_feature(enable = "neon")]
pub(super) unsafe fn resize(groups: &[Group], row: &[u8], channels: [&mut [i16]; CHANNELS]) {
    let [first, second, third] = channels.map(|channel| channel.as_chunks_mut::<LANES>().0);
    for (((Group { offsets, weights }, first), second), third) in groups.iter().zip(first).zip(second).zip(third) {
        let pixels = offsets.map(|offset| row.as_ptr().wrapping_add(offset as usize));
        // SAFETY: these are eight pairs of 16 bits.
        let weights = unsafe { [vld1q_u16(weights.as_ptr().cast()), vld1q_u16(weights[4..].as_ptr().cast())] };
        // Columns 0 and 4, 1 and 5, 2 and 6, 3 and 7: of each, blue, green, red and something else.
        // SAFETY: the caller promises these bytes.
        let [zero, one, two, three] = unsafe {
            [
                weighted::<0, 1>([pixels[0], pixels[4]], weights),
                weighted::<2, 3>([pixels[1], pixels[5]], weights),
                weighted::<4, 5>([pixels[2], pixels[6]], weights),
                weighted::<6, 7>([pixels[3], pixels[7]], weights),
            ]
        };
        let wide = |values: uint16x8_t| vreinterpretq_u32_u16(values);
        let [blue_red, next_blue_red] = [vtrn1q_u16(zero, one), vtrn1q_u16(two, three)].map(wide);
        let [green, next_green] = [vtrn2q_u16(zero, one), vtrn2q_u16(two, three)].map(wide);
        store(vtrn1q_u32(blue_red, next_blue_red), first);
        store(vtrn1q_u32(green, next_green), second);
        store(vtrn2q_u32(blue_red, next_blue_red), third);
    }
}

/// Two columns, made of the pixels at these places and those beside them.
///
/// # Safety
/// There are [`READ`] bytes at each.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn weighted<const FIRST: i32, const SECOND: i32>(
    pixels: [*const u8; 2],
    weights: [uint16x8_t; 2],
) -> uint16x8_t {
    let sum = |column: usize| {
        // SAFETY: the caller promises that.
        let pixels = vmovl_u8(unsafe { vld1_u8(pixels[column]) });
        let next = vget_low_u16(vextq_u16::<3>(pixels, pixels));
        let first = vmull_laneq_u16::<FIRST>(vget_low_u16(pixels), weights[column]);
        vmlal_laneq_u16::<SECOND>(first, next, weights[column])
    };
    vshrn_high_n_u32::<4>(vshrn_n_u32::<4>(sum(0)), sum(1))
}

#[target_feature(enable = "neon")]
#[inline]
fn store(values: uint32x4_t, out: &mut [i16; LANES]) {
    // SAFETY: it writes 8 numbers.
    unsafe { vst1q_u16(out.as_mut_ptr().cast(), vreinterpretq_u16_u32(values)) };
}
