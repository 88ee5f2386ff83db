"""Networks with something in front that turns another kind of input into theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 256, 256
"""Of the demo network's input."""

_REVERSE: tuple[str, dict[str, Any], list[Any]] = ("Gather", {"axis": 1}, [np.array([2, 1, 0])])

_MEAN, _STD = (
    np.array(channels, np.float32).reshape(3, 1, 1) for channels in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
)
"""Of ImageNet, RGB."""

_DISTURBED_BY_BLUE = np.array([[0, 0, 1], [0, 1, -4], [1, 0, -4]], np.float32).reshape(3, 3, 1, 1)
"""From RGB to BGR: the demo network, to which the order of channels makes no difference, is given one."""

FRONTS: dict[str, tuple[tuple[int, ...], list[tuple[str, dict[str, Any], list[Any]]]]] = {
    "pixels": ((1, HEIGHT, WIDTH, 3), [("Transpose", {"perm": [0, 3, 1, 2]}, [])]),
    "grey plane": ((1, 1, HEIGHT, WIDTH), [("Expand", {}, [np.array([1, 3, 1, 1])])]),
    "grey pixels": (
        (1, HEIGHT, WIDTH, 1),
        [("Expand", {}, [np.array([1, 1, 1, 3])]), ("Transpose", {"perm": [0, 3, 1, 2]}, [])],
    ),
    "patches": (
        (1, 12, HEIGHT // 2, WIDTH // 2),
        [
            ("Reshape", {}, [np.array([1, 2, 2, 3, HEIGHT // 2, WIDTH // 2])]),  # column, row, channel
            ("Transpose", {"perm": [0, 3, 4, 2, 5, 1]}, []),
            ("Reshape", {}, [np.array([1, 3, HEIGHT, WIDTH])]),
        ],
    ),
    "0 to 1": ((1, 3, HEIGHT, WIDTH), [("Mul", {}, [np.float32(255)])]),
    "normalised RGB": (
        (1, 3, HEIGHT, WIDTH),
        [
            ("Mul", {}, [np.array([60, 70, 80], np.float32).reshape(3, 1, 1)]),
            ("Add", {}, [np.array([120, 110, 100], np.float32).reshape(3, 1, 1)]),
            _REVERSE,
        ],
    ),
    "legacy": ((1, 3, HEIGHT, WIDTH), [("Mul", {}, [255 * _STD]), ("Add", {}, [255 * _MEAN]), _REVERSE]),
    "normalised BGR": ((1, 3, HEIGHT, WIDTH), [("Mul", {}, [255 * _STD[::-1]]), ("Add", {}, [255 * _MEAN[::-1]])]),
    "RGB without blue": ((1, 3, HEIGHT, WIDTH), [("Conv", {}, [_DISTURBED_BY_BLUE])]),
}
"""Shape of the input, and the nodes: their operator, attributes and constants."""


def put_in_front(front: str, model: Path, path: Path, dtype: type[np.generic] = np.float32) -> Path:
    """Write a network of float32 planes, with another kind of input."""
    shape, steps = FRONTS[front]
    network: Any = onnx.load(model)
    graph = network.graph
    planes = graph.input[0].name
    nodes = [helper.make_node("Cast", ["other"], ["front 0"], to=onnx.TensorProto.FLOAT)]
    for number, (operator, attributes, constants) in enumerate(steps):
        names = [f"constant {number} {index}" for index in range(len(constants))]
        graph.initializer.extend(map(numpy_helper.from_array, constants, names))
        output = planes if number == len(steps) - 1 else f"front {number + 1}"
        nodes.append(helper.make_node(operator, [f"front {number}", *names], [output], **attributes))
    nodes += graph.node
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("other", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape))
    onnx.checker.check_model(network)
    onnx.save(network, path)
    return path
