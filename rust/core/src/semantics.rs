//! What counts as a detection: YOLOX's own programs give five answers.
//!
//! | | classes of an anchor | score | suppression among | IoU | boxes | order |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `eval` | best | `>=` | same class | plain | as they are | score |
//! | `demo` | best | `>=` | all | plain | as they are | score |
//! | `onnx-demo` | best product | `>` | all | + 1, in image pixels | as they are | score |
//! | `onnx-demo-aware` | all above the threshold | `>` | same class | + 1, in image pixels | as they are | class, score |
//! | `cpp-demo` | all above the threshold | `>` | all | plain | clipped to the image | score |

use crate::Error;

/// Which of YOLOX's programs says what a detection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Semantics {
    /// The COCO evaluator: `yolox/utils/boxes.py`, `postprocess`.
    #[default]
    Eval,
    /// The same, as `tools/demo.py` calls it: class-agnostic.
    Demo,
    /// `yolox/utils/demo_utils.py`, `multiclass_nms`, as `demo/ONNXRuntime` calls it: class-agnostic.
    OnnxDemo,
    /// The same function, class-aware.
    OnnxDemoAware,
    /// `demo/TensorRT/cpp/yolox.cpp`.
    CppDemo,
}

/// Which classes of an anchor are candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassesOfAnchor {
    /// The first of the highest class score.
    Best,
    /// The first of the highest product of objectness and class score: rounding makes more of them equal.
    BestProduct,
    /// Each whose product passes the threshold.
    All,
}

impl Semantics {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Eval, Self::Demo, Self::OnnxDemo, Self::OnnxDemoAware, Self::CppDemo];

    /// The semantics of that name.
    ///
    /// # Errors
    /// [`Error::Semantics`] for another name.
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|semantics| semantics.name() == name)
            .ok_or_else(|| Error::Semantics(name.to_owned()))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eval => "eval",
            Self::Demo => "demo",
            Self::OnnxDemo => "onnx-demo",
            Self::OnnxDemoAware => "onnx-demo-aware",
            Self::CppDemo => "cpp-demo",
        }
    }

    pub(crate) fn classes_of_anchor(self) -> ClassesOfAnchor {
        match self {
            Self::Eval | Self::Demo => ClassesOfAnchor::Best,
            Self::OnnxDemo => ClassesOfAnchor::BestProduct,
            Self::OnnxDemoAware | Self::CppDemo => ClassesOfAnchor::All,
        }
    }

    /// The least score that passes a threshold.
    pub(crate) fn least_score(self, threshold: f32) -> f32 {
        match self {
            Self::Eval | Self::Demo => threshold,
            Self::OnnxDemo | Self::OnnxDemoAware | Self::CppDemo => threshold.next_up(),
        }
    }

    pub(crate) fn is_class_agnostic(self) -> bool {
        matches!(self, Self::Demo | Self::OnnxDemo | Self::CppDemo)
    }

    /// Whether boxes are suppressed in image pixels, both of whose corners count.
    pub(crate) fn counts_pixels(self) -> bool {
        matches!(self, Self::OnnxDemo | Self::OnnxDemoAware)
    }

    pub(crate) fn clips(self) -> bool {
        self == Self::CppDemo
    }

    pub(crate) fn orders_by_class(self) -> bool {
        self == Self::OnnxDemoAware
    }
}
