//! Bringing the boxes of each class together, without changing their order.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "there are fewer than 2^32 boxes")]

use std::ops::Range;

/// Positions, grouped by class.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    positions: Vec<u32>,
    ends: Vec<u32>,
}

impl Groups {
    /// Makes one group of all positions below `count`.
    pub(super) fn join(&mut self, count: usize) {
        self.positions.clear();
        self.positions.extend(0..count as u32);
        self.ends.clear();
        self.ends.push(count as u32);
    }

    /// Groups the positions below `count` by class.
    pub(super) fn split(&mut self, count: usize, class_of: impl Fn(usize) -> i64) {
        let class_ids = (0..count).map(&class_of);
        let (lowest, highest) = class_ids.fold((i64::MAX, i64::MIN), |(low, high), id| (low.min(id), high.max(id)));
        match usize::try_from(i128::from(highest) - i128::from(lowest)) {
            Ok(span) if span < 4 * count + 256 => {
                self.count(count, span + 1, |position| (class_of(position) - lowest) as usize);
            }
            _ => self.sort(count, class_of),
        }
    }

    /// Each group's positions, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start as usize..*end as usize)
    }

    pub(super) fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Counting sort: class ids from 0 to below `classes`.
    fn count(&mut self, count: usize, classes: usize, class_of: impl Fn(usize) -> usize) {
        self.ends.clear();
        self.ends.resize(classes, 0);
        for position in 0..count {
            self.ends[class_of(position)] += 1;
        }
        let mut start = 0;
        for end in &mut self.ends {
            (*end, start) = (start, start + *end);
        }
        self.positions.clear();
        self.positions.resize(count, 0);
        for position in 0..count {
            let end = &mut self.ends[class_of(position)];
            self.positions[*end as usize] = position as u32;
            *end += 1;
        }
    }

    /// Comparison sort: any class ids.
    fn sort(&mut self, count: usize, class_of: impl Fn(usize) -> i64) {
        self.positions.clear();
        self.positions.extend(0..count as u32);
        self.positions.sort_by_key(|position| class_of(*position as usize));
        let groups = self.positions.chunk_by(|a, b| class_of(*a as usize) == class_of(*b as usize));
        self.ends.clear();
        self.ends.extend(groups.scan(0, |end, group| {
            *end += group.len() as u32;
            Some(*end)
        }));
    }
}
