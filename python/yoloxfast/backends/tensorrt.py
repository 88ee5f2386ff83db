"""TensorRT and TensorRT-RTX engines on NVIDIA GPUs."""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from yoloxfast.backends.library import Library, forgetting_frames, library
from yoloxfast.backends.nvidia import Device, cuda
from yoloxfast.backends.tensors import Tensor, image_size, not_an_image
from yoloxfast.engines.file import read_engine
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.head import find_head
from yoloxfast.preprocessing import PADDING, Letterbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["TensorRtBackend"]

_GREY = np.full((1, 1, 3), PADDING, np.uint8)


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
    """

    def __init__(self, path: Path, *, runtime: str | None = None, device: int = 0) -> None:
        file = read_engine(path)
        self.metadata = file.metadata
        self.name = runtime or file.metadata.get("backend", "tensorrt")
        self._device = Device.numbered(device)
        self._library = library(self.name)
        self._lock = Lock()
        self._lent = 0
        self._idle: list[_Context] = []
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
        self._runtime = library.trt.Runtime(library.logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ModelError(
                f"{path} is no engine for {library.version} on {self._device.name}: {library.words()}; {self._remedy}"
            )
        self._input, size = _checked_input(self._engine, library.trt, path)
        probe = _Context(library, self._device, self._engine, self._input)
        try:
            probe.letterboxes[0](_GREY)
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
        return "it was built for {gpu}; build it again, from {source}".format_map(self.metadata)

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
    def execution_context(self) -> Iterator[_Context]:
        """Borrow a context; from any thread."""
        with self._lock:
            if self._closed:
                raise EngineError("the detector is closed")
            self._lent += 1
            context = self._idle.pop() if self._idle else None
        try:
            if context is None:
                with self._device.current(), forgetting_frames():
                    context = _Context(self._library, self._device, self._engine, self._input, self._output.name)
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
        with self._lock:
            self._closed = True
            if os.getpid() != self._device.process:
                return
            with self._device.current():
                while self._idle:
                    self._idle.pop().free()
                if self._lent == 0:
                    self._engine = None
                    self._runtime = None


class _Context:
    """An execution context with a stream, page-locked host memory and device memory of its own.

    Made, run and freed by one thread at a time. `wanted` is the output that is copied to the host; by default all are.
    """

    def __init__(
        self, library: Library, device: Device, engine: Any, network_input: Tensor, wanted: str | None = None
    ) -> None:
        self._library, self._device, self._input, self._wanted = library, device, network_input, wanted
        self._memory: dict[str, Any] = {}
        self._host: dict[str, NDArray[Any]] = {}
        self.letterboxes: list[Letterbox] = []
        self._stream: Any = None
        self._execution: Any = None
        try:
            self._stream = cuda.Stream()
            self._execution = library.checked(engine.create_execution_context(), "make an execution context")
            shape = network_input.shape
            library.checked(self._execution.set_input_shape(network_input.name, shape), f"take an input of {shape}")
            self.outputs = _read_outputs(engine, self._execution, library.trt)
            self._allocate(network_input)
            for output in self.outputs.values():
                self._allocate(output)
        except BaseException:
            self.free()
            raise
        self.letterboxes += [Letterbox(image) for image in self._host[network_input.name]]

    def _allocate(self, tensor: Tensor) -> None:
        size = max(1, int(np.prod(tensor.shape)) * tensor.dtype.itemsize)
        try:
            self._memory[tensor.name] = cuda.mem_alloc(size)
            if tensor == self._input or self._wanted in (None, tensor.name):
                self._host[tensor.name] = cuda.pagelocked_empty(tensor.shape, tensor.dtype)
        except cuda.MemoryError as error:
            raise EngineError(f"out of memory: {size:,} bytes were asked for {tensor}: {error}") from error
        address = int(self._memory[tensor.name])
        self._library.checked(self._execution.set_tensor_address(tensor.name, address), f"place {tensor}")

    def submit(self) -> None:
        """Start a run of what was written into the input; until `result`, that must stay as it is."""
        with self._device.current():
            name = self._input.name
            cuda.memcpy_htod_async(self._memory[name], self._host[name], self._stream)
            started = self._execution.execute_async_v3(self._stream.handle)
            if not started:
                self._stream.synchronize()
            self._library.checked(started, "run the engine")
            for name in self.outputs:
                if name in self._host:
                    cuda.memcpy_dtoh_async(self._host[name], self._memory[name], self._stream)

    def result(self) -> NDArray[Any]:
        """Wait for the run; return its output, which the next one overwrites."""
        with self._device.current():
            self._stream.synchronize()
        return self._host[self._wanted or next(iter(self.outputs))]

    def run(self) -> NDArray[Any]:
        """Run the engine; what it returns is overwritten by the next run."""
        self.submit()
        return self.result()

    def run_all(self) -> dict[str, NDArray[Any]]:
        """Run the engine; return copies of all outputs."""
        self.run()
        return {name: self._host[name].copy() for name in self.outputs}

    def free(self) -> None:
        """Free what it holds, in the order that TensorRT asks for; its device must be current."""
        if self._stream is not None:
            self._stream.synchronize()
        self.letterboxes.clear()
        self._host.clear()
        for memory in self._memory.values():
            memory.free()
        self._memory.clear()
        self._execution = None
        self._stream = None


def _checked_input(engine: Any, trt: Any, path: Path) -> tuple[Tensor, tuple[int, int]]:
    """Read the network's input, and its height and width; what may vary takes the least that its profile has."""
    inputs = _names(engine, trt.TensorIOMode.INPUT)
    found = []
    for name in inputs:
        shape, dtype = tuple(engine.get_tensor_shape(name)), _dtype(engine, trt, name)
        found.append(f"{name} {shape} {dtype or engine.get_tensor_dtype(name)}")
        if min(shape, default=0) < 0:
            least, *_ = engine.get_tensor_profile_shape(name, 0)
            shape = tuple(fixed if side < 0 else side for side, fixed in zip(shape, tuple(least), strict=True))
        size = image_size(shape, dtype)
        if len(inputs) == 1 and dtype is not None and size is not None:
            return Tensor(name, shape, dtype), size
    raise not_an_image(path, ", ".join(found))


def _read_outputs(engine: Any, execution: Any, trt: Any) -> dict[str, Tensor]:
    outputs = {}
    for name in _names(engine, trt.TensorIOMode.OUTPUT):
        shape, dtype = tuple(execution.get_tensor_shape(name)), _dtype(engine, trt, name)
        if dtype is None or min(shape, default=0) < 0:
            kind = dtype or engine.get_tensor_dtype(name)
            raise ModelError(f"output {name} is {shape} {kind}, expected a fixed shape and a dtype that NumPy has")
        outputs[name] = Tensor(name, shape, dtype)
    return outputs


def _names(engine: Any, mode: Any) -> list[str]:
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]


def _dtype(engine: Any, trt: Any, name: str) -> np.dtype[Any] | None:
    """Return the dtype of a tensor; None if NumPy has none such."""
    try:
        dtype: np.dtype[Any] = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
    except TypeError:
        return None
    return dtype


_open_backends: WeakSet[TensorRtBackend] = WeakSet()


@atexit.register
def _close_all() -> None:
    for backend in list(_open_backends):
        with suppress(EngineError):
            backend.close()
