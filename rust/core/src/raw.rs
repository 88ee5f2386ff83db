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

    /// All numbers of one anchor.
    #[inline(always)]
    pub(crate) fn row(&self, anchor: usize) -> impl Iterator<Item = T> + use<'a, T> {
        let of_box = self.boxes.iter().skip(anchor).step_by(self.anchors());
        let of_classes = self.class_scores.iter().skip(anchor).step_by(self.anchors());
        of_box.chain(self.objectness.get(anchor)).chain(of_classes).copied()
    }
}

fn check_length<T>(values: &[T], anchors: usize, columns: usize) -> Result<(), Error> {
    if anchors.checked_mul(columns) == Some(values.len()) {
        return Ok(());
    }
    Err(Error::RawLength { actual: values.len(), anchors, columns })
}
