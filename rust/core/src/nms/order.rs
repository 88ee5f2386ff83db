//! Best score first, equal scores by index.
//!
//! A key holds the score in its upper half, so that a better one is a smaller integer, and the index in its lower half:
//! sorting integers is fast, and no two are equal.

#![expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 boxes")]

use super::Box4;

/// Replaces `keys` by those of the boxes whose corners and score are finite, in order.
pub(super) fn sort(boxes: &[Box4], scores: &[f32], keys: &mut Vec<u64>) {
    keys.clear();
    for (index, (corners, score)) in boxes.iter().zip(scores).enumerate() {
        if score.is_finite() && corners.iter().all(|corner| corner.is_finite()) {
            keys.push(u64::from(rank(*score)) << 32 | index as u64);
        }
    }
    keys.sort_unstable();
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
