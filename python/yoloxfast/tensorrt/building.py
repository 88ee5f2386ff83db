"""From an ONNX file to an engine file."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from yoloxfast._core import __version__
from yoloxfast.backends import Hints, open_network
from yoloxfast.errors import ModelError
from yoloxfast.export import Conversion, checked_graph, digest_of
from yoloxfast.files import replacing
from yoloxfast.names import class_names
from yoloxfast.tensorrt.builder import Options, build_plan
from yoloxfast.tensorrt.cache import engines_folder
from yoloxfast.tensorrt.engine_file import write_engine
from yoloxfast.tensorrt.library import library

if TYPE_CHECKING:
    from pathlib import Path

    from yoloxfast.names import Names
    from yoloxfast.tensorrt.cuda import Device
    from yoloxfast.tensorrt.recipe import Recipe

__all__ = ["EngineBuilder"]


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
            from yoloxfast.tensorrt.cuda import Device

            self._device = Device.numbered(device, extra=runtime)
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

    def build(self, model: Path, output: Path, recipe: Recipe, names: Names | None = None) -> None:
        """Build an ONNX file into an engine file, which is replaced when all is done.

        Raises
        ------
        ModelError
            Not a YOLOX, or one that cannot be converted as `recipe` says, or that TensorRT cannot parse.
        EngineError
            TensorRT cannot build it.
        ValueError, TypeError
            Not one name per class.
        OSError
            The file cannot be written, or the file of names cannot be read; that is found out before the build.
        """
        identity = self.identity(model, recipe)
        with closing(open_network(model, backend="onnxruntime", hints=Hints.of(names))) as source:
            exported = source.batches.least
            least, best, largest = recipe.batch or (exported,) * 3
            is_dynamic = least != largest
            conversion = Conversion(None if is_dynamic else least, recipe.precision == "fp16", recipe.takes_bytes)
            names = class_names(names, source.head.num_classes, source.backend.metadata)
            graph = checked_graph(model, source, conversion)
        metadata = {
            **source.backend.metadata,
            "names": repr(list(names)),
            "source": model.name,
            **identity,
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
        with replacing(output, survives_power_cut=True) as file:
            plan = build_plan(self._library, self._device, graph.serialized(), options)
            if self.identity(model, recipe) != identity:
                raise ModelError(f"{model} has changed while it was built; build it again")
            write_engine(file, plan, metadata)

    @property
    def _gpu(self) -> str:
        return "any that TensorRT-RTX supports" if self._device is None else self._device.kind

    def _timings(self) -> Path | None:
        """Name the file in which TensorRT keeps how long layers take on this GPU; TensorRT-RTX measures nothing.

        None if the folder cannot be created or cannot be trusted.
        """
        if self._device is None:
            return None
        with suppress(OSError):  # without timings a build only takes longer
            return engines_folder() / f"{self._library.version} {self._device.kind}.timings".replace(" ", "-")
        return None
