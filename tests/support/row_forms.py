"""Rows of other kinds, made from the raw rows of a YOLOX network; each edit can stand before another.

Raw rows, as YOLOX's export_onnx.py gives them, are (batch, anchors, 5 + classes): box, objectness, classes, with a
sigmoid on all but the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tail import STRIDES, Tail, copied, levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx


def decoded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give boxes as cx, cy, w, h in pixels of the input: YOLOX with --decode_in_inference, and LibreYOLO."""
    tail = Tail(model)
    tail.give(tail.node("Concat", *tail.decode(), tail.take(tail.rows, 4, tail.columns), axis=2), tail.shape)
    return tail.model


def logits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give objectness and classes without sigmoid: Identity takes its place, so that no digit is lost."""
    model = copied(model)
    producers = {output: node for node in model.graph.node for output in node.output}
    waiting = [output.name for output in model.graph.output]
    found = 0
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or node.op_type == "Conv":
            continue
        if node.op_type == "Sigmoid":
            node.op_type = "Identity"
            found += 1
        waiting.extend(node.input)
    assert found >= len(STRIDES)
    return model


def encoded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take back `decoded`."""
    tail = Tail(model)
    boxes = tail.encode(tail.take(tail.rows, 0, 2), tail.take(tail.rows, 2, 4))
    tail.give(tail.node("Concat", *boxes, tail.take(tail.rows, 4, tail.columns), axis=2), tail.shape)
    return tail.model


def with_sigmoid(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take back `logits`."""
    tail = Tail(model)
    scores = tail.node("Sigmoid", tail.take(tail.rows, 4, tail.columns))
    tail.give(tail.node("Concat", tail.take(tail.rows, 0, 4), scores, axis=2), tail.shape)
    return tail.model


def extra_columns(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give three more columns behind the classes, far outside 0..1, as an embedding has."""
    tail = Tail(model)
    embedding = tail.node("Mul", tail.take(tail.rows, 0, 3), np.array([-100, 100, 1000], np.float32))
    tail.give(tail.node("Concat", tail.rows, embedding, axis=2), [tail.batch, tail.anchors, tail.columns + 3])
    return tail.model


def extra_ones(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give three more columns behind the classes, all 1: who takes them for classes finds nothing else."""
    tail = Tail(model)
    padded = tail.node("Pad", tail.rows, np.array([0, 0, 0, 0, 0, 3]), np.array(1, np.float32))
    tail.give(padded, [tail.batch, tail.anchors, tail.columns + 3])
    return tail.model


def without_stride_8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the rows of strides 16 and 32."""
    tail = Tail(model)
    _, first, *_ = next(levels(tail.size))
    tail.give(tail.take(tail.rows, first, tail.anchors, axis=1), [tail.batch, tail.anchors - first, tail.columns])
    return tail.model


def silent_stride_8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give all rows, those of stride 8 with objectness 0: detects what `without_stride_8` does."""
    tail = Tail(model)
    _, first, *_ = next(levels(tail.size))
    mask = np.ones((1, tail.anchors, tail.columns), np.float32)
    mask[:, :first, 4] = 0
    tail.give(tail.node("Mul", tail.rows, mask), tail.shape)
    return tail.model


def more_levels(model: onnx.ModelProto, *, before: Sequence[int] = (), after: Sequence[int] = ()) -> onnx.ModelProto:
    """Give rows of zeros for further levels, before those of stride 8, behind those of stride 32, or both."""
    tail = Tail(model)
    first, last = (sum(height * width for *_, height, width in levels(tail.size, more)) for more in (before, after))
    padded = tail.node("Pad", tail.rows, np.array([0, first, 0, 0, last, 0]), np.array(0, np.float32))
    tail.give(padded, [tail.batch, first + tail.anchors + last, tail.columns])
    return tail.model


def dynamic_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """Free height and width of a network that gives rows: its graph must compute all shapes."""
    model = copied(model)
    (network_input,), (output,) = model.graph.input, model.graph.output
    for tensor, axis, name in ((network_input, 2, "height"), (network_input, 3, "width"), (output, 1, "anchors")):
        tensor.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]
    return model


def rows_twice(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the rows as two outputs."""
    tail = Tail(model)
    tail.give(tail.rows, tail.shape)
    tail.give(tail.node("Identity", tail.rows), tail.shape)
    return tail.model


def rows_and_decoded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the rows raw and decoded."""
    tail = Tail(model)
    tail.give(tail.rows, tail.shape)
    tail.give(tail.node("Concat", *tail.decode(), tail.take(tail.rows, 4, tail.columns), axis=2), tail.shape)
    return tail.model


def keypoint_rows(model: onnx.ModelProto, *, points: int) -> onnx.ModelProto:
    """Give rows of a face detector: box, objectness, and x and y of points, from -700 to 700, in place of classes."""
    tail = Tail(model)
    centres, _ = tail.decode()
    scale = np.array(700 / max(tail.size), np.float32)
    pixels = tail.node("Clip", tail.node("Mul", centres, scale), np.array(-700, np.float32), np.array(700, np.float32))
    columns = tail.node("Concat", tail.take(tail.rows, 0, 5), *[pixels] * points, axis=2)
    tail.give(columns, [tail.batch, tail.anchors, 5 + 2 * points])
    return tail.model


def without_objectness(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give box and score of each class, objectness within, as YOLOv8 does: one column less than YOLOX has."""
    tail = Tail(model)
    scores = tail.node("Mul", tail.take(tail.rows, 5, tail.columns), tail.take(tail.rows, 4, 5))
    columns = tail.node("Concat", tail.take(tail.rows, 0, 4), scores, axis=2)
    tail.give(columns, [tail.batch, tail.anchors, tail.columns - 1])
    return tail.model
