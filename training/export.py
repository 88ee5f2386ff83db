"""Write a YOLOX of pixeltable-yolox as ONNX, like YOLOX's `tools/export_onnx.py`: raw boxes, sigmoid in the graph."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from yolox.utils import fuse_model

from yoloxfast.demo import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

OPSET = 17


def export(model: torch.nn.Module, input_size: tuple[int, int], path: Path) -> None:
    model = fuse_model(model.to(memory_format=torch.contiguous_format))
    model.head.decode_in_inference = False
    exported = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, *input_size),),
        exported,
        input_names=["images"],
        output_names=["output"],
        opset_version=OPSET,
        dynamo=False,
    )
    network = onnx.load_from_string(exported.getvalue())
    store_weights_in_half(network)
    helper.set_model_props(network, {"names": repr(list(CLASSES)), "license": "Apache-2.0", "author": "yoloxfast"})
    onnx.checker.check_model(network, full_check=True)
    onnx.save(network, path)


def store_weights_in_half(network: onnx.ModelProto) -> None:
    """Store convolution weights as float16 and cast them on loading: half the file, and all arithmetic in float32."""
    casts = []
    for tensor in network.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and weights.ndim == 4:
            stored = f"{tensor.name}.half"
            casts.append(helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), stored))
    for cast in reversed(casts):
        network.graph.node.insert(0, cast)
