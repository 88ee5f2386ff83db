//! The errors of the core, worded for whoever reads them.

use crate::grid::{MAX_ANCHORS, MAX_SIDE, MAX_STRIDES};
use crate::options::MAX_CLASSES;
use crate::raw::{BOX_COLUMNS, LABELLED_COLUMNS};
use crate::semantics::Semantics;

/// A broken precondition: what was expected and what came.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The network's input is empty or absurdly large.
    #[error("input size is {height}x{width} (height x width), each side must be from 1 to {MAX_SIDE}")]
    InputSize {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },

    /// No strides, a stride of zero, or absurdly many.
    #[error("strides are {0:?}, expected 1 to {MAX_STRIDES} numbers above 0, such as [8, 16, 32]")]
    Strides(Vec<usize>),

    /// A grid that no detector has.
    #[error("strides {strides:?} put {anchors} anchors on {height}x{width}, at most {MAX_ANCHORS} are supported")]
    TooManyAnchors {
        /// Height of the network's input in pixels.
        height: usize,
        /// Width of the network's input in pixels.
        width: usize,
        /// Strides of the levels.
        strides: Vec<usize>,
        /// Anchors that these would give.
        anchors: usize,
    },

    /// A model without classes, or with absurdly many.
    #[error("num_classes is {0}, expected 1 to {MAX_CLASSES}")]
    NumClasses(usize),

    /// A slice that does not hold the rows it should.
    #[error("raw output has {actual} values, {anchors} anchors of {columns} columns need {}", anchors.saturating_mul(*columns))]
    RawLength {
        /// Values found.
        actual: usize,
        /// Rows announced.
        anchors: usize,
        /// Columns announced.
        columns: usize,
    },

    /// A raw output of a model with another number of classes.
    #[error("raw output has {actual} columns, a model of {num_classes} classes needs {}", BOX_COLUMNS + num_classes)]
    Columns {
        /// Columns found.
        actual: usize,
        /// Classes of the model.
        num_classes: usize,
    },

    /// A raw output of a model with another input size.
    #[error("raw output has {actual} anchors, an input of {height}x{width} with strides {strides:?} has {expected}")]
    Anchors {
        /// Rows found.
        actual: usize,
        /// Rows of this grid.
        expected: usize,
        /// Height of the network's input in pixels.
        height: usize,
        /// Width of the network's input in pixels.
        width: usize,
        /// Strides of the levels.
        strides: Vec<usize>,
    },

    /// An objectness or class score that is not a probability.
    #[error("anchor {anchor} has a score of {score}, YOLOX scores lie in 0..1: the network must end in a sigmoid")]
    ScoreAboveLimit {
        /// Row of the raw output.
        anchor: usize,
        /// What was found there.
        score: f32,
    },

    /// A run that gave no row of finite numbers.
    #[error(
        "each anchor has a number that is not finite: the network overflows in its precision, so try another runtime or precision=\"fp32\""
    )]
    NeverFinite,

    /// A box that no network puts out unless it has decoded it.
    #[error(
        "a box has {0} as the logarithm of a width or height, which is more than any image has: the boxes are decoded already, so say decoded=True, or export without --decode_in_inference"
    )]
    Decoded(f32),

    /// A class id, given by the network, that it does not have.
    #[error("anchor {anchor} has the class id {class_id}, a model of {num_classes} classes has 0 to {}", num_classes - 1)]
    Label {
        /// Row of the raw output.
        anchor: usize,
        /// What was found there.
        class_id: f32,
        /// Classes of the model.
        num_classes: usize,
    },

    /// Semantics that need the score of each class, of a network that gives the best only.
    #[error(
        "semantics {0:?} take several classes of an anchor, and this network gives only the best: use \"eval\" or \"demo\""
    )]
    OnlyBestClass(&'static str),

    /// Semantics for a network that has suppressed boxes itself.
    #[error("semantics {0:?} cannot be had: the network suppresses boxes itself, so leave semantics out")]
    Finished(&'static str),

    /// Labelled rows that are not as wide as those.
    #[error("raw output has {0} columns, expected {LABELLED_COLUMNS}: x1, y1, x2, y2, score, class id")]
    LabelledColumns(usize),

    /// Boxes that are to be clipped to an image of unknown size.
    #[error("semantics {0:?} clip boxes to the image: pass its height and width as image_size")]
    NoImageSize(&'static str),

    /// Semantics that no program of YOLOX has.
    #[error("semantics are {0:?}, expected {names}", names = semantics_names())]
    Semantics(String),

    /// A threshold outside 0..=1, or NaN.
    #[error("{name} is {value}, expected a number from 0 to 1")]
    Threshold {
        /// Which threshold.
        name: &'static str,
        /// What came.
        value: f32,
    },

    /// A letterbox scale that cannot be undone.
    #[error("scale is {0}, expected the positive number that letterbox returned")]
    Scale(f32),

    /// A cap that allows nothing.
    #[error("max_detections is 0, expected at least 1, or none for no limit")]
    MaxDetections,

    /// A class that the model does not have.
    #[error("class id {class_id} is unknown, a model of {num_classes} classes has 0 to {}", num_classes - 1)]
    ClassId {
        /// What came.
        class_id: usize,
        /// Classes of the model.
        num_classes: usize,
    },

    /// Options of a model with another number of classes.
    #[error("options are for a model of {actual} classes, this one has {expected}")]
    OtherOptions {
        /// Classes that the options are for.
        actual: usize,
        /// Classes of the model.
        expected: usize,
    },

    /// The system refuses the memory that a call needs.
    #[error("not enough memory: {bytes} bytes are not to be had")]
    Memory {
        /// How many were asked for.
        bytes: usize,
    },

    /// A level that this CPU does not have.
    #[error("level {name:?} is unknown, this CPU has {available}")]
    Level {
        /// What came.
        name: String,
        /// What would do.
        available: String,
    },

    /// More boxes than indices have bits for.
    #[error("{0} boxes are too many, at most {most} are supported", most = u32::MAX)]
    TooManyBoxes(usize),

    /// Parallel arrays of different lengths.
    #[error("{name} has {actual} entries for {boxes} boxes")]
    Length {
        /// Which array.
        name: &'static str,
        /// Its length.
        actual: usize,
        /// Number of boxes.
        boxes: usize,
    },

    /// An image or a network's input without pixels, or with a side that is too large.
    #[error("{name} has {height}x{width} pixels, expected sides from 1 to {most}")]
    Side {
        /// Which of them.
        name: &'static str,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// The longest side that is accepted.
        most: usize,
    },

    /// An image of another size than was prepared for.
    #[error("image is not {height}x{width} pixels of three bytes, which this plan was made for")]
    OtherImage {
        /// Rows expected.
        height: usize,
        /// Columns expected.
        width: usize,
    },

    /// An output of another size than the network's input.
    #[error("output has {actual} numbers, expected {expected}")]
    OutLength {
        /// How many came.
        actual: usize,
        /// How many a network's input has.
        expected: usize,
    },
}

fn semantics_names() -> String {
    Semantics::ALL.map(|semantics| format!("{:?}", semantics.name())).join(", ")
}
