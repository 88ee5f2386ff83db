"""An ONNX graph, and what is changed in it: its batch, and the dtype of its input.

`float16.py` changes the dtype of the rest.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.errors import ModelError, missing
from yoloxfast.models import read_model, sha256_of

try:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import NodeProto, TensorProto, helper, numpy_helper
    from onnx.shape_inference import infer_shapes
except ImportError as error:
    raise missing("onnx", error, extra="build") from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Graph", "digest_of", "replace_all"]

_BATCH = "batch"
_WEIGHTS_ARE_NO_INPUTS = 4
"""Since this IR version, initializers need not be inputs."""
_ANY_BATCH = 104_729
"""A batch that no other axis is as long as, to see which axes follow it."""


def digest_of(path: Path) -> str:
    """Return the SHA-256 of an ONNX file, and of the files beside it that hold its weights, if there are some.

    Raises
    ------
    ModelError
        It is not an ONNX file, or keeps weights outside its folder, or in something that is not a regular file.
    """
    content = read_model(path)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    external = {
        entry.value
        for tensor in _tensors(model.graph)
        for entry in tensor.external_data
        if tensor.data_location == TensorProto.EXTERNAL and entry.key == "location"
    }
    files = [_beside(path, name) for name in sorted(external)]
    if not files:
        return sha256(content).hexdigest()
    digests = [sha256_of(file) for file in files]
    return sha256("".join([sha256(content).hexdigest(), *digests]).encode()).hexdigest()


def _beside(path: Path, name: str) -> Path:
    """Return the file of that name, if it lies in the model's folder or below, else raise `ModelError`."""
    folder = path.parent.resolve()
    try:
        file = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null character
        file = None
    if file is None or not file.is_relative_to(folder):
        raise ModelError(f"{path} keeps weights in {name!r}, expected a file in its own folder")
    if not file.exists():
        raise ModelError(f"{path} keeps weights in {name!r}, which is not there")
    return file


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all tensors that may lie in other files, also those of the graphs within nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
        for inner in _inner_graphs(node):
            yield from _tensors(inner)


