//! From a raw output to detections.
//!
//! ```text
//! find the anchors that pass the score threshold, and decode their boxes
//! suppress boxes that overlap a better one (of the same class, unless class-agnostic)
//! divide the boxes by the letterbox scale
//! ```

use crate::candidates::{Candidates, Filter, find_candidates};
use crate::decode::decode;
use crate::nms::{self, Overlap, suppress};
use crate::options::{Options, check_num_classes};
use crate::parallel::for_each;
use crate::pool::{Pool, Scratch};
use crate::semantics::ClassesOfAnchor;
use crate::{
    BOX_COLUMNS, Detections, Element, Error, Form, Grid, LABELLED_COLUMNS, Level, RawOutput, Rows, Semantics, Size,
    memory,
};

/// Post-processing of one model: its grid, number of classes, and the form of its output.
#[derive(Debug)]
pub struct PostProcessor {
    grid: Grid,
    num_classes: usize,
    form: Form,
    level: Level,
    workspaces: Pool<Workspace>,
}

/// How an image was fitted into the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Network pixels per image pixel, as the letterbox returned it.
    pub scale: f32,
    /// The image, for semantics that clip boxes to it.
    pub image_size: Option<Size>,
}

impl From<f32> for Fit {
    fn from(scale: f32) -> Self {
        Self { scale, image_size: None }
    }
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
        Ok(Self { grid, num_classes, form: Form::default(), level, workspaces: Pool::new() })
    }

    /// Sets the form of the model's output.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Decodes every row: `cx, cy, w, h` in network pixels, then objectness and class scores as they are.
    ///
    /// # Errors
    /// A raw output with another number of rows or columns than the model has; too little memory.
    pub fn decode<T: Element>(&self, raw: Rows<'_, T>) -> Result<Vec<f32>, Error> {
        self.check_shape(raw.anchors(), raw.columns())?;
        decode(self.level, raw, self.grid.anchors())
    }

    /// Finds the detections of one image. A row with a number that is not finite is not a detection.
    ///
    /// # Errors
    /// A raw output with another number of anchors or columns than the model has, with scores above
    /// [`SCORE_LIMIT`](crate::SCORE_LIMIT), or boxes above [`LOG_SIZE_LIMIT`](crate::LOG_SIZE_LIMIT); a scale out of
    /// range; options for another number of classes; semantics that the raw output cannot give; too little memory.
    pub fn run<'a, T: Element + 'a>(
        &self,
        raw: impl Into<RawOutput<'a, T>>,
        fit: impl Into<Fit>,
        options: &Options,
    ) -> Result<Detections, Error> {
        self.check_options(options)?;
        self.run_one(raw.into(), fit.into(), options)
    }

    /// Finds the detections of each image, on up to `threads` threads.
    ///
    /// # Errors
    /// As [`PostProcessor::run`]: the first error in the order of the images.
    pub fn run_batch<'a, T: Element + 'a>(
        &self,
        images: impl ExactSizeIterator<Item = (impl Into<RawOutput<'a, T>>, impl Into<Fit>)> + Send,
        options: &Options,
        threads: usize,
    ) -> Result<Vec<Detections>, Error> {
        self.check_options(options)?;
        let mut found = memory::filled(Detections::default(), images.len())?;
        for_each(images.zip(&mut found), threads, |((raw, fit), found)| {
            *found = self.run_one(raw.into(), fit.into(), options)?;
            Ok(())
        })?;
        Ok(found)
    }

    fn run_one<T: Element>(&self, raw: RawOutput<'_, T>, fit: Fit, options: &Options) -> Result<Detections, Error> {
        if !(fit.scale.is_finite() && fit.scale > 0.0) {
            return Err(Error::Scale(fit.scale));
        }
        if options.semantics.clips() && fit.image_size.is_none() {
            return Err(Error::NoImageSize(options.semantics.name()));
        }
        self.check_raw(raw, options.semantics)?;
        self.workspaces.with(|workspace| self.run_in(workspace, raw, fit, options))
    }

    fn run_in<T: Element>(
        &self,
        workspace: &mut Workspace,
        raw: RawOutput<'_, T>,
        fit: Fit,
        options: &Options,
    ) -> Result<Detections, Error> {
        let (semantics, form) = (options.semantics, self.form);
        let Workspace { candidates, nms } = workspace;
        let filter = Filter {
            num_classes: options.num_classes,
            least_score: semantics.least_score(options.score_threshold),
            wanted: options.wanted.as_deref(),
            classes_of_anchor: semantics.classes_of_anchor(),
            scale: fit.scale,
            counts_pixels: semantics.counts_pixels(),
            form,
        };
        find_candidates(self.level, raw, self.grid.anchors(), filter, candidates)?;
        let Candidates { boxes, scores, class_ids, .. } = candidates;
        if boxes.is_empty() && raw.is_never_finite(self.num_classes) {
            return Err(Error::NeverFinite);
        }
        if u32::try_from(boxes.len()).is_err() {
            return Err(Error::TooManyBoxes(boxes.len()));
        }
        let class_of = |index: usize| i64::from(class_ids[index]);
        if form.finished {
            nms.keep_all(boxes, scores)?;
        } else {
            let overlap = Overlap { iou_threshold: options.iou_threshold, counts_pixels: semantics.counts_pixels() };
            let class_of = (!options.is_class_agnostic()).then_some(class_of);
            suppress(self.level, boxes, scores, class_of, overlap, nms)?;
        }
        nms.truncate(options.max_detections.unwrap_or(usize::MAX));
        if semantics.orders_by_class() {
            nms.order_by_class(|index| class_ids[index]);
        }
        let kept = nms.kept();
        let mut found = Detections::with_capacity(kept.len())?;
        let scale = if semantics.counts_pixels() { 1.0 } else { fit.scale };
        for index in kept {
            found.xyxy.push(boxes[index].map(|value| value / scale));
            found.scores.push(scores[index]);
            found.class_ids.push(class_of(index));
        }
        if let Some(size) = fit.image_size.filter(|_| semantics.clips()) {
            clip(&mut found.xyxy, size);
        }
        Ok(found)
    }

    fn check_options(&self, options: &Options) -> Result<(), Error> {
        match (options.num_classes, self.num_classes) {
            (actual, expected) if actual == expected => {}
            (actual, expected) => return Err(Error::OtherOptions { actual, expected }),
        }
        Ok(())
    }

    fn check_raw<T: Element>(&self, raw: RawOutput<'_, T>, semantics: Semantics) -> Result<(), Error> {
        if let RawOutput::Labelled(rows) = raw {
            return self.check_labelled(rows, semantics);
        }
        let mut anchors = 0;
        for part in raw.parts() {
            self.check_columns(part.columns())?;
            anchors += part.anchors();
        }
        self.grid.check_anchors(anchors)
    }

    fn check_labelled<T: Element>(&self, rows: Rows<'_, T>, semantics: Semantics) -> Result<(), Error> {
        if rows.columns() != LABELLED_COLUMNS {
            return Err(Error::LabelledColumns(rows.columns()));
        }
        if self.form.finished {
            return if semantics == Semantics::Eval { Ok(()) } else { Err(Error::Finished(semantics.name())) };
        }
        if semantics.classes_of_anchor() == ClassesOfAnchor::All {
            return Err(Error::OnlyBestClass(semantics.name()));
        }
        self.grid.check_anchors(rows.anchors())
    }

    /// Checks that raw outputs of this model have `anchors` rows and `columns` columns.
    ///
    /// # Errors
    /// They have others.
    pub fn check_shape(&self, anchors: usize, columns: usize) -> Result<(), Error> {
        self.check_columns(columns)?;
        self.grid.check_anchors(anchors)
    }

    fn check_columns(&self, columns: usize) -> Result<(), Error> {
        if columns == BOX_COLUMNS + self.num_classes + self.form.extra_columns {
            return Ok(());
        }
        Err(Error::Columns { actual: columns, num_classes: self.num_classes })
    }
}

/// Moves corners into the image: onto its last pixel at most.
#[expect(clippy::cast_precision_loss, reason = "sides of images are below 2^24")]
fn clip(boxes: &mut [[f32; 4]], Size { height, width }: Size) {
    let last = [width, height].map(|side| side.saturating_sub(1) as f32);
    for xyxy in boxes {
        for (value, last) in xyxy.iter_mut().zip(last.into_iter().cycle()) {
            *value = value.min(last).max(0.0);
        }
    }
}
