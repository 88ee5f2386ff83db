//! The columns of [`resize`](super::resize) as vector code takes them: eight at once.

use super::CHANNELS;
#[cfg(target_arch = "x86_64")]
use super::avx2 as vector;
#[cfg(target_arch = "aarch64")]
use super::neon as vector;
use super::taps::{Group, LANES, Tap};
use crate::{Error, Level, memory};

/// The leading columns whose vector loads stay inside a row of `row_len` bytes.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    row_len: usize,
    groups: Vec<Group>,
}

impl Groups {
    /// Lays them out; `None` at the scalar level, which has no vector code.
    pub(super) fn new(taps: &[Tap], row_len: usize, level: Level) -> Result<Option<Self>, Error> {
        if level == Level::SCALAR {
            return Ok(None);
        }
        let fits = |tap: &&Tap| tap.offset() + vector::READ <= row_len;
        let (groups, _) = taps[..taps.iter().take_while(fits).count()].as_chunks::<LANES>();
        #[expect(clippy::cast_possible_truncation, reason = "rows are below MAX_SIDE")]
        let group = |taps: &[Tap; LANES]| Group {
            offsets: taps.map(|tap| tap.offset() as u32),
            weights: taps.map(|tap| tap.weights),
        };
        Ok(Some(Self { row_len, groups: memory::try_collect(groups.iter().map(group))? }))
    }

    /// Resizes a row of that length to these columns; returns how many they are.
    pub(super) fn resize(&self, row: &[u8], channels: [&mut [i16]; CHANNELS]) -> usize {
        if row.len() != self.row_len {
            return 0;
        }
        // SAFETY: `new` gives none at the scalar level, and the row is as long as it was told.
        unsafe { vector::resize(&self.groups, row, channels) };
        LANES * self.groups.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::taps::of_columns;
    use super::*;

    #[test]
    fn what_is_read_lies_in_the_row() {
        for (source, target) in (1..100).flat_map(|source| [1, 7, 8, 90, 640].map(|target| (source, target))) {
            if let Some(Groups { groups, row_len }) =
                Groups::new(&of_columns(source, target).unwrap(), CHANNELS * source, Level::best()).unwrap()
            {
                let mut offsets = groups.iter().flat_map(|group| group.offsets);
                assert!(offsets.all(|offset| offset as usize + vector::READ <= row_len));
            }
        }
    }
}
