"""What is changed in an ONNX graph before TensorRT builds it: its batch, its precision, the dtype of its input.

TensorRT takes the types of tensors from the graph, so FP16 is a matter of the graph. The converters of
onnxconverter-common and ONNX Runtime round the output of each node that they shall keep in float32 to float16.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.errors import ModelError, missing

try:
    import onnx
    from onnx import NodeProto, TensorProto, TensorShapeProto, helper, numpy_helper
    from onnx.shape_inference import infer_shapes
except ImportError as error:
    raise missing("onnx", error, extra="build") from error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest_of", "prepare"]

_BATCH = "batch"
_ANY_BATCH = 104_729
"""A batch that no other axis is as long as, to see which axes follow it."""
_ALWAYS_SINGLE = {"Resize": range(1, 4), "Upsample": range(1, 2)}
"""Inputs that must stay float32: scales."""


def prepare(path: Path, *, batch: int | None, half: bool, take_bytes: bool) -> bytes:
    """Return an ONNX file, changed.

    Parameters
    ----------
    batch : int, optional
        Images per run; by default any number.
    half : bool
        Whether all but the last convolutions, and what follows them, shall be computed in float16.
    take_bytes : bool
        Whether the input shall be uint8 instead of what it is.

    Raises
    ------
    ModelError
        It cannot be converted, and why.
    """
    model = onnx.load(path)
    try:
        _tidy(model)
        _set_batch(model, batch)
        if take_bytes:
            _take_bytes(model)
        if half:
            _halve(model)
        _drop_unused_weights(model.graph)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{path} cannot be converted: {error}") from error
    content: bytes = model.SerializeToString()
    return content


def digest_of(path: Path) -> str:
    """Return the SHA-256 of an ONNX file, and of the files beside it that hold its weights, if there are some."""
    model = onnx.load(path, load_external_data=False)
    external = {
        entry.value
        for weight in model.graph.initializer
        for entry in weight.external_data
        if weight.data_location == TensorProto.EXTERNAL and entry.key == "location"
    }
    digest = sha256(path.read_bytes())
    for name in sorted(external):
        digest.update((path.parent / name).read_bytes())
    return digest.hexdigest()


def _tidy(model: Any) -> None:
    """Make initializers of constants, leave as inputs only what is one, give each node a name of its own."""
    graph = model.graph
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and (value := _constant(node)) is not None:
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        else:
            nodes.append(node)
    _replace(graph.node, nodes)
    constants = {initializer.name for initializer in graph.initializer}
    _replace(graph.input, [value for value in graph.input if value.name not in constants])
    del graph.value_info[:]
    names: set[str] = set()
    for number, node in enumerate(graph.node):
        if not node.name or node.name in names:
            node.name = f"{node.op_type}_{number}"
        names.add(node.name)


def _set_batch(model: Any, batch: int | None) -> None:
    """Let the graph take another number of images: exactly `batch`, or any if that is None.

    YOLOX's exporter writes the batch into the target shape of each Reshape. These become 0, which means "as in the
    input", wherever the first axis of the input is the batch.
    """
    graph = model.graph
    (network_input,) = graph.input
    exported = network_input.type.tensor_type.shape.dim[0].dim_value
    if exported == batch:
        return
    while exported and (fixed := _fixed_reshapes(model, exported)):
        for node, shape in fixed:
            node.input[1] = f"{node.name}/shape"
            graph.initializer.append(numpy_helper.from_array(np.append(0, shape[1:]), node.input[1]))
    _set_first(model, _BATCH if batch is None else batch)


def _fixed_reshapes(model: Any, exported: int) -> list[tuple[NodeProto, Any]]:
    """Find each Reshape of batches of images to the exported batch, and its target shape."""
    _set_first(model, _ANY_BATCH)
    inferred = infer_shapes(model).graph.value_info
    batches = {value.name for value in inferred if _first_axis(value).dim_value == _ANY_BATCH}
    weights = {weight.name: weight for weight in model.graph.initializer}
    reshapes = [
        (node, numpy_helper.to_array(weights[node.input[1]]))
        for node in model.graph.node
        if node.op_type == "Reshape" and node.input[0] in batches and node.input[1] in weights
    ]
    return [(node, shape) for node, shape in reshapes if shape[0] == exported]


def _take_bytes(model: Any) -> None:
    """Let the graph take uint8, which says the same as float32 where pixels are 0 to 255."""
    graph = model.graph
    (network_input,) = graph.input
    tensor = network_input.type.tensor_type
    if tensor.elem_type == TensorProto.UINT8:
        return
    name = f"{network_input.name}/{TensorProto.DataType.Name(tensor.elem_type).lower()}"
    for node in graph.node:
        _rename_input(node, network_input.name, name)
    graph.node.insert(0, helper.make_node("Cast", [network_input.name], [name], name=name, to=tensor.elem_type))
    tensor.elem_type = TensorProto.UINT8


def _halve(model: Any) -> None:
    """Convert to float16 what comes before the last convolutions.

    These, which give boxes and scores, and all that follows stay in float32, as do input and outputs.

    Raises
    ------
    ModelError
        A weight is beyond the range of float16.
    """
    graph = model.graph
    floats, tail = _float_tensors(model), _tail(graph)
    casts = _Casts(graph)
    halves: set[str] = set()
    for node in graph.node:
        if node.name in tail:
            inputs = [casts.to_single(name) if name in halves else name for name in node.input]
        else:
            single = _ALWAYS_SINGLE.get(node.op_type, ())
            inputs = [
                casts.to_half(name) if name in floats and name not in halves and index not in single else name
                for index, name in enumerate(node.input)
            ]
            _halve_attributes(node)
            halves |= floats.intersection(node.output)
        _replace(node.input, inputs)
        casts.nodes.append(node)
    _replace(graph.node, casts.nodes)


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
            self._graph.initializer.append(_half_tensor(self._weights[name], half))
        return half

    def to_single(self, name: str) -> str:
        """Name a float16 tensor in float32."""
        return self._cast(name, f"{name}/single", TensorProto.FLOAT)

    def _cast(self, name: str, new: str, dtype: int) -> str:
        if new not in self._made:
            self._made.add(new)
            self.nodes.append(helper.make_node("Cast", [name], [new], name=new, to=dtype))
        return new


def _drop_unused_weights(graph: Any) -> None:
    used = _used(graph)
    _replace(graph.initializer, [weight for weight in graph.initializer if weight.name in used])


def _used(graph: Any) -> set[str]:
    """Names that a graph uses, also in the graphs within it."""
    names = {value.name for value in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= _used(inner)
    return names


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


def _float_tensors(model: Any) -> set[str]:
    graph = infer_shapes(model, check_type=True).graph
    values = chain(graph.input, graph.output, graph.value_info)
    return {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT} | {
        initializer.name for initializer in graph.initializer if initializer.data_type == TensorProto.FLOAT
    }


def _half_tensor(tensor: Any, name: str) -> Any:
    values = numpy_helper.to_array(tensor)
    largest = np.abs(values).max(initial=0)
    if largest > np.finfo(np.float16).max:
        raise ModelError(f"weight {tensor.name} has values up to {largest:.4g}, float16 holds up to 65504: use fp32")
    return numpy_helper.from_array(values.astype(np.float16), name)


def _halve_attributes(node: NodeProto) -> None:
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        elif attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_half_tensor(attribute.t, attribute.t.name))


def _constant(node: NodeProto) -> Any:
    """Return the value of a Constant node; None if it is no array of numbers."""
    (attribute,) = node.attribute
    match attribute.name:
        case "value":
            return numpy_helper.to_array(attribute.t)
        case "value_int" | "value_ints":
            return np.array(helper.get_attribute_value(attribute), np.int64)
        case "value_float" | "value_floats":
            return np.array(helper.get_attribute_value(attribute), np.float32)
    return None


def _set_first(model: Any, batch: int | str) -> None:
    """Set the first axis of input and outputs."""
    for value in chain(model.graph.input, model.graph.output):
        axis = _first_axis(value)
        if isinstance(batch, int):
            axis.dim_value = batch
        else:
            axis.dim_param = batch


def _first_axis(value: Any) -> Any:
    """Return the first axis of a tensor; one that is nowhere if it has none."""
    axes = value.type.tensor_type.shape.dim
    return axes[0] if axes else TensorShapeProto.Dimension()


def _rename_input(node: NodeProto, old: str, new: str) -> None:
    _replace(node.input, [new if name == old else name for name in node.input])


def _replace(field: Any, items: list[Any]) -> None:
    """Give a repeated field other items."""
    items = list(items)
    del field[:]
    field.extend(items)
