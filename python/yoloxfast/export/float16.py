"""Float16 in an ONNX graph, and what comes of it.

TensorRT takes the types of tensors from the graph, so FP16 is a matter of the graph. The converters of
onnxconverter-common and ONNX Runtime round to float16 even the outputs of nodes that they are told to keep in float32.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

from yoloxfast.export.graph import replace_all

if TYPE_CHECKING:
    from yoloxfast.export.graph import Graph

__all__ = ["emulate_half", "halve"]

_ALWAYS_SINGLE = {"Resize": range(1, 4), "Upsample": range(1, 2)}
"""Inputs that must stay float32: scales."""

_LARGEST = float(np.finfo(np.float16).max)
_SPLITTER = 2.0**13 + 1
"""Veltkamp's: x * it - (x * it - x) keeps 11 of the 24 bits of a float32, which are those of a float16."""
_NORMAL, _ROUNDER = 2.0**-14, 0.75
"""Below the least normal float16, x + _ROUNDER - _ROUNDER is a multiple of the least subnormal one, 2^-24."""

_CONSTANTS = {
    "half/splitter": _SPLITTER,
    "half/rounder": _ROUNDER,
    "half/least normal": _NORMAL,
    "half/largest": _LARGEST,
    "half/infinity": np.inf,
}


def halve(graph: Graph) -> None:
    """Convert to float16 what comes before the last convolutions.

    These, which give boxes and scores, and all that follows stay in float32, as do input and outputs. Weights beyond
    the range of float16 become the largest that it has.
    """
    graph.refuse_inner_graphs("float16")
    proto = graph.model.graph
    floats, tail = _tensors_of(graph, TensorProto.FLOAT), _tail(proto)
    casts = _Casts(proto)
    halves: set[str] = set()
    for node in proto.node:
        single = range(len(node.input)) if node.name in tail else _ALWAYS_SINGLE.get(node.op_type, ())
        inputs = []
        for index, name in enumerate(node.input):
            if index in single:
                inputs.append(casts.to_single(name) if name in halves else name)
            else:
                inputs.append(casts.to_half(name) if name in floats and name not in halves else name)
        replace_all(node.input, inputs)
        if node.name not in tail:
            _convert_attributes(node, TensorProto.FLOAT, TensorProto.FLOAT16)
            halves |= floats.intersection(node.output)
        casts.nodes.append(node)
    replace_all(proto.node, casts.nodes)


def emulate_half(graph: Graph) -> None:
    """Compute in float32 what a graph does in float16: each output of a node is rounded, or infinite, as there.

    ONNX Runtime's CPU provider does not do that: it computes float16 as float32, and rounds nothing.
    """
    proto = graph.model.graph
    halves = _tensors_of(graph, TensorProto.FLOAT16)
    for weight in proto.initializer:
        if weight.data_type == TensorProto.FLOAT16:
            weight.CopyFrom(_converted(weight, TensorProto.FLOAT, weight.name))
    for value in chain(proto.input, proto.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for name, number in _CONSTANTS.items():
        proto.initializer.append(numpy_helper.from_array(np.array(number, np.float32), name))
    nodes = []
    for node in proto.node:
        _convert_attributes(node, TensorProto.FLOAT16, TensorProto.FLOAT)
        nodes.append(node)
        for index, name in enumerate(node.output):
            if name in halves:
                node.output[index] = f"{name}/exact"
                nodes += _rounding(f"{name}/exact", name)
    replace_all(proto.node, nodes)


def _rounding(exact: str, rounded: str) -> list[NodeProto]:
    """Make nodes that round a tensor to float16; what rounds above its range becomes infinite."""
    steps = (
        ("Mul", [exact, "half/splitter"], "product"),
        ("Sub", ["product", exact], "rest"),
        ("Sub", ["product", "rest"], "normal"),
        ("Add", [exact, "half/rounder"], "shifted"),
        ("Sub", ["shifted", "half/rounder"], "subnormal"),
        ("Abs", [exact], "size"),
        ("Less", ["size", "half/least normal"], "is subnormal"),
        ("Where", ["is subnormal", "subnormal", "normal"], "finite"),
        ("Abs", ["finite"], "rounded size"),
        ("Greater", ["rounded size", "half/largest"], "is infinite"),
        ("Mul", ["finite", "half/infinity"], "infinite"),
        ("Where", ["is infinite", "infinite", "finite"], ""),
    )
    names = {step: f"{rounded}/{step}" if step else rounded for _, _, step in steps}
    return [
        helper.make_node(
            operator, [names.get(name, name) for name in inputs], [names[step]], name=f"{rounded}/{number}"
        )
        for number, (operator, inputs, step) in enumerate(steps)
    ]


class _Casts:
    """Tensors in another precision, each made once, where it is first asked for; and all nodes in order."""

    def __init__(self, graph: Any) -> None:
        self.nodes: list[NodeProto] = []
        self._graph = graph
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._made: set[str] = set()

    def to_half(self, name: str) -> str:
        """Name a float32 tensor in float16."""
        half = f"{name}/half"
        if name not in self._weights:
            return self._cast(name, half, TensorProto.FLOAT16)
        if half not in self._made:
            self._made.add(half)
            self._graph.initializer.append(_converted(self._weights[name], TensorProto.FLOAT16, half))
        return half

    def to_single(self, name: str) -> str:
        """Name a float16 tensor in float32."""
        return self._cast(name, f"{name}/single", TensorProto.FLOAT)

    def _cast(self, name: str, new: str, dtype: int) -> str:
        if new not in self._made:
            self._made.add(new)
            self.nodes.append(helper.make_node("Cast", [name], [new], name=new, to=dtype))
        return new


def _tail(graph: Any) -> set[str]:
    """Names of the last convolutions on the way to each output, and of what follows them."""
    makers = {output: node for node in graph.node for output in node.output}
    tail: set[str] = set()
    wanted = [output.name for output in graph.output]
    while wanted:
        node = makers.get(wanted.pop())
        if node is not None and node.name not in tail:
            tail.add(node.name)
            if node.op_type != "Conv":
                wanted += node.input
    return tail


def _tensors_of(graph: Graph, dtype: int) -> set[str]:
    """Names of all tensors of a dtype."""
    inferred = infer_shapes(graph.model).graph
    values = chain(inferred.input, inferred.output, inferred.value_info)
    names = {value.name for value in values if value.type.tensor_type.elem_type == dtype}
    return names | {weight.name for weight in inferred.initializer if weight.data_type == dtype}


def _converted(tensor: Any, dtype: int, name: str) -> Any:
    values = numpy_helper.to_array(tensor)
    if dtype == TensorProto.FLOAT16:
        values = np.where(np.isinf(values), values, np.clip(values, -_LARGEST, _LARGEST))
    return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(dtype)), name)


def _convert_attributes(node: NodeProto, old: int, new: int) -> None:
    """Convert what a node holds itself: the value of a ConstantOfShape, the target of a Cast."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == old:
            attribute.i = new
        elif attribute.HasField("t") and attribute.t.data_type == old:
            attribute.t.CopyFrom(_converted(attribute.t, new, attribute.t.name))
