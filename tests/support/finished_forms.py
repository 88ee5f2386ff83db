"""Forms in which a graph finds the best class, or all of the detections, made from a network that gives raw rows.

Scores, classes and suppression are those of YOLOX's evaluator, `eval`: best class, score at least the threshold,
suppressed by boxes of the same class only. Only the order of detections and what fills empty places differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from tail import Tail

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Limits:
    """What the graph keeps: of each class at most `max_boxes`, and of all together where their number is fixed."""

    score: float = 0.1
    iou: float = 0.45
    max_boxes: int = 100


class _Boxes:
    """Corners (batch, anchors, 4), score of the best class and its number, both (batch, anchors, 1)."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        centres, sizes = tail.decode()
        halves = tail.node("Mul", sizes, np.array(0.5, np.float32))
        self.corners = tail.node("Concat", tail.node("Sub", centres, halves), tail.node("Add", centres, halves), axis=2)
        # The first of equals, as NumPy's argmax. ReduceMax would need other attributes from opset 18 on.
        best, self.labels = tail.nodes("TopK", tail.take(tail.rows, 5, tail.columns), np.array([1]), outputs=2, axis=2)
        self.scores = tail.node("Mul", tail.take(tail.rows, 4, 5), best)

    def is_best(self) -> str:
        """Append 1 for the best class of each anchor, 0 for others: (batch, anchors, classes)."""
        is_best = self._tail.node("Equal", self.labels, np.arange(self._tail.columns - 5)[None, None])
        return self._tail.node("Cast", is_best, to=TensorProto.FLOAT)

    def kept(self, limits: Limits) -> str:
        """Append the suppression; return what it keeps, (N, 3) int64: image, class, anchor."""
        tail = self._tail
        scores = tail.node("Mul", self.scores, self.is_best())
        below = np.nextafter(np.array([limits.score], np.float32), np.float32(0))  # ONNX keeps scores above, not equal
        return tail.node(
            "NonMaxSuppression",
            self.corners,
            tail.node("Transpose", scores, perm=[0, 2, 1]),
            np.array([limits.max_boxes]),
            np.array([limits.iou], np.float32),
            below,
        )

    def best(self, limits: Limits, empty_label: int) -> tuple[str, str, str]:
        """Append a fixed number of detections, the best score first, and zeros: corners, scores, labels."""
        tail = self._tail
        places = tail.node("Gather", self.kept(limits), np.array([0, 2]), axis=1)
        nothing = tail.node("Mul", self.scores, np.array(0, np.float32))
        kept = tail.node("ScatterND", nothing, places, tail.node("GatherND", self.scores, places))
        count = np.array([min(limits.max_boxes, tail.anchors)])
        scores, anchors = tail.nodes("TopK", kept, count, outputs=2, axis=1)
        corners = tail.node("GatherElements", self.corners, tail.node("Concat", *[anchors] * 4, axis=2), axis=1)
        labels = tail.node("GatherElements", self.labels, anchors, axis=1)
        found = tail.node("Greater", scores, np.array(0, np.float32))
        return (
            tail.node("Where", found, corners, np.array(0, np.float32)),
            scores,
            tail.node("Where", found, labels, np.array(empty_label)),
        )


def corners_and_labels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give (batch, anchors, 6), nothing suppressed: corners, score of the best class, its number; DeepStream-Yolo."""
    tail = Tail(model)
    boxes = _Boxes(tail)
    labels = tail.node("Cast", boxes.labels, to=TensorProto.FLOAT)
    joined = tail.node("Concat", boxes.corners, boxes.scores, labels, axis=2)
    tail.give(joined, [tail.batch, tail.anchors, 6])
    return tail.model


def raw_rows_of_rounded_corners(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give raw rows that detect what `corners_and_labels` does in float16, where scores become equal: its twin."""
    tail = Tail(model)
    boxes = _Boxes(tail)
    joined = tail.node("Concat", boxes.corners, boxes.scores, axis=2)
    rounded = tail.node("Cast", tail.node("Cast", joined, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)
    low, high = tail.take(rounded, 0, 2), tail.take(rounded, 2, 4)
    centres = tail.node("Mul", tail.node("Add", low, high), np.array(0.5, np.float32))
    encoded = tail.encode(centres, tail.node("Sub", high, low))
    tail.give(tail.node("Concat", *encoded, tail.take(rounded, 4, 5), boxes.is_best(), axis=2), tail.shape)
    return tail.model


def suppressed_rows(model: onnx.ModelProto, limits: Limits = Limits()) -> onnx.ModelProto:
    """Give (N, 7): image, class, score, corners, in the order of ONNX's NonMaxSuppression: image, class, score.

    PINTO_model_zoo's networks are like this; there the output is called batchno_classid_score_x1y1x2y2.
    """
    tail = Tail(model)
    boxes = _Boxes(tail)
    kept = boxes.kept(limits)
    places = tail.node("Gather", kept, np.array([0, 2]), axis=1)
    joined = tail.node(
        "Concat",
        tail.node("Cast", tail.node("Gather", kept, np.array([0, 1]), axis=1), to=TensorProto.FLOAT),
        tail.node("GatherND", boxes.scores, places),
        tail.node("GatherND", boxes.corners, places),
        axis=1,
    )
    tail.give(joined, ["detections", 7], name="batchno_classid_score_x1y1x2y2")
    return tail.model


def mmdeploy(model: onnx.ModelProto, limits: Limits = Limits(), *, empty_label: int = -1) -> onnx.ModelProto:
    """Give mmdeploy's `dets`, (batch, K, 5), corners and score, and `labels`, (batch, K) int64.

    mmdeploy's own files have both labels in empty places, -1 and 0, and may leave K open.
    """
    tail = Tail(model)
    corners, scores, labels = _Boxes(tail).best(limits, empty_label)
    count = min(limits.max_boxes, tail.anchors)
    tail.give(tail.node("Concat", corners, scores, axis=2), [tail.batch, count, 5], name="dets")
    tail.give(
        tail.node("Reshape", labels, np.array([0, -1])), [tail.batch, count], name="labels", onnx_type=TensorProto.INT64
    )
    return tail.model


def efficient_nms(model: onnx.ModelProto, limits: Limits = Limits()) -> onnx.ModelProto:
    """Give the outputs of TensorRT's plugin EfficientNMS, by operators of ONNX.

    `num_dets` (batch, 1) int32, `det_boxes` (batch, K, 4) corners, `det_scores` (batch, K), `det_classes` (batch, K)
    int32; empty places are zeros.
    """
    tail = Tail(model)
    corners, scores, labels = _Boxes(tail).best(limits, 0)
    count = min(limits.max_boxes, tail.anchors)
    found = tail.node("Cast", tail.node("Greater", scores, np.array(0, np.float32)), to=TensorProto.FLOAT)
    counted = tail.node("MatMul", np.ones((1, count), np.float32), found)  # a sum whose axes no opset moved
    flat = {
        name: tail.node("Reshape", tensor, np.array([0, -1]))
        for name, tensor in (("count", counted), ("scores", scores), ("labels", labels))
    }
    int32 = TensorProto.INT32
    tail.give(tail.node("Cast", flat["count"], to=int32), [tail.batch, 1], name="num_dets", onnx_type=int32)
    tail.give(corners, [tail.batch, count, 4], name="det_boxes")
    tail.give(flat["scores"], [tail.batch, count], name="det_scores")
    tail.give(tail.node("Cast", flat["labels"], to=int32), [tail.batch, count], name="det_classes", onnx_type=int32)
    return tail.model
