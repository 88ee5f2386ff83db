"""Edited copies of the demo network, and what they compute."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from converted import session_of
from tail import copied
from yoloxfast import reference
from yoloxfast.demo import draw_scene
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Outputs = Mapping[str, Array]

SIZE = (256, 256)


def run(model: onnx.ModelProto, images: Array) -> Outputs:
    onnx.checker.check_model(model, full_check=True)
    session = session_of(model.SerializeToString())
    (network_input,) = session.get_inputs()
    outputs = session.get_outputs()
    values = dict(
        zip([output.name for output in outputs], session.run(None, {network_input.name: images}), strict=True)
    )
    for output in outputs:
        declared = [side if isinstance(side, int) else None for side in output.shape]
        shape = values[output.name].shape
        assert [None if side is None else found for side, found in zip(declared, shape, strict=True)] == declared
    return values


@cache
def demo() -> onnx.ModelProto:
    return onnx.load(DEMO_MODEL)


@cache
def scenes() -> Array:
    """Two scenes in the network's input, and grey, in which it finds nothing."""
    found = [reference.letterbox(draw_scene(seed).image, SIZE)[0] for seed in (3001, 3003)]
    return np.stack([*found, np.full_like(found[0], 114)])


def with_batch(model: onnx.ModelProto, batch: int | str) -> onnx.ModelProto:
    model = copied(model)
    for tensor in (*model.graph.input, *model.graph.output):
        side = tensor.type.tensor_type.shape.dim[0]
        if isinstance(batch, str):
            side.dim_param = batch
        else:
            side.dim_value = batch
    del model.graph.value_info[:]
    return model
