//! What counts as a detection.

use crate::nms::check_threshold;
use crate::{Error, Semantics, memory};

/// Most classes of one model.
pub const MAX_CLASSES: usize = 1 << 16;

/// What counts as a detection, for models of one number of classes. Validated when it is made, so calls need not.
///
/// ```
/// # use yoloxfast_core::{Error, Options};
/// let options = Options::new(80)?.score_threshold(0.5)?.class_ids(&[0, 2])?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub(crate) num_classes: usize,
    pub(crate) semantics: Semantics,
    pub(crate) score_threshold: f32,
    pub(crate) iou_threshold: f32,
    pub(crate) class_agnostic: bool,
    /// For each class whether it is wanted; `None` for all.
    pub(crate) wanted: Option<Vec<bool>>,
    pub(crate) max_detections: Option<usize>,
}

impl Options {
    /// All classes, each suppressed by itself; a score threshold of 0.25, an IoU threshold of 0.45 and no limit.
    ///
    /// # Errors
    /// No classes, or more than 65536.
    pub fn new(num_classes: usize) -> Result<Self, Error> {
        check_num_classes(num_classes)?;
        Ok(Self {
            num_classes,
            semantics: Semantics::default(),
            score_threshold: 0.25,
            iou_threshold: 0.45,
            class_agnostic: false,
            wanted: None,
            max_detections: None,
        })
    }

    /// Sets which of YOLOX's programs says what a detection is. Thresholds stay as they are.
    #[must_use]
    pub fn semantics(self, semantics: Semantics) -> Self {
        Self { semantics, ..self }
    }

    /// The least objectness times class score.
    #[must_use]
    pub fn least_score(&self) -> f32 {
        self.score_threshold
    }

    /// Sets the least objectness times class score.
    ///
    /// # Errors
    /// A number outside 0..=1, or NaN.
    pub fn score_threshold(self, score_threshold: f32) -> Result<Self, Error> {
        check_threshold("score_threshold", score_threshold)?;
        Ok(Self { score_threshold, ..self })
    }

    /// Sets the IoU with a better box above which a box is suppressed.
    ///
    /// # Errors
    /// A number outside 0..=1, or NaN.
    pub fn iou_threshold(self, iou_threshold: f32) -> Result<Self, Error> {
        check_threshold("iou_threshold", iou_threshold)?;
        Ok(Self { iou_threshold, ..self })
    }

    /// Sets whether boxes of different classes suppress one another, also where the semantics would not have it so.
    #[must_use]
    pub fn class_agnostic(self, class_agnostic: bool) -> Self {
        Self { class_agnostic, ..self }
    }

    /// Sets the classes to keep; the others are dropped before suppression.
    ///
    /// # Errors
    /// A class that the model does not have; too little memory.
    pub fn class_ids(self, class_ids: &[usize]) -> Result<Self, Error> {
        let num_classes = self.num_classes;
        let mut wanted = memory::filled(false, num_classes)?;
        for &class_id in class_ids {
            *wanted.get_mut(class_id).ok_or(Error::ClassId { class_id, num_classes })? = true;
        }
        Ok(Self { wanted: Some(wanted), ..self })
    }

    /// Keeps all classes, which is the default.
    #[must_use]
    pub fn all_classes(self) -> Self {
        Self { wanted: None, ..self }
    }

    /// Sets how many of the best are kept at most; `None` keeps all.
    ///
    /// # Errors
    /// A limit of 0.
    pub fn max_detections(self, max_detections: Option<usize>) -> Result<Self, Error> {
        if max_detections == Some(0) {
            return Err(Error::MaxDetections);
        }
        Ok(Self { max_detections, ..self })
    }
}

impl Options {
    pub(crate) fn is_class_agnostic(&self) -> bool {
        self.class_agnostic || self.semantics.is_class_agnostic()
    }
}

pub(crate) fn check_num_classes(num_classes: usize) -> Result<(), Error> {
    if (1..=MAX_CLASSES).contains(&num_classes) { Ok(()) } else { Err(Error::NumClasses(num_classes)) }
}
