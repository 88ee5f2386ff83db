"""An ONNX file as TensorRT shall build it, after seeing by ONNX Runtime that it still finds the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.backends.onnxruntime import run_model
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.export.float16 import emulate_half, halve
from yoloxfast.export.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast.backends.onnxruntime import OnnxRuntimeBackend
    from yoloxfast.tensorrt.recipe import Recipe

__all__ = ["checked_graph", "converted_graph"]

_DIFFERENCES = {"fp32": 0.01, "fp16": 0.15}
"""How much of its spread over the anchors each column of a raw output may change. Float16 itself: 0.03 (Nano)."""

_SPREAD = 1e-4
"""Added to it, for columns that are the same at all anchors."""


def converted_graph(model: Path, *, batch: int | None, half: bool, takes_bytes: bool) -> Graph:
    """Return the graph of an ONNX file, changed.

    Parameters
    ----------
    batch : int or None
        Images per run; None for any number.
    half : bool
        Whether all but the last convolutions, and what follows them, is computed in float16.
    takes_bytes : bool
        Whether the input is uint8 instead of what it was.

    Raises
    ------
    ModelError
        It cannot be changed so, and why.
    """
    graph = Graph(model)
    graph.set_batch(batch)
    if takes_bytes:
        graph.take_bytes()
    if half:
        halve(graph)
    return graph


def checked_graph(model: Path, source: OnnxRuntimeBackend, recipe: Recipe, *, batch: int | None) -> Graph:
    """Return the graph of an ONNX file, changed as `recipe` says, and of that batch.

    It is tried on images of noise, and compared with what `source`, the same file, finds in each alone: with another
    batch if that was changed, and with the roundings of float16.
    """
    exported, *shape = source.input.shape
    images = np.random.default_rng(0).integers(0, 256, (1 if batch == exported else exported + 1, *shape), np.uint8)
    alone = [np.stack([image] * exported) for image in images]
    expected = np.stack([outputs[source.head.output_name][0] for outputs in run_model(model, alone)])

    def check(graph: Graph, precision: str, images: NDArray[Any]) -> None:
        if problem := _problem(graph, source.head.output_name, images, expected, precision):
            raise ModelError(f"{model} cannot be built as {recipe}: {problem}")

    changed = converted_graph(
        model, batch=exported if batch == exported else None, half=False, takes_bytes=recipe.takes_bytes
    )
    check(changed, "fp32", alone[0] if batch == exported else images)
    if recipe.precision == "fp16":
        rounded = converted_graph(model, batch=exported, half=True, takes_bytes=recipe.takes_bytes)
        emulate_half(rounded)
        check(rounded, "fp16", alone[0])
    return converted_graph(model, batch=batch, half=recipe.precision == "fp16", takes_bytes=recipe.takes_bytes)


def _problem(graph: Graph, output: str, images: NDArray[Any], expected: NDArray[Any], precision: str) -> str | None:
    """Say how the raw output for images differs from what is expected of each; None if it does not."""
    network = graph.serialized()
    try:
        (outputs,) = run_model(network, [images])
    except (EngineError, ModelError) as error:
        return str(error)
    found = outputs[output]
    if found.shape != (len(images), *expected.shape[1:]):
        return f"{len(images)} images give {found.shape}; export it with a dynamic batch"
    found = found[: len(expected)]
    if not np.isfinite(found).all():
        return f"values leave the range of {'float16; use fp32' if precision == 'fp16' else 'the dtype'}"
    spread = np.abs(expected - expected.mean(axis=1, keepdims=True)).mean(axis=1) + _SPREAD
    difference = (np.abs(found - expected[: len(found)]).mean(axis=1) / spread[: len(found)]).max()
    if difference > _DIFFERENCES[precision]:
        return f"a column of its raw output differs by {difference:.3g} of its spread"
    return None
