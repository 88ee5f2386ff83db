"""Converted graphs, and what they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from yoloxfast.export import Conversion
from yoloxfast.export.conversion import converted_graph
from yoloxfast.export.float16 import emulate_half

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def prepare(path: Path, *, batch: int | None, half: bool = False, takes_bytes: bool = False) -> bytes:
    return converted_graph(path, Conversion(batch, half, takes_bytes)).serialized()


def emulated(path: Path) -> bytes:
    """A network as a GPU computes it in float16, in float32."""
    graph = converted_graph(path, Conversion(1, half=True))
    emulate_half(graph)
    return graph.serialized()


def session_of(network: bytes | Path) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def run(network: bytes | Path, images: NDArray[Any]) -> NDArray[Any]:
    session = session_of(network)
    (network_input,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[network_input.type]
    (raw,) = session.run(None, {network_input.name: images.astype(dtype)})
    assert isinstance(raw, np.ndarray)
    return raw


def noise(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (number, 3, *size), np.uint8)
