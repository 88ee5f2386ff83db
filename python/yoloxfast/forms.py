"""The forms in which YOLOX's outputs come, and what YOLOX's programs make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from yoloxfast._core import SEMANTICS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from yoloxfast.classes import Classes

    RawOutput: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]
    """One array, or a list of them where the layout is of maps."""

__all__ = ["Layout", "OptionKeywords", "RawOutput", "Semantics", "check_semantics"]

Semantics = Literal["eval", "demo", "onnx-demo", "onnx-demo-aware", "cpp-demo"]
"""The program of YOLOX that says what counts as a detection.

================== ================================================== ================== ====== =========== ======
name               code of YOLOX                                      classes of anchor  score  among       IoU
================== ================================================== ================== ====== =========== ======
`eval`             `yolox/utils/boxes.py`, `postprocess`              best               `>=`   same class  plain
`demo`             the same, as `tools/demo.py` calls it              best               `>=`   all         plain
`onnx-demo`        `yolox/utils/demo_utils.py`, `multiclass_nms`,     best               `>`    all         + 1
                   class_agnostic=True
`onnx-demo-aware`  the same, class_agnostic=False                     all over threshold `>`    same class  + 1
`cpp-demo`         `demo/TensorRT/cpp/yolox.cpp`                      all over threshold `>`    all         plain
================== ================================================== ================== ====== =========== ======

"+ 1": widths and heights are those of pixels that count at both ends, in the image's own pixels. `onnx-demo-aware`
gives detections class by class; all others give the best score first. `cpp-demo` clips boxes to the last pixel of the
image, and computes the letterbox's scale in float32.
"""

Layout = Literal["rows", "channels-first", "maps", "pixel-maps", "split-maps", "labelled", "finished"]
"""How the raw output of one image lies in arrays. A batch has one more dimension in front.

================== ====================================================================================
`rows`             (anchors, 5 + classes): `cx, cy, w, h, objectness, class scores...`, as YOLOX exports
`channels-first`   (5 + classes, anchors)
`maps`             for each level one array (5 + classes, rows, columns)
`pixel-maps`       for each level one array (rows, columns, 5 + classes)
`split-maps`       for each level three arrays (4, rows, columns), (1, rows, columns), (classes, rows, columns)
`labelled`         (anchors, 6): `x1, y1, x2, y2, score, class id` of the best class, not suppressed
`finished`         (any number, 6): the same after suppression; rows with a score of 0 are none
================== ====================================================================================
"""


class OptionKeywords(TypedDict, total=False):
    """Keywords of `PostProcessor.options`."""

    score_threshold: float
    iou_threshold: float
    class_agnostic: bool
    classes: Classes | None
    max_detections: int | None


def check_semantics(semantics: Semantics, layout: Layout) -> None:
    """Raise `ValueError` unless there are such semantics, and this layout can give them."""
    if semantics not in SEMANTICS:
        raise ValueError(f"semantics are {semantics!r}, expected one of {', '.join(SEMANTICS)}")
    if layout == "finished" and semantics != "eval":
        raise ValueError(f"semantics {semantics!r} cannot be had: the network suppresses boxes itself, leave them out")
    if layout == "labelled" and semantics in ("onnx-demo-aware", "cpp-demo"):
        raise ValueError(
            f"semantics {semantics!r} need all classes of an anchor, and this network gives only the best: use 'eval'"
        )
