"""TensorRT and TensorRT-RTX engines on NVIDIA GPUs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from yoloxfast.backends.backend import Backend
from yoloxfast.backends.tensors import Batches, BatchRange, Port
from yoloxfast.errors import ModelError, forgetting_frames
from yoloxfast.tensorrt import RUNTIMES
from yoloxfast.tensorrt.context import TensorRtContext, tensor_dtype, tensor_names
from yoloxfast.tensorrt.cuda import Device
from yoloxfast.tensorrt.engine_file import read_engine, version_in
from yoloxfast.tensorrt.library import library

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from yoloxfast.backends.tensors import Tensor
    from yoloxfast.tensorrt.recipe import Precision

__all__ = ["TensorRtBackend"]

_RUNS_AT_ONCE = 2
"""One on the GPU, and the next behind it, so that the GPU does not wait until the host has seen that it is done."""


class TensorRtBackend(Backend):
    """An engine.

    Parameters
    ----------
    path : Path
        The engine, of exactly this version of the runtime and, by default, this kind of GPU. Load only files that you
        trust: an engine is a program. Or an ONNX file, of which the engine is built, and kept for the next time.
    runtime : {"tensorrt", "tensorrt-rtx"}, optional
        By default the one that the file says it was built by, else TensorRT.
    precision : {"fp32", "fp16"}, optional
        In which an ONNX file is built; "fp32" by default.
    device : int, default 0
        Number of the GPU.
    cuda_graphs : bool, default False
        Whether a run is recorded once as a CUDA graph.
    """

    runs_at_once = _RUNS_AT_ONCE

    def __init__(
        self,
        path: Path,
        *,
        runtime: str | None = None,
        precision: Precision | None = None,
        device: int = 0,
        cuda_graphs: bool = False,
    ) -> None:
        self._graphs = cuda_graphs
        self._runtime: Any = None
        self._engine: Any = None
        if path.suffix.lower() == ".onnx":
            self._build(path, runtime or RUNTIMES[0], precision, device)
        elif precision is None:
            self._open(path, runtime, device)
        else:
            raise ValueError(
                f"precision is {precision!r}, but an engine's precision is fixed when it is built: leave it out"
            )

    def _build(self, model: Path, runtime: str, precision: Precision | None, device: int) -> None:
        """Open the engine of an ONNX file; one that was kept and cannot be loaded is built again."""
        from yoloxfast.tensorrt.building import EngineBuilder
        from yoloxfast.tensorrt.cache import cached_engine
        from yoloxfast.tensorrt.recipe import Recipe

        recipe = Recipe.checked(precision=precision or "fp32")
        builder = EngineBuilder(runtime, device)
        kept = partial(
            cached_engine, model.stem, builder.identity(model, recipe), partial(builder.build, model, recipe=recipe)
        )
        engine = kept()
        try:
            self._open(engine, runtime, device)
        except ModelError:
            self._open(kept(rebuild=True), runtime, device)

    def _open(self, path: Path, runtime: str | None, device: int) -> None:
        file = read_engine(path)
        self.metadata = file.metadata
        built_with = file.metadata.get("backend", runtime or RUNTIMES[0])
        self.name = runtime or built_with
        if built_with != self.name:
            raise ModelError(f"{path} is an engine of {built_with}, not of {self.name}: leave backend out")
        if built_with not in RUNTIMES:
            raise ModelError(f"{path} is an engine of {built_with}, expected one of {' or '.join(RUNTIMES)}")
        self._device = Device.numbered(device, extra=self.name)
        self._library = library(self.name)
        with self.active(), forgetting_frames():
            try:
                self._load(path, file.plan)
            except BaseException:
                self.close()
                raise

    def _load(self, path: Path, plan: memoryview) -> None:
        library, built_by = self._library, self.metadata.get("runtime")
        if built_by not in (None, library.version):
            raise ModelError(f"{path} was built by {built_by}, and this is {library.version}: {self._remedy}")
        library.words()
        self._runtime = library.trt.Runtime(library.logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            version = version_in(plan)
            built = f"; its header says that version {version} wrote it" if version else ""
            raise ModelError(
                f"{path} is not an engine for {library.version} on {self._device.name}: {library.words()}{built};"
                f" {self._remedy}"
            )
        self.inputs = _inputs_of(self._engine, library.trt)
        self._profiles = _profiles_of(self._engine, self.inputs)
        self.batches = Batches(self._profiles.values())

    @property
    def _remedy(self) -> str:
        """What to do if the engine cannot be loaded."""
        if not self.metadata:
            return "engines run on the version and kind of GPU that they were built for"
        gpu, source = (self.metadata.get(key, "something else") for key in ("gpu", "source"))
        return f"it was built for {gpu}; build it again, from {source}"

    @property
    def device(self) -> Mapping[str, str]:
        """What it runs on: name, memory and compute capability of the GPU; versions of driver, binding and runtime."""
        return {**self._device.facts, "runtime": self._library.version}

    def describe_device(self) -> str:
        """Name the GPU, its compute capability and its memory."""
        return str(self._device)

    def active(self) -> AbstractContextManager[None]:
        """Make the GPU current on this thread."""
        return self._device.current()

    def make_context(self, network_input: Tensor, outputs: Sequence[Tensor] = ()) -> TensorRtContext:
        """Return a new context for that input, of some batch, which gives these outputs; by default all there are."""
        profile = list(self._profiles)[self.batches.range_of(network_input.shape[0])]
        names = [output.name for output in outputs]
        context = TensorRtContext(self._library, self._device, self._engine, network_input, names, profile=profile)
        if self._graphs and outputs:
            context.record()
        return context

    def close(self) -> None:
        """Let go of the engine, and then of the runtime."""
        self._engine = None
        self._runtime = None


def _inputs_of(engine: Any, trt: Any) -> list[Port]:
    """Read the inputs; a height or width that may vary is the least that the first profile has."""
    inputs = []
    for name in tensor_names(engine, trt.TensorIOMode.INPUT):
        shape = tuple(engine.get_tensor_shape(name))
        if min(shape[1:], default=0) < 0:
            least, *_ = engine.get_tensor_profile_shape(name, 0)
            sides = (fixed if side < 0 else side for side, fixed in zip(shape[1:], tuple(least)[1:], strict=True))
            shape = (shape[0], *sides)
        inputs.append(Port(name, shape, tensor_dtype(engine, trt, name)))
    return inputs


def _profiles_of(engine: Any, inputs: Sequence[Port]) -> dict[int, BatchRange]:
    """Return the batches of each optimization profile that takes the height and width of the only input."""
    if len(inputs) != 1 or inputs[0].shape[:1] != (-1,):
        return dict(enumerate(Batches.of(inputs)))
    name, (_, *sides), _ = inputs[0]
    profiles = {}
    for number in range(engine.num_optimization_profiles):
        least, best, largest = map(tuple, engine.get_tensor_profile_shape(name, number))
        if all(low <= side <= high for low, side, high in zip(least[1:], sides, largest[1:], strict=True)):
            profiles[number] = BatchRange(least[0], best[0], largest[0])
    return profiles
