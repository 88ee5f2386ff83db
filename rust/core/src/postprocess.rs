//! From a raw output to detections.
//!
//! ```text
//! find the anchors that pass the score threshold, and decode their boxes
//! suppress boxes that overlap a better one (of the same class, unless class-agnostic)
//! divide the boxes by the letterbox scale
//! ```

use crate::candidates::{Candidates, Filter, find_candidates};
use crate::decode::decode;
use crate::nms::{self, suppress};
use crate::options::{Options, check_num_classes};
use crate::parallel::for_each;
use crate::pool::{Pool, Scratch};
use crate::{BOX_COLUMNS, Detections, Element, Error, Grid, Level, RawOutput, memory};

/// Post-processing of one model: its grid and number of classes.
#[derive(Debug)]
pub struct PostProcessor {
    grid: Grid,
    num_classes: usize,
    level: Level,
    workspaces: Pool<Workspace>,
}

/// Memory that one run needs, to be used again by the next.
#[derive(Debug, Default)]
struct Workspace {
    candidates: Candidates,
    nms: nms::Workspace,
}

impl Scratch for Workspace {
    fn bytes(&self) -> usize {
        self.candidates.bytes() + self.nms.bytes()
    }
}

impl PostProcessor {
    /// Prepares for a model of `num_classes` classes on `grid`.
    ///
    /// # Errors
    /// No classes, or more than 65536.
    pub fn new(grid: Grid, num_classes: usize, level: Level) -> Result<Self, Error> {
        check_num_classes(num_classes)?;
        Ok(Self { grid, num_classes, level, workspaces: Pool::new() })
    }

    /// Decodes every row: `cx, cy, w, h` in network pixels, then objectness and class scores as they are.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has; too little memory.
    pub fn decode<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<Vec<f32>, Error> {
        self.check_raw(raw)?;
        decode(self.level, raw, self.grid.anchors())
    }

    /// Finds the detections of one image. A row with a number that is not finite is not a detection.
    ///
    /// `scale` is network pixels per image pixel, as the letterbox returned it.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has, or with scores above
    /// [`SCORE_LIMIT`](crate::SCORE_LIMIT); a scale out of range; options for another number of classes; too little
    /// memory.
    pub fn run<T: Element>(&self, raw: RawOutput<'_, T>, scale: f32, options: &Options) -> Result<Detections, Error> {
        self.check_options(options)?;
        self.run_one(raw, scale, options)
    }

    /// Finds the detections of each image, given with its scale, on up to `threads` threads.
    ///
    /// # Errors
    /// As [`PostProcessor::run`]: the first error in the order of the images.
    pub fn run_batch<'a, T: Element + 'a>(
        &self,
        images: impl ExactSizeIterator<Item = (RawOutput<'a, T>, f32)> + Send,
        options: &Options,
        threads: usize,
    ) -> Result<Vec<Detections>, Error> {
        self.check_options(options)?;
        let mut found = memory::filled(Detections::default(), images.len())?;
        for_each(images.zip(&mut found), threads, |((raw, scale), found)| {
            *found = self.run_one(raw, scale, options)?;
            Ok(())
        })?;
        Ok(found)
    }

    fn run_one<T: Element>(&self, raw: RawOutput<'_, T>, scale: f32, options: &Options) -> Result<Detections, Error> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::Scale(scale));
        }
        self.check_raw(raw)?;
        self.workspaces.with(|workspace| self.run_in(workspace, raw, scale, options))
    }

    fn run_in<T: Element>(
        &self,
        workspace: &mut Workspace,
        raw: RawOutput<'_, T>,
        scale: f32,
        options: &Options,
    ) -> Result<Detections, Error> {
        let Workspace { candidates, nms } = workspace;
        let filter = Filter { score_threshold: options.score_threshold, scale, wanted: options.wanted.as_deref() };
        find_candidates(self.level, raw, self.grid.anchors(), filter, candidates)?;
        let Candidates { boxes, scores, class_ids, .. } = candidates;
        let class_of = (!options.class_agnostic).then_some(|index: usize| i64::from(class_ids[index]));
        let most = options.max_detections.unwrap_or(usize::MAX);
        let kept = suppress(self.level, boxes, scores, class_of, options.iou_threshold, nms)?.take(most);
        let mut found = Detections::with_capacity(kept.len())?;
        for index in kept {
            found.xyxy.push(boxes[index].map(|value| value / scale));
            found.scores.push(scores[index]);
            found.class_ids.push(i64::from(class_ids[index]));
        }
        Ok(found)
    }

    fn check_options(&self, options: &Options) -> Result<(), Error> {
        match (options.num_classes, self.num_classes) {
            (actual, expected) if actual == expected => Ok(()),
            (actual, expected) => Err(Error::OtherOptions { actual, expected }),
        }
    }

    fn check_raw<T: Element>(&self, raw: RawOutput<'_, T>) -> Result<(), Error> {
        self.check_shape(raw.anchors(), raw.columns())
    }

    /// Checks that raw outputs of this model have `anchors` rows and `columns` columns.
    ///
    /// # Errors
    /// They have others.
    pub fn check_shape(&self, anchors: usize, columns: usize) -> Result<(), Error> {
        if columns != BOX_COLUMNS + self.num_classes {
            return Err(Error::Columns { actual: columns, num_classes: self.num_classes });
        }
        self.grid.check_anchors(anchors)
    }
}
