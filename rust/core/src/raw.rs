//! A borrowed network output for one image, in one of the layouts that exporters give it.

use crate::{Element, Error};

/// Columns before the class scores: four of the box, one of the objectness.
pub const BOX_COLUMNS: usize = 5;

/// Column of the objectness.
pub(crate) const OBJECTNESS: usize = 4;

/// Columns of an anchor that is labelled: corners, score and class id.
pub const LABELLED_COLUMNS: usize = 6;

/// The raw output of a network for one image.
#[derive(Clone, Copy, Debug)]
pub enum RawOutput<'a, T> {
    /// All anchors in one.
    Whole(Part<'a, T>),
    /// In several, one after the other: the levels, in the order of the strides.
    Parts(&'a [Part<'a, T>]),
    /// Rows of `x1, y1, x2, y2, score, class id`: of each anchor, the network gives the best class only.
    Labelled(Rows<'a, T>),
}

/// The numbers of some anchors: `cx, cy, w, h, objectness, class scores…`.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a, T> {
    /// All numbers of an anchor beside each other.
    Rows(Rows<'a, T>),
    /// All anchors of a number beside each other.
    Planes(Planes<'a, T>),
}

impl<'a, T> From<Rows<'a, T>> for RawOutput<'a, T> {
    fn from(rows: Rows<'a, T>) -> Self {
        Self::Whole(Part::Rows(rows))
    }
}

impl<'a, T> From<Planes<'a, T>> for RawOutput<'a, T> {
    fn from(planes: Planes<'a, T>) -> Self {
        Self::Whole(Part::Planes(planes))
    }
}

impl<'a, T> RawOutput<'a, T> {
    /// Its parts, none if it is labelled.
    pub(crate) fn parts(&self) -> &[Part<'a, T>] {
        match self {
            Self::Whole(part) => std::slice::from_ref(part),
            Self::Parts(parts) => parts,
            Self::Labelled(_) => &[],
        }
    }
}

impl<T: Element> RawOutput<'_, T> {
    /// Whether there are anchors, and each has a number that is infinite or NaN.
    pub(crate) fn is_never_finite(&self, num_classes: usize) -> bool {
        let columns = BOX_COLUMNS + num_classes;
        let has_finite_row = |rows: &Rows<'_, T>, columns: usize| {
            let mut rows = rows.values.chunks_exact(rows.columns.max(1));
            rows.any(|row| all_finite(row[..columns].iter().copied()))
        };
        let has_finite = |part: &Part<'_, T>| match part {
            Part::Rows(rows) => has_finite_row(rows, columns),
            Part::Planes(planes) => {
                (0..planes.anchors()).any(|anchor| all_finite(planes.numbers_of(anchor).take(columns)))
            }
        };
        match self {
            Self::Labelled(rows) => rows.anchors > 0 && !has_finite_row(rows, LABELLED_COLUMNS),
            _ => !self.parts().iter().any(has_finite),
        }
    }
}

impl<T: Element> Part<'_, T> {
    /// Number of anchors.
    #[must_use]
    pub fn anchors(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.anchors(),
            Self::Planes(planes) => planes.anchors(),
        }
    }

    /// Numbers of each.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.columns(),
            Self::Planes(planes) => planes.columns(),
        }
    }
}

/// One row per anchor.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    values: &'a [T],
    anchors: usize,
    columns: usize,
}

impl<'a, T: Element> Rows<'a, T> {
    /// Views `values` as `anchors` rows of `columns` numbers.
    ///
    /// # Errors
    /// [`Error::RawLength`] if there are more or fewer values than that.
    pub fn new(values: &'a [T], anchors: usize, columns: usize) -> Result<Self, Error> {
        check_length(values, anchors, columns)?;
        Ok(Self { values, anchors, columns })
    }

    /// Number of rows.
    #[must_use]
    pub fn anchors(&self) -> usize {
        self.anchors
    }

    /// Numbers per row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All rows, one after the other.
    pub(crate) fn values(&self) -> &'a [T] {
        self.values
    }
}

/// One plane per column of those rows, each with one number per anchor. Boxes, objectness and class scores may lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a, T> {
    boxes: &'a [T],
    objectness: &'a [T],
    class_scores: &'a [T],
}

impl<'a, T: Element> Planes<'a, T> {
    /// Views `values` as `columns` planes of `anchors` numbers.
    ///
    /// # Errors
    /// [`Error::RawLength`] if there are more or fewer values than that; [`Error::Columns`] if no class has one.
    pub fn new(values: &'a [T], columns: usize, anchors: usize) -> Result<Self, Error> {
        check_length(values, anchors, columns)?;
        if columns <= BOX_COLUMNS {
            return Err(Error::Columns { actual: columns, num_classes: 1 });
        }
        let (boxes, scores) = values.split_at(OBJECTNESS * anchors);
        let (objectness, class_scores) = scores.split_at(anchors);
        Ok(Self { boxes, objectness, class_scores })
    }

    /// Views planes that lie apart: four of boxes, one of the objectness, and one of each class.
    ///
    /// # Errors
    /// [`Error::RawLength`] if they are not of as many anchors.
    pub fn apart(boxes: &'a [T], objectness: &'a [T], class_scores: &'a [T]) -> Result<Self, Error> {
        let anchors = objectness.len();
        check_length(boxes, anchors, OBJECTNESS)?;
        check_length(class_scores, anchors, class_scores.len() / anchors.max(1))?;
        Ok(Self { boxes, objectness, class_scores })
    }

    /// Numbers per plane.
    #[must_use]
    pub fn anchors(&self) -> usize {
        self.objectness.len()
    }

    /// Number of planes.
    #[must_use]
    pub fn columns(&self) -> usize {
        BOX_COLUMNS + self.class_scores.len() / self.anchors().max(1)
    }

    pub(crate) fn objectness(&self) -> &'a [T] {
        self.objectness
    }

    pub(crate) fn class_scores(&self) -> &'a [T] {
        self.class_scores
    }

    /// All numbers of one anchor, as they would lie in a row.
    fn numbers_of(&self, anchor: usize) -> impl Iterator<Item = T> {
        let of_box = self.boxes.iter().skip(anchor).step_by(self.anchors());
        let of_classes = self.class_scores.iter().skip(anchor).step_by(self.anchors());
        of_box.chain(self.objectness.get(anchor)).chain(of_classes).copied()
    }

    #[inline(always)]
    pub(crate) fn box_of(&self, anchor: usize) -> [T; 4] {
        [0, 1, 2, 3].map(|plane| self.boxes[plane * self.anchors() + anchor])
    }
}

fn all_finite<T: Element>(mut numbers: impl Iterator<Item = T>) -> bool {
    numbers.all(|number| number.to_f32().is_finite())
}

fn check_length<T>(values: &[T], anchors: usize, columns: usize) -> Result<(), Error> {
    if anchors.checked_mul(columns) == Some(values.len()) {
        return Ok(());
    }
    Err(Error::RawLength { actual: values.len(), anchors, columns })
}
