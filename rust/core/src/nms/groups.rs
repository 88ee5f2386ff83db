//! Bringing the boxes of each class together, without changing their order.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "there are fewer than 2^32 boxes")]

use std::iter;
use std::ops::Range;

use crate::memory::{self, Refused};

/// Positions, grouped by class.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    positions: Vec<u32>,
    ends: Vec<u32>,
    class_ids: Vec<i64>,
}

impl Groups {
    /// Makes one group of all positions below `count`.
    pub(super) fn join(&mut self, count: usize) -> Result<(), Refused> {
        memory::refill(&mut self.positions, 0..count as u32)?;
        memory::refill(&mut self.ends, iter::once(count as u32))
    }

    /// Groups positions by class: those of these classes, in order.
    pub(super) fn split(&mut self, class_ids: impl ExactSizeIterator<Item = i64>) -> Result<(), Refused> {
        memory::refill(&mut self.class_ids, class_ids)?;
        let lowest = self.class_ids.iter().copied().min().unwrap_or_default();
        let highest = self.class_ids.iter().copied().max().unwrap_or_default();
        match usize::try_from(i128::from(highest) - i128::from(lowest)) {
            Ok(span) if span < 4 * self.class_ids.len() + 256 => self.count(lowest, span + 1),
            _ => self.sort(),
        }
    }

    /// Each group's positions, in order. Classes without any are left out: they may be most.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start as usize..*end as usize).filter(|group| !group.is_empty())
    }

    pub(super) fn bytes(&self) -> usize {
        memory::bytes_of(&self.positions) + memory::bytes_of(&self.ends) + memory::bytes_of(&self.class_ids)
    }

    pub(super) fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Counting sort: this many classes from the lowest on.
    fn count(&mut self, lowest: i64, classes: usize) -> Result<(), Refused> {
        let Self { positions, ends, class_ids } = self;
        let number = |class_id: i64| (class_id - lowest) as usize;
        memory::fill(ends, 0, classes)?;
        for class_id in &*class_ids {
            ends[number(*class_id)] += 1;
        }
        let mut start = 0;
        for end in &mut *ends {
            (*end, start) = (start, start + *end);
        }
        memory::fill(positions, 0, class_ids.len())?;
        for (position, class_id) in class_ids.iter().enumerate() {
            let end = &mut ends[number(*class_id)];
            positions[*end as usize] = position as u32;
            *end += 1;
        }
        Ok(())
    }

    /// Comparison sort: any classes.
    fn sort(&mut self) -> Result<(), Refused> {
        let Self { positions, ends, class_ids } = self;
        memory::refill(positions, 0..class_ids.len() as u32)?;
        positions.sort_unstable_by_key(|position| (class_ids[*position as usize], *position));
        let groups = positions.chunk_by(|a, b| class_ids[*a as usize] == class_ids[*b as usize]);
        ends.clear();
        memory::reserve(ends, class_ids.len())?;
        ends.extend(groups.scan(0, |end, group| {
            *end += group.len() as u32;
            Some(*end)
        }));
        Ok(())
    }
}
