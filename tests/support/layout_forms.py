"""Other layouts of a YOLOX network's rows: channels first, maps, other precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from tail import STRIDES, Tail, copied, levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx


def channels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give (batch, 5 + classes, anchors)."""
    tail = Tail(model)
    flipped = tail.node("Transpose", tail.rows, perm=[0, 2, 1])
    tail.give(flipped, [tail.batch, tail.columns, tail.anchors])
    return tail.model


def maps(
    model: onnx.ModelProto,
    *,
    strides: Sequence[int] = STRIDES,
    channels_last: bool = False,
    largest_stride_first: bool = False,
) -> onnx.ModelProto:
    """Give an output per level: (batch, 5 + classes, height, width); channels last in TFLite and RKNN."""
    tail = Tail(model)
    of_levels = [
        (tail.take(tail.rows, start, stop, axis=1), height, width)
        for start, stop, height, width in levels(tail.size, strides)
    ]
    for level, height, width in reversed(of_levels) if largest_stride_first else of_levels:
        _give_map(tail, level, (height, width), tail.columns, channels_last=channels_last)
    return tail.model


def nine_maps(model: onnx.ModelProto, *, order: str = "levels", channels_last: bool = False) -> onnx.ModelProto:
    """Give box, objectness and classes of each level as outputs of their own, as tools of Rockchip and Hailo do.

    `order` is "levels", all three of stride 8 first; or "kinds": classes of all levels, then boxes, then objectness.
    """
    tail = Tail(model)
    of_levels = list(levels(tail.size))
    box, objectness, classes = (0, 4), (4, 5), (5, tail.columns)
    pairs = {
        "levels": [(level, kind) for level in of_levels for kind in (box, objectness, classes)],
        "kinds": [(level, kind) for kind in (classes, box, objectness) for level in of_levels],
    }
    for (start, stop, height, width), (first, last) in pairs[order]:
        part = tail.take(tail.take(tail.rows, start, stop, axis=1), first, last)
        _give_map(tail, part, (height, width), last - first, channels_last=channels_last)
    return tail.model


def _give_map(tail: Tail, level: str, size: tuple[int, int], channels: int, *, channels_last: bool) -> None:
    level = tail.node("Reshape", level, np.array([0, *size, channels]))
    if channels_last:
        tail.give(level, [tail.batch, *size, channels])
    else:
        tail.give(tail.node("Transpose", level, perm=[0, 3, 1, 2]), [tail.batch, channels, *size])


def half_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give in float16 what is in float32."""
    return _cast_outputs(model, TensorProto.FLOAT16)


def rounded_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the numbers of `half_outputs` in float32."""
    return _cast_outputs(model, TensorProto.FLOAT16, TensorProto.FLOAT)


def _cast_outputs(model: onnx.ModelProto, *onnx_types: int) -> onnx.ModelProto:
    model = copied(model)
    floats = [output for output in model.graph.output if output.type.tensor_type.elem_type == TensorProto.FLOAT]
    before = {output.name: f"cast.{output.name}" for output in floats}
    for node in model.graph.node:
        node.input[:] = [before.get(name, name) for name in node.input]
        node.output[:] = [before.get(name, name) for name in node.output]
    for output in floats:
        names = [
            before[output.name],
            *(f"cast.{output.name}.{number}" for number in range(1, len(onnx_types))),
            output.name,
        ]
        for source, target, onnx_type in zip(names, names[1:], onnx_types, strict=False):
            model.graph.node.append(helper.make_node("Cast", [source], [target], to=onnx_type))
        output.type.tensor_type.elem_type = onnx_types[-1]
    del model.graph.value_info[:]
    return model
