"""Small ONNX networks with a YOLOX head, for clones that have no trained model.

Each level sees the mean colour of its cells through random weights, so that the output depends on every pixel, and
exports what YOLOX's `export_onnx.py` does: raw boxes, sigmoid on objectness and classes, (batch, anchors, 5 + classes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 96)
NUM_CLASSES = 3


def build(
    path: Path,
    *,
    size: tuple[int, int] = SIZE,
    num_classes: int = NUM_CLASSES,
    batch: int | str = 1,
    hard_coded: bool = False,
    strides: tuple[int, ...] = (8, 16, 32),
    dtype: type[np.floating[Any]] = np.float32,
    input_dtype: type[np.generic] | None = None,
    sigmoid: bool = True,
    decoded: bool = False,
    rank: int = 3,
    outputs: int = 1,
    channels_last: bool = False,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write such a network, or one that a detector must refuse.

    `hard_coded` writes the batch into each Reshape, as YOLOX's exporter does.
    """
    random = np.random.default_rng(0)
    onnx_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    columns = 5 + num_classes
    exported = batch if hard_coded else 0
    nodes, weights, levels = [], [], []

    def constant(name: str, value: Any) -> str:
        weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    image = "image"
    input_type = onnx_type
    if input_dtype is not None:
        input_type = helper.np_dtype_to_tensor_dtype(np.dtype(input_dtype))
        nodes.append(helper.make_node("Cast", [image], ["cast"], to=onnx_type))
        image = "cast"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [image], ["planes"], perm=[0, 3, 1, 2]))
        image = "planes"
    for stride in strides:
        spread = random.normal(0, 1, (columns, 3, 1, 1)) * 3 / 255
        bias = random.normal(0, 0.3, columns) - spread.sum(axis=(1, 2, 3)) * 114
        if decoded:
            bias[2:4] += 100
        names = [f"{name}{stride}" for name in ("pool", "conv", "box", "score", "sigmoid", "joined", "flat")]
        pool, conv, box, score, score_sigmoid, joined, flat = names
        nodes += [
            helper.make_node("AveragePool", [image], [pool], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node(
                "Conv",
                [pool, constant(f"w{stride}", spread.astype(dtype)), constant(f"b{stride}", bias.astype(dtype))],
                [conv],
            ),
            helper.make_node(
                "Split", [conv, constant(f"s{stride}", np.array([4, columns - 4], np.int64))], [box, score], axis=1
            ),
            helper.make_node("Sigmoid" if sigmoid else "Identity", [score], [score_sigmoid]),
            helper.make_node("Concat", [box, score_sigmoid], [joined], axis=1),
            helper.make_node(
                "Reshape", [joined, constant(f"r{stride}", np.array([exported, columns, -1], np.int64))], [flat]
            ),
        ]
        levels.append(flat)
    nodes += [
        helper.make_node("Concat", levels, ["all"], axis=2),
        helper.make_node("Transpose", ["all"], ["transposed"], perm=[0, 2, 1]),
    ]
    shape = {2: [-1, columns], 3: [exported, 0, columns]}[rank]
    for number in range(outputs):
        nodes.append(
            helper.make_node(
                "Reshape", ["transposed", constant(f"shape{number}", np.array(shape, np.int64))], [f"out{number}"]
            )
        )
    input_shape = [batch, *size, 3] if channels_last else [batch, 3, *size]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", input_type, input_shape)],
        [helper.make_tensor_value_info(f"out{number}", onnx_type, [None] * rank) for number in range(outputs)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def build_tensor_input(path: Path, onnx_type: int = TensorProto.UINT8) -> Path:
    """Write a network whose input is not an image."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", onnx_type, [1, 10])],
        [helper.make_tensor_value_info("y", onnx_type, [1, 10])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
