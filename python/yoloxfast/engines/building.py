"""From an ONNX file to an engine file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import __version__
from yoloxfast.backends.library import library
from yoloxfast.backends.onnxruntime import OnnxRuntimeBackend, run_model
from yoloxfast.classes import default_names, names_in
from yoloxfast.engines.builder import Options, build_plan
from yoloxfast.engines.cache import engines_folder
from yoloxfast.engines.file import replacing, write_engine
from yoloxfast.engines.graph import digest_of, prepare
from yoloxfast.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast.backends.nvidia import Device
    from yoloxfast.engines.recipe import Precision, Recipe

__all__ = ["EngineBuilder"]

_BOTH_IMAGES = 2

_MEAN_DIFFERENCE = {"fp32": 1e-3, "fp16": 0.05}
"""How far from the original's a converted graph's raw output may be. Another image's is further away."""


class EngineBuilder:
    """A runtime, and the GPU that it builds for.

    Parameters
    ----------
    runtime : {"tensorrt", "tensorrt-rtx"}
    device : int
        Number of the GPU. TensorRT-RTX needs none to build: its engines run on all that it supports.

    Raises
    ------
    MissingDependencyError
        A package is not installed.
    EngineError
        There is no GPU.
    """

    def __init__(self, runtime: str, device: int) -> None:
        self._device: Device | None = None
        if runtime == "tensorrt":
            from yoloxfast.backends.nvidia import Device

            self._device = Device.numbered(device)
        self._library = library(runtime)

    def identity(self, model: Path, recipe: Recipe) -> dict[str, str]:
        """Return what identifies an engine: where one of these differs, it is another."""
        return {
            "source sha256": digest_of(model),
            "backend": self._library.name,
            "runtime": self._library.version,
            "gpu": self._gpu,
            "recipe": str(recipe),
            "yoloxfast": __version__,
        }

    def build(self, model: Path, output: Path, recipe: Recipe) -> None:
        """Build an ONNX file into an engine file, which is replaced when all is done.

        Raises
        ------
        ModelError
            Not a YOLOX, or one that cannot be converted as `recipe` says, or that TensorRT cannot parse.
        EngineError
            TensorRT cannot build it.
        OSError
            The file cannot be written; that is found out before the build.
        """
        source = OnnxRuntimeBackend(model)
        source.close()
        exported, *_ = source.input.shape
        least, best, largest = recipe.batch or (exported,) * 3
        is_dynamic = least != largest
        network = prepare(
            model, batch=None if is_dynamic else least, half=recipe.precision == "fp16", take_bytes=recipe.takes_bytes
        )
        _check_outputs(model, source, network, recipe.precision, _BOTH_IMAGES if is_dynamic else least)
        names = names_in(source.metadata, source.head.num_classes) or default_names(source.head.num_classes)
        metadata = {
            **source.metadata,
            "names": repr(list(names)),
            "source": model.name,
            **self.identity(model, recipe),
            "precision": recipe.precision,
            "input": "uint8" if recipe.takes_bytes else str(source.input.dtype),
            "batch": f"{least}:{best}:{largest}" if is_dynamic else str(least),
            "input size": "{} x {} (height x width)".format(*source.head.input_size),
            "strides": ", ".join(map(str, source.head.strides)),
            "classes": str(source.head.num_classes),
        }
        options = Options(
            batch=(least, best, largest) if is_dynamic else None,
            tf32=recipe.precision != "fp32",
            workspace=recipe.workspace,
            timings=self._timings(),
        )
        with replacing(output) as file:
            write_engine(file, build_plan(self._library, self._device, network, options), metadata)

    @property
    def _gpu(self) -> str:
        return "any that TensorRT-RTX supports" if self._device is None else self._device.kind

    def _timings(self) -> Path | None:
        """Name the file in which TensorRT keeps how long layers take on this GPU; TensorRT-RTX measures nothing."""
        if self._device is None:
            return None
        return engines_folder() / f"{self._library.version} {self._device.kind}.timings".replace(" ", "-")


def _check_outputs(model: Path, source: OnnxRuntimeBackend, network: bytes, precision: Precision, batch: int) -> None:
    """See that what was made of the graph finds in two images, of noise, what the graph itself does."""
    exported, *shape = source.input.shape
    images = np.random.default_rng(0).integers(0, 256, (_BOTH_IMAGES, *shape), np.uint8)
    alone = [np.stack([image] * exported).astype(source.input.dtype) for image in images]
    expected = [outputs[source.head.output_name][0] for outputs in run_model(model, alone)]
    (outputs,) = run_model(network, [np.resize(images, (batch, *shape))])
    found = outputs[source.head.output_name]
    problem = None
    if len(found) != batch or found.shape[1:] != expected[0].shape:
        problem = f"{batch} images gave {found.shape}"
    elif not np.isfinite(found).all():
        problem = "its values leave the range of the dtype"
    elif _mean_difference(found, expected) > _MEAN_DIFFERENCE[precision]:
        problem = f"its output differs by {_mean_difference(found, expected):.3g} on average"
    if problem is not None:
        raise ModelError(
            f"{model} cannot be built with precision {precision} and that batch: {problem}; export it with a dynamic"
            " batch, or build it as it was exported and with fp32"
        )


def _mean_difference(found: NDArray[Any], expected: Sequence[NDArray[Any]]) -> float:
    return max(float(np.abs(raw - expected[number % len(expected)]).mean()) for number, raw in enumerate(found))
