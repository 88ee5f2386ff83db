"""TensorRT and TensorRT-RTX engines on NVIDIA GPUs."""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from yoloxfast.backends.head import find_head
from yoloxfast.backends.tensors import Tensor, image_size, not_an_image
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.tensorrt import BUILDERS
from yoloxfast.tensorrt.context import Context, tensor_dtype, tensor_names
from yoloxfast.tensorrt.cuda import Device
from yoloxfast.tensorrt.engine_file import read_engine
from yoloxfast.tensorrt.library import forgetting_frames, library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


__all__ = ["TensorRtBackend"]


class TensorRtBackend:
    """An engine, shared by all threads, and the execution contexts of those that run it.

    Parameters
    ----------
    path : Path
        The engine, of exactly this version of the runtime and, by default, this kind of GPU. Load only files that you
        trust: an engine is a program.
    runtime : {"tensorrt", "tensorrt-rtx"}, optional
        By default the one that the file says it was built by, else TensorRT.
    device : int, default 0
        Number of the GPU.
    graphs : bool, default False
        Whether a run is recorded once as a CUDA graph.
    """

    def __init__(self, path: Path, *, runtime: str | None = None, device: int = 0, graphs: bool = False) -> None:
        file = read_engine(path)
        self.metadata = file.metadata
        built_with = file.metadata.get("backend", runtime or BUILDERS[0])
        self.name = runtime or built_with
        if built_with != self.name:
            raise ModelError(f"{path} is an engine of {built_with}, not of {self.name}: leave backend out")
        if built_with not in BUILDERS:
            raise ModelError(f"{path} is an engine of {built_with}, expected one of {' or '.join(BUILDERS)}")
        self._device = Device.numbered(device, extra=self.name)
        self._library = library(self.name)
        self._graphs = graphs
        self._lock = Lock()
        self._lent = 0
        self._idle: list[Context] = []
        self._runtime: Any = None
        self._engine: Any = None
        self._closed = False
        try:
            with self._device.current(), forgetting_frames():
                self._load(path, file.plan)
        except BaseException:
            self.close()
            raise
        _open_backends.add(self)

    def _load(self, path: Path, plan: memoryview) -> None:
        library, built_by = self._library, self.metadata.get("runtime")
        if built_by not in (None, library.version):
            raise ModelError(f"{path} was built by {built_by}, and this is {library.version}: {self._remedy}")
        library.words()
        self._runtime = library.trt.Runtime(library.logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ModelError(
                f"{path} is no engine for {library.version} on {self._device.name}: {library.words()}; {self._remedy}"
            )
        self._input, size = _checked_input(self._engine, library.trt, path)
        probe = Context(library, self._device, self._engine, self._input)
        try:
            probe.clear()
            outputs = probe.run_all()
            self.head = find_head(outputs, size, self._input.shape[0])
            self._output = probe.outputs[self.head.output_name]
        except (EngineError, ModelError) as error:
            raise type(error)(f"{path}: {error}") from error.__cause__
        finally:
            probe.free()
        self._file = f"{path} ({len(plan):,} bytes)"

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

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""
        return {
            "model": self._file,
            "runtime": self._library.version,
            "device": str(self._device),
            "input": str(self._input),
            "output": str(self._output),
        }

    @contextmanager
    def execution_context(self) -> Iterator[Context]:
        """Borrow a context; from any thread."""
        with self._lock:
            if self._closed:
                raise EngineError("the detector is closed")
            self._lent += 1
            context = self._idle.pop() if self._idle else None
        try:
            if context is None:
                with self._device.current(), forgetting_frames():
                    fresh = Context(self._library, self._device, self._engine, self._input, self._output.name)
                    if self._graphs:
                        fresh.record()
                    context = fresh
            with forgetting_frames():
                yield context
        finally:
            with self._lock:
                self._lent -= 1
                if context is not None:
                    self._idle.append(context)
            if self._closed:
                self.close()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    def close(self) -> None:
        """Let go of the engine; runs under way end as usual. May be called again."""
        if os.getpid() != self._device.process:
            return
        with self._lock, self._device.current(), forgetting_frames(), ExitStack() as all_of_it:
            self._closed = True
            if self._lent == 0:
                all_of_it.callback(self._forget)
            while self._idle:
                all_of_it.callback(self._idle.pop().free)

    def _forget(self) -> None:
        self._engine = None
        self._runtime = None


def _checked_input(engine: Any, trt: Any, path: Path) -> tuple[Tensor, tuple[int, int]]:
    """Read the network's input, and its height and width; what may vary takes the least that its profile has."""
    inputs = tensor_names(engine, trt.TensorIOMode.INPUT)
    found = []
    for name in inputs:
        shape, dtype = tuple(engine.get_tensor_shape(name)), tensor_dtype(engine, trt, name)
        found.append(f"{name} {shape} {dtype or engine.get_tensor_dtype(name)}")
        if min(shape, default=0) < 0:
            least, *_ = engine.get_tensor_profile_shape(name, 0)
            shape = tuple(fixed if side < 0 else side for side, fixed in zip(shape, tuple(least), strict=True))
        size = image_size(shape, dtype)
        if len(inputs) == 1 and dtype is not None and size is not None:
            return Tensor(name, shape, dtype), size
    raise not_an_image(path, ", ".join(found))


_open_backends: WeakSet[TensorRtBackend] = WeakSet()


@atexit.register
def _close_all() -> None:
    for backend in list(_open_backends):
        with suppress(EngineError):
            backend.close()
