//! Best score first, equal scores by index.
//!
//! A key holds the score in its upper half, so that a better one is a smaller integer, and the index in its lower half.
//! Many keys are sorted digit by digit, the least significant of the score first; each pass keeps the order of the one
//! before, and the first that of the indices.

#![expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 boxes")]

use super::Box4;

/// Fewer keys are sorted by comparison.
const MANY: usize = 500;

/// Digits of a score, of a byte each.
const DIGITS: usize = 4;

/// Replaces `keys` by those of the boxes whose corners and score are finite, in order.
pub(super) fn sort(boxes: &[Box4], scores: &[f32], keys: &mut Vec<u64>, buffer: &mut Vec<u64>) {
    keys.clear();
    for (index, (corners, score)) in boxes.iter().zip(scores).enumerate() {
        if score.is_finite() && corners.iter().all(|corner| corner.is_finite()) {
            keys.push(u64::from(rank(*score)) << 32 | index as u64);
        }
    }
    if keys.len() < MANY { keys.sort_unstable() } else { sort_by_digits(keys, buffer) }
}

fn sort_by_digits(keys: &mut Vec<u64>, buffer: &mut Vec<u64>) {
    let mut counts = [[0_u32; 256]; DIGITS];
    for key in &*keys {
        for (number, counts) in counts.iter_mut().enumerate() {
            counts[digit(*key, number)] += 1;
        }
    }
    buffer.clear();
    buffer.resize(keys.len(), 0);
    for (number, starts) in counts.iter_mut().enumerate() {
        if starts[digit(keys[0], number)] as usize == keys.len() {
            continue;
        }
        let mut start = 0;
        for count in starts.iter_mut() {
            (*count, start) = (start, start + *count);
        }
        for key in &*keys {
            let start = &mut starts[digit(*key, number)];
            buffer[*start as usize] = *key;
            *start += 1;
        }
        std::mem::swap(keys, buffer);
    }
}

/// A digit of the score, the least significant first.
fn digit(key: u64, number: usize) -> usize {
    usize::from((key >> (32 + 8 * number)) as u8)
}

/// The index that a key holds.
pub(super) fn index(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// A smaller integer for a larger score, the same for 0 and -0.
fn rank(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    let is_negative = bits >> 31 == 1;
    if is_negative { bits } else { !bits ^ (1 << 31) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_fall_as_scores_rise() {
        let scores = [f32::MIN, -1.0, -f32::MIN_POSITIVE, 0.0, f32::from_bits(1), 0.5, 1.0, f32::MAX];
        assert!(scores.windows(2).all(|pair| rank(pair[0]) > rank(pair[1])));
        assert_eq!(rank(-0.0), rank(0.0));
    }
}
