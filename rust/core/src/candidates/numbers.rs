//! The numbers of one anchor, wherever they lie.

use super::meaning::Meaning;
use super::scores::first;
use crate::element::is_finite;
use crate::raw::Planes;
use crate::{BOX_COLUMNS, Element};

/// What is read of an anchor whose objectness passes the gate.
pub(super) trait Numbers<T: Element>: Copy {
    fn box_values(self) -> [T; 4];

    fn num_classes(self) -> usize;

    /// The score of a class that it has.
    fn class_score(self, class_id: usize) -> T;

    #[inline(always)]
    fn class_scores(self) -> impl Iterator<Item = T> {
        (0..self.num_classes()).map(move |class_id| self.class_score(class_id))
    }

    /// The first class of the highest score, whose key this is.
    #[inline(always)]
    fn first<M: Meaning<T>>(self, highest: M::Key) -> usize {
        let first = self.class_scores().position(|score| M::is_as_high(score, highest));
        first.unwrap_or_default() // if none has this key any more
    }

    /// Whether no class score is infinite or NaN.
    fn all_finite(self) -> bool {
        self.class_scores().fold(true, |all, score| all & is_finite(score.to_f32()))
    }
}

/// A row up to its last class.
impl<T: Element> Numbers<T> for &[T] {
    #[inline(always)]
    fn box_values(self) -> [T; 4] {
        [self[0], self[1], self[2], self[3]]
    }

    #[inline(always)]
    fn num_classes(self) -> usize {
        self.len() - BOX_COLUMNS
    }

    #[inline(always)]
    fn class_score(self, class_id: usize) -> T {
        self[BOX_COLUMNS + class_id]
    }

    #[inline(always)]
    fn class_scores(self) -> impl Iterator<Item = T> {
        self[BOX_COLUMNS..].iter().copied()
    }

    #[inline(always)]
    fn first<M: Meaning<T>>(self, highest: M::Key) -> usize {
        if M::KEYS_SAY_ALL {
            return first::<T, M>(&self[BOX_COLUMNS..], highest);
        }
        let first = self.class_scores().position(|score| M::is_as_high(score, highest));
        first.unwrap_or_default() // if none has this key any more
    }
}

/// One number of each plane.
#[derive(Clone, Copy)]
pub(super) struct OfPlanes<'a, T> {
    pub(super) planes: Planes<'a, T>,
    pub(super) num_classes: usize,
    pub(super) anchor: usize,
}

impl<T: Element> Numbers<T> for OfPlanes<'_, T> {
    #[inline(always)]
    fn box_values(self) -> [T; 4] {
        self.planes.box_of(self.anchor)
    }

    #[inline(always)]
    fn num_classes(self) -> usize {
        self.num_classes
    }

    #[inline(always)]
    fn class_score(self, class_id: usize) -> T {
        self.planes.class_scores()[class_id * self.planes.anchors() + self.anchor]
    }
}
