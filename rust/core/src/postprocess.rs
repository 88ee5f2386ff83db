//! From a raw output to detections.
//!
//! ```text
//! find the anchors that pass the score threshold, and decode their boxes
//! suppress boxes that overlap a better one (of the same class, unless class-agnostic)
//! divide the boxes by the letterbox scale
//! ```

use crate::candidates::{Candidates, Filter, find_candidates};
use crate::decode::decode;
use crate::nms::{self, check_threshold, suppress};
use crate::parallel::for_each;
use crate::pool::Pool;
use crate::{BOX_COLUMNS, Detections, Element, Error, Grid, Level, RawOutput};

/// Most classes of one model.
pub(crate) const MAX_CLASSES: usize = 1 << 16;

/// What counts as a detection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Least objectness times class score.
    pub score_threshold: f32,
    /// Boxes that overlap a better one by more are suppressed.
    pub iou_threshold: f32,
    /// Whether boxes of different classes suppress one another.
    pub class_agnostic: bool,
    /// The classes to keep; anchors whose best class is another are dropped before suppression.
    pub class_ids: Option<Vec<usize>>,
    /// Keeps only this many of the best.
    pub max_detections: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            score_threshold: 0.25,
            iou_threshold: 0.45,
            class_agnostic: false,
            class_ids: None,
            max_detections: None,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        check_threshold("score_threshold", self.score_threshold)?;
        check_threshold("iou_threshold", self.iou_threshold)?;
        if self.max_detections == Some(0) {
            return Err(Error::MaxDetections);
        }
        Ok(())
    }
}

/// Post-processing of one model: its grid and number of classes.
#[derive(Debug)]
pub struct PostProcessor {
    grid: Grid,
    num_classes: usize,
    level: Level,
    workspaces: Pool<Workspace>,
}

/// Options that have been checked.
struct Checked<'a> {
    options: &'a Options,
    /// For each class whether it is wanted, unless all are.
    wanted: Option<Vec<bool>>,
}

/// Memory that one run needs, to be used again by the next.
#[derive(Debug, Default)]
struct Workspace {
    candidates: Candidates,
    nms: nms::Workspace,
}

impl PostProcessor {
    /// Prepares for a model of `num_classes` classes on `grid`.
    ///
    /// # Errors
    /// No classes, or more than 65536.
    pub fn new(grid: Grid, num_classes: usize, level: Level) -> Result<Self, Error> {
        if !(1..=MAX_CLASSES).contains(&num_classes) {
            return Err(Error::NumClasses(num_classes));
        }
        Ok(Self { grid, num_classes, level, workspaces: Pool::new() })
    }

    /// Decodes every row: `cx, cy, w, h` in network pixels, then objectness and class scores as they are.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has.
    pub fn decode<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<Vec<f32>, Error> {
        self.check_shape(raw)?;
        Ok(decode(self.level, raw, self.grid.anchors()))
    }

    /// Finds the detections of one image. Rows with a number that is not finite are no detections.
    ///
    /// `scale` is network pixels per image pixel, as the letterbox returned it.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has, or with scores above
    /// [`SCORE_LIMIT`](crate::SCORE_LIMIT); a scale or options out of range.
    pub fn run<T: Element>(&self, raw: RawOutput<'_, T>, scale: f32, options: &Options) -> Result<Detections, Error> {
        self.run_checked(raw, scale, &self.check(options)?)
    }

    /// Finds the detections of each image, given with its scale, on up to `threads` threads.
    ///
    /// # Errors
    /// As [`PostProcessor::run`]: the first error in the order of the images.
    pub fn run_batch<T: Element>(
        &self,
        images: &[(RawOutput<'_, T>, f32)],
        options: &Options,
        threads: usize,
    ) -> Result<Vec<Detections>, Error> {
        let checked = self.check(options)?;
        let mut found: Vec<_> = images.iter().map(|_| Ok(Detections::default())).collect();
        for_each(images.iter().zip(&mut found), threads, |((raw, scale), found)| {
            *found = self.run_checked(*raw, *scale, &checked);
        });
        found.into_iter().collect()
    }

    /// Checks the options, and looks up which classes are wanted.
    fn check<'a>(&self, options: &'a Options) -> Result<Checked<'a>, Error> {
        options.check()?;
        Ok(Checked { options, wanted: self.wanted_classes(options.class_ids.as_deref())? })
    }

    fn run_checked<T: Element>(
        &self,
        raw: RawOutput<'_, T>,
        scale: f32,
        checked: &Checked<'_>,
    ) -> Result<Detections, Error> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::Scale(scale));
        }
        self.check_shape(raw)?;
        self.workspaces.with(|workspace| self.run_in(workspace, raw, scale, checked))
    }

    fn run_in<T: Element>(
        &self,
        workspace: &mut Workspace,
        raw: RawOutput<'_, T>,
        scale: f32,
        Checked { options, wanted }: &Checked<'_>,
    ) -> Result<Detections, Error> {
        let Workspace { candidates, nms } = workspace;
        let filter = Filter { score_threshold: options.score_threshold, scale, wanted: wanted.as_deref() };
        find_candidates(self.level, raw, self.grid.anchors(), filter, candidates)?;
        let Candidates { boxes, scores, class_ids, .. } = candidates;
        let class_of = (!options.class_agnostic).then_some(|index: usize| i64::from(class_ids[index]));
        let most = options.max_detections.unwrap_or(usize::MAX);
        let kept = suppress(self.level, boxes, scores, class_of, options.iou_threshold, nms).take(most);
        let mut found = Detections::with_capacity(kept.len());
        for index in kept {
            found.xyxy.push(boxes[index].map(|value| value / scale));
            found.scores.push(scores[index]);
            found.class_ids.push(i64::from(class_ids[index]));
        }
        Ok(found)
    }

    fn check_shape<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<(), Error> {
        if raw.columns() != BOX_COLUMNS + self.num_classes {
            return Err(Error::Columns { actual: raw.columns(), num_classes: self.num_classes });
        }
        self.grid.check_anchors(raw.anchors())
    }

    fn wanted_classes(&self, class_ids: Option<&[usize]>) -> Result<Option<Vec<bool>>, Error> {
        let Some(class_ids) = class_ids else { return Ok(None) };
        let mut wanted = vec![false; self.num_classes];
        for &class_id in class_ids {
            let num_classes = self.num_classes;
            *wanted.get_mut(class_id).ok_or(Error::ClassId { class_id, num_classes })? = true;
        }
        Ok(Some(wanted))
    }
}
