//! What the numbers of a raw output mean.

/// What exporters do to the numbers of a YOLOX head; by default what YOLOX's own does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Form {
    /// Whether boxes are in network pixels already.
    pub decoded: bool,
    /// Whether the sigmoid of objectness and class scores is missing.
    pub logits: bool,
    /// Whether the network has suppressed boxes itself: there may be any number of them, all of which are labelled.
    pub finished: bool,
    /// Columns behind the class scores, which are not looked at.
    pub extra_columns: usize,
}
