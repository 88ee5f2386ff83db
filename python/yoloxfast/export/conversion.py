"""Convert an ONNX model, and check with ONNX Runtime that it still finds the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.backends import run_onnx
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.export.float16 import emulate_half, halve
from yoloxfast.export.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast.backends import Network

__all__ = ["Conversion", "checked_graph", "converted_graph"]

_MAX_DIFFERENCE = {False: 0.01, True: 0.15}
"""How much of its spread over the anchors each column of a raw output may change, in float32 and in float16. Float16
itself: 0.03 (Nano)."""

_SPREAD = 1e-4
"""Added to it, for columns that are the same at all anchors."""


@dataclass(frozen=True)
class Conversion:
    """What is changed in a graph.

    Attributes
    ----------
    batch : int or None
        Images per run; None for any number.
    half : bool
        Whether all but the last convolutions, and what follows them, is computed in float16.
    takes_bytes : bool
        Whether the input is uint8 instead of what it was.
    """

    batch: int | None
    half: bool = False
    takes_bytes: bool = False

    def __str__(self) -> str:
        precision = "float16" if self.half else "the same precision"
        batch = "any batch" if self.batch is None else f"batch {self.batch}"
        return f"{precision}, {batch}" + ", uint8 input" * self.takes_bytes


def converted_graph(model: Path, conversion: Conversion) -> Graph:
    """Return the graph of an ONNX file, changed, and not checked.

    Raises
    ------
    ModelError
        It cannot be changed so, and why.
    """
    graph = Graph(model)
    graph.set_batch(conversion.batch)
    if conversion.takes_bytes:
        graph.take_bytes()
    if conversion.half:
        halve(graph)
    return graph


def checked_graph(model: Path, source: Network, conversion: Conversion) -> Graph:
    """Return the graph of an ONNX file, changed, after a trial.

    It is tried on images of noise, and compared with what `source`, the same file, finds in each alone: with another
    batch if that was changed, and with the roundings of float16.

    Raises
    ------
    ModelError
        It cannot be changed so, or finds something else then.
    """
    exported, shape = source.batches.least, source.input.shape[1:]
    keeps_batch = conversion.batch == exported
    images = np.random.default_rng(0).integers(0, 256, (1 if keeps_batch else exported + 1, *shape), np.uint8)
    alone = [np.stack([image] * exported) for image in images]
    if source.head.is_finished:
        raise ModelError(
            f"{model} cannot be converted to {conversion}: it gives detections, of which there may be none"
        )
    found_alone = list(run_onnx(model, alone))
    expected = {name: np.stack([outputs[name][0] for outputs in found_alone]) for name in source.head.output_names}

    def check(graph: Graph, images: NDArray[Any], *, half: bool) -> None:
        if problem := _problem(graph, images, expected, half=half):
            raise ModelError(f"{model} cannot be converted to {conversion}: {problem}")

    tried = replace(conversion, batch=exported if keeps_batch else None, half=False)
    check(converted_graph(model, tried), alone[0] if keeps_batch else images, half=False)
    if conversion.half:
        rounded = converted_graph(model, replace(conversion, batch=exported))
        emulate_half(rounded)
        check(rounded, alone[0], half=True)
    return converted_graph(model, conversion)


def _problem(graph: Graph, images: NDArray[Any], expected: Mapping[str, NDArray[Any]], *, half: bool) -> str | None:
    """Say how the outputs for images differ from what is expected of each; None if they do not."""
    network = graph.serialized()
    try:
        (outputs,) = run_onnx(network, [images])
    except (EngineError, ModelError) as error:
        return str(error)
    problems = (_difference(outputs[name], of_output, len(images), half=half) for name, of_output in expected.items())
    return next((problem for problem in problems if problem is not None), None)


def _difference(found: NDArray[Any], expected: NDArray[Any], images: int, *, half: bool) -> str | None:
    if found.shape != (images, *expected.shape[1:]):
        return f"{images} images give {found.shape}; export it with a dynamic batch"
    found = found[: len(expected)]
    if not np.isfinite(found).all():
        return f"values leave the range of {'float16; use fp32' if half else 'the dtype'}"
    spread = np.abs(expected - expected.mean(axis=1, keepdims=True)).mean(axis=1) + _SPREAD
    difference = (np.abs(found - expected[: len(found)]).mean(axis=1) / spread[: len(found)]).max()
    if difference > _MAX_DIFFERENCE[half]:
        return f"a column of its raw output differs by {difference:.3g} of its spread"
    return None
