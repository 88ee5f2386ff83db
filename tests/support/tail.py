"""The end of a YOLOX network in ONNX: nodes that are appended to it, and other outputs in place of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Value = str | NDArray[Any]

STRIDES = (8, 16, 32)


class Tail:
    """A copy of a network that gives raw rows, (batch, anchors, 5 + classes) in float32, without that output.

    Only operators are used that opset 11 has and that later ones did not change, so that any file can be edited. Inputs
    of nodes are names of tensors, or arrays, which become initializers.

    Attributes
    ----------
    model : ModelProto
    rows : str
        The tensor that was the output.
    batch : int or str
        Images per run, or the name of a dynamic batch.
    size : (int, int)
        Height and width of the input.
    anchors, columns : int
        Shape of the rows.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = copied(model)
        self._graph = self.model.graph
        (network_input,) = self._graph.input
        (output,) = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
        self.rows: str = output.name
        self.batch, _, height, width = shape_of(network_input)
        self.size = (int(height), int(width))
        _, self.anchors, self.columns = (int(side) for side in (0, *shape_of(output)[1:]))
        del self._graph.output[:]

    @property
    def shape(self) -> list[int | str]:
        """Shape of the rows."""
        return [self.batch, self.anchors, self.columns]

    def node(self, operator: str, *inputs: Value, **attributes: Any) -> str:
        """Append a node with one output; return the output's name."""
        (output,) = self.nodes(operator, *inputs, outputs=1, **attributes)
        return output

    def nodes(self, operator: str, *inputs: Value, outputs: int, **attributes: Any) -> list[str]:
        """Append a node; return the names of its outputs."""
        number = len(self._graph.node)
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        results = [f"tail{number}.{output}" for output in range(outputs)]
        self._graph.node.append(helper.make_node(operator, names, results, **attributes))
        return results

    def take(self, tensor: str, start: int, stop: int, *, axis: int = 2) -> str:
        """Append a slice along one axis."""
        return self.node("Slice", tensor, *(np.array([value]) for value in (start, stop, axis)))

    def decode(self) -> tuple[str, str]:
        """Append the decoding of raw boxes: centres, and widths and heights, in pixels of the input."""
        cells, strides = grid(self.size)
        centres = self.node("Mul", self.node("Add", self.take(self.rows, 0, 2), cells), strides)
        return centres, self.node("Mul", self.node("Exp", self.take(self.rows, 2, 4)), strides)

    def encode(self, centres: str, sizes: str) -> tuple[str, str]:
        """Append what takes `decode` back."""
        cells, strides = grid(self.size)
        centres = self.node("Sub", self.node("Div", centres, strides), cells)
        return centres, self.node("Log", self.node("Div", sizes, strides))

    def give(
        self,
        tensor: str,
        shape: Sequence[int | str | None],
        *,
        name: str | None = None,
        onnx_type: int = TensorProto.FLOAT,
    ) -> None:
        """Make a tensor an output, under a name of its own or its present one."""
        if name is not None:
            self._graph.node.append(helper.make_node("Identity", [tensor], [name]))
        self._graph.output.append(helper.make_tensor_value_info(name or tensor, onnx_type, shape))

    def _constant(self, value: NDArray[Any]) -> str:
        name = f"tail.constant{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(value, name))
        return name


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def shape_of(tensor: onnx.ValueInfoProto) -> list[int | str]:
    """Read a declared shape: numbers, and names of dynamic sides."""
    return [side.dim_param or side.dim_value for side in tensor.type.tensor_type.shape.dim]


def levels(size: tuple[int, int], strides: Sequence[int] = STRIDES) -> Iterator[tuple[int, int, int, int]]:
    """Yield each level's first row, the row behind its last, and the height and width of its map."""
    start = 0
    for stride in strides:
        height, width = (-(-side // stride) for side in size)
        yield start, start + height * width, height, width
        start += height * width


def grid(size: tuple[int, int], strides: Sequence[int] = STRIDES) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x and y of every row's cell, (1, anchors, 2), and its stride, (1, anchors, 1)."""
    cells, cell_strides = [], []
    for stride, (_, _, height, width) in zip(strides, levels(size, strides), strict=True):
        y, x = np.divmod(np.arange(height * width), width)
        cells.append(np.stack([x, y], axis=1))
        cell_strides.append(np.full((height * width, 1), stride))
    return np.concatenate(cells)[None].astype(np.float32), np.concatenate(cell_strides)[None].astype(np.float32)
