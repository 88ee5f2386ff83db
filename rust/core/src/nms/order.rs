//! Best score first, equal scores by index.
//!
//! A key holds the score in its upper half, so that a better one is a smaller integer, and the index in its lower half.
//! Many keys are sorted by the two highest digits in which their scores differ, the lower one first, because each pass
//! keeps the order of the one before. What still is out of order are runs of keys with the same digits: short ones,
//! unless nearly all scores are nearly the same. They are sorted by comparison.

#![expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 boxes")]

use super::Box4;
use crate::memory::{self, Refused};

/// Fewer keys are sorted by comparison.
const MANY: usize = if cfg!(fuzzing) { 16 } else { 500 };

/// Fewer keys are sorted by shorter digits.
const VERY_MANY: usize = if cfg!(fuzzing) { 64 } else { 8000 };

/// Replaces `keys` by those of the boxes whose corners and score are finite, in order.
pub(super) fn sort(boxes: &[Box4], scores: &[f32], keys: &mut Vec<u64>, buffer: &mut Vec<u64>) -> Result<(), Refused> {
    keys.clear();
    memory::reserve(keys, boxes.len())?;
    for (index, (corners, score)) in boxes.iter().zip(scores).enumerate() {
        if score.is_finite() && corners.iter().all(|corner| corner.is_finite()) {
            keys.push(u64::from(rank(*score)) << 32 | index as u64);
        }
    }
    match keys.len() {
        0..MANY => {
            keys.sort_unstable();
            Ok(())
        }
        MANY..VERY_MANY => sort_by_digits::<{ 1 << 8 }>(keys, buffer),
        VERY_MANY.. => sort_by_digits::<{ 1 << 11 }>(keys, buffer),
    }
}

fn sort_by_digits<const RADIX: usize>(keys: &mut Vec<u64>, buffer: &mut Vec<u64>) -> Result<(), Refused> {
    let (all, any) = keys.iter().fold((u64::MAX, 0), |(all, any), key| (all & key, any | key));
    let differing_bits = u64::BITS - (all ^ any).leading_zeros();
    let shift = differing_bits.saturating_sub(2 * RADIX.ilog2());
    let digits = |key: u64| [key >> shift, key >> shift >> RADIX.ilog2()].map(|digit| digit as usize % RADIX);
    let mut counts = [[0_u32; RADIX]; 2];
    for key in &*keys {
        let [low, high] = digits(*key);
        counts[0][low] += 1;
        counts[1][high] += 1;
    }
    memory::fill(buffer, 0, keys.len())?;
    for (number, starts) in counts.iter_mut().enumerate() {
        let mut start = 0;
        for count in &mut *starts {
            (*count, start) = (start, start + *count);
        }
        for key in &*keys {
            let start = &mut starts[digits(*key)[number]];
            buffer[*start as usize] = *key;
            *start += 1;
        }
        std::mem::swap(keys, buffer);
    }
    for run in keys.chunk_by_mut(|a, b| digits(*a) == digits(*b)) {
        run.sort_unstable();
    }
    Ok(())
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
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;

    #[test]
    fn ranks_fall_as_scores_rise() {
        let scores = [f32::MIN, -1.0, -f32::MIN_POSITIVE, 0.0, f32::from_bits(1), 0.5, 1.0, f32::MAX];
        assert!(scores.windows(2).all(|pair| rank(pair[0]) > rank(pair[1])));
        assert_eq!(rank(-0.0), rank(0.0));
    }
    #[test]
    fn digits_sort_as_comparison_does() {
        let scores_of: [fn(f32) -> f32; 5] =
            [|x| x, |x| 0.5 + x * 1e-6, |_| 0.25, |x| (x * 4.0).floor() - 2.0, |x| (x - 0.5) * 1e38];
        for count in [0, 1, MANY - 1, MANY, VERY_MANY - 1, VERY_MANY, 3 * VERY_MANY] {
            for score_of in scores_of {
                let scores: Vec<f32> = (0..count).map(|i| score_of((i * 7919 % 10007) as f32 / 10007.0)).collect();
                let mut expected: Vec<usize> = (0..count).collect();
                expected.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
                let (mut keys, mut buffer) = (vec![1], vec![2]);
                sort(&vec![[0.0; 4]; count], &scores, &mut keys, &mut buffer).unwrap();
                assert_eq!(keys.iter().map(|key| index(*key)).collect::<Vec<_>>(), expected);
            }
        }
    }
}