class Graph:
    """A graph of one input, whose constants are initializers, and whose nodes are in order and have names.

    Parameters
    ----------
    path : Path
        An ONNX file that ONNX Runtime can load.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.model: Any = onnx.load(path)
        except onnx.checker.ValidationError as error:
            raise ModelError(f"{path} cannot be read: {error}") from error
        self.model.ir_version = max(self.model.ir_version, _WEIGHTS_ARE_NO_INPUTS)
        graph = self.model.graph
        nodes = []
        for node in graph.node:
            if node.op_type == "Constant" and (value := _constant(node)) is not None:
                graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            else:
                nodes.append(node)
        replace_all(graph.node, self._sorted(nodes))
        constants = {initializer.name for initializer in graph.initializer}
        replace_all(graph.input, [value for value in graph.input if value.name not in constants])
        del graph.value_info[:]
        names: set[str] = set()
        for number, node in enumerate(graph.node):
            if not node.name or node.name in names:
                node.name = f"{node.op_type}_{number}"
            names.add(node.name)

    def _sorted(self, nodes: list[NodeProto]) -> list[NodeProto]:
        makers = {output: number for number, node in enumerate(nodes) for output in node.output if output}
        order = TopologicalSorter(
            {number: {makers[name] for name in _used([node]) if name in makers} for number, node in enumerate(nodes)}
        )
        try:
            return [nodes[number] for number in order.static_order()]
        except CycleError as error:
            raise ModelError(f"{self._path} is not a graph: a node needs its own output") from error

    def set_batch(self, batch: int | None) -> None:
        """Take another number of images: exactly `batch`, or any if that is None.

        YOLOX's exporter writes the batch into the target shape of each Reshape. These become 0, which means "as in the
        input", wherever the first axis of the input is the batch.
        """
        graph = self.model.graph
        exported = graph.input[0].type.tensor_type.shape.dim[0].dim_value
        if exported == batch:
            return
        while exported and (fixed := self._fixed_reshapes(exported)):
            for node, shape in fixed:
                node.input[1] = f"{node.name}/shape"
                graph.initializer.append(numpy_helper.from_array(np.append(0, shape[1:]), node.input[1]))
                replace_all(node.attribute, [value for value in node.attribute if value.name != "allowzero"])
        self._set_first_axes(_BATCH if batch is None else batch)

    def _fixed_reshapes(self, exported: int) -> list[tuple[NodeProto, Any]]:
        """Find each Reshape of batches of images to the exported batch, and its target shape."""
        self._set_first_axes(_ANY_BATCH)
        batches = {
            value.name
            for value in infer_shapes(self.model).graph.value_info
            for axis in value.type.tensor_type.shape.dim[:1]
            if axis.dim_value == _ANY_BATCH
        }
        weights = {weight.name: weight for weight in self.model.graph.initializer}
        reshapes = [
            (node, numpy_helper.to_array(weights[node.input[1]]))
            for node in self.model.graph.node
            if node.op_type == "Reshape" and node.input[0] in batches and node.input[1] in weights
        ]
        return [(node, shape) for node, shape in reshapes if shape.size and shape[0] == exported]

    def _set_first_axes(self, batch: int | str) -> None:
        for value in chain(self.model.graph.input, self.model.graph.output):
            for axis in value.type.tensor_type.shape.dim[:1]:
                if isinstance(batch, int):
                    axis.dim_value = batch
                else:
                    axis.dim_param = batch

    def take_bytes(self) -> None:
        """Take uint8: a quarter of the bytes to copy, without loss for pixels."""
        graph = self.model.graph
        (network_input,) = graph.input
        tensor = network_input.type.tensor_type
        if tensor.elem_type == TensorProto.UINT8:
            return
        self.refuse_inner_graphs("uint8 input")
        name = f"{network_input.name}/{TensorProto.DataType.Name(tensor.elem_type).lower()}"
        for node in graph.node:
            replace_all(node.input, [name if used == network_input.name else used for used in node.input])
        graph.node.insert(0, helper.make_node("Cast", [network_input.name], [name], name=name, to=tensor.elem_type))
        tensor.elem_type = TensorProto.UINT8

    def refuse_inner_graphs(self, change: str) -> None:
        """Refuse a change that would have to reach into the branches of an If, or the body of a Loop."""
        for node in self.model.graph.node:
            if any(True for _ in _inner_graphs(node)):
                raise ModelError(
                    f"{self._path} cannot be converted to {change}: {node.op_type} {node.name} holds a graph"
                )

    def serialized(self) -> bytes:
        """Return the ONNX file, without weights that nothing uses.

        Raises
        ------
        ModelError
            What was made of it is not valid.
        """
        graph = self.model.graph
        used = _used(graph.node) | {output.name for output in graph.output}
        replace_all(graph.initializer, [weight for weight in graph.initializer if weight.name in used])
        try:
            onnx.checker.check_model(self.model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ModelError(f"{self._path} cannot be converted: {error}") from error
        content: bytes = self.model.SerializeToString()
        return content


def replace_all(field: Any, items: list[Any]) -> None:
    """Give a repeated field other items."""
    del field[:]
    field.extend(items)


def _used(nodes: Iterable[NodeProto]) -> set[str]:
    """Names that nodes use, also in the graphs within them."""
    names: set[str] = set()
    for node in nodes:
        names.update(node.input)
        for inner in _inner_graphs(node):
            names |= _used(inner.node) | {output.name for output in inner.output}
    return names


def _inner_graphs(node: NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def _constant(node: NodeProto) -> Any:
    """Return the value of a Constant node; None if it is not an array of numbers."""
    (attribute,) = node.attribute
    match attribute.name:
        case "value":
            return numpy_helper.to_array(attribute.t)
        case "value_int" | "value_ints":
            return np.array(helper.get_attribute_value(attribute), np.int64)
        case "value_float" | "value_floats":
            return np.array(helper.get_attribute_value(attribute), np.float32)
    return None
