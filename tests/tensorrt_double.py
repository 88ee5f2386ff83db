"""A double of `tensorrt` that runs ONNX files by ONNX Runtime, on the double of a GPU."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

import cuda_double
import pycuda_double as gpu
import tensorrt_builder_double as builder
from pycuda_double import Resource, World, new_world
from tensorrt_builder_double import HEADER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

VERSION = "10.16.1"

KINDS = {"tensor(float)": "FLOAT", "tensor(float16)": "HALF", "tensor(uint8)": "UINT8", "tensor(bfloat16)": "BF16"}
DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}
BATCHES = "1:4:8"
"""The only profile of engines that are put together by hand."""


class TensorIOMode:
    INPUT, OUTPUT = "INPUT", "OUTPUT"


class ILogger:
    class Severity:
        INTERNAL_ERROR, ERROR, WARNING = range(3)

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


class Runtime(Resource):
    def __init__(self, logger: ILogger) -> None:
        super().__init__("a runtime")
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes | memoryview) -> ICudaEngine | None:
        gpu.world.current("deserialize_cuda_engine")
        content = bytes(plan)
        if content.startswith(HEADER):
            return ICudaEngine(self, content[len(HEADER) :])
        self.logger.log(ILogger.Severity.WARNING, "a warning")
        self.logger.log(ILogger.Severity.ERROR, "the plan was not written by the double")
        return None


class ICudaEngine(Resource):
    def __init__(self, runtime: Runtime, model: bytes) -> None:
        super().__init__("an engine")
        self._runtime = runtime
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._inputs = {tensor.name: tensor for tensor in self._session.get_inputs()}
        self._outputs = {tensor.name: tensor for tensor in self._session.get_outputs()}
        self._contexts = 0

    @property
    def num_io_tensors(self) -> int:
        return len(self._inputs) + len(self._outputs)

    def get_tensor_name(self, number: int) -> str:
        names: list[str] = [*self._outputs, *self._inputs]
        return names[number]

    def get_tensor_mode(self, name: str) -> str:
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(side if isinstance(side, int) else -1 for side in self._tensor(name).shape)

    def get_tensor_dtype(self, name: str) -> str:
        return KINDS[self._tensor(name).type]

    def get_tensor_profile_shape(self, name: str, _: int) -> list[tuple[int, ...]]:
        shape = self.get_tensor_shape(name)
        profile = self._session.get_modelmeta().custom_metadata_map.get(PROFILE, BATCHES)
        return [tuple(int(batch) if side < 0 else side for side in shape) for batch in profile.split(":")]

    def create_execution_context(self) -> IExecutionContext | None:
        if "context" in gpu.world.refuses:
            return None
        self._contexts += 1
        return IExecutionContext(self)

    def end(self) -> None:
        if self._contexts:
            self.world.breach("an engine is freed before its execution contexts")
        super().end()

    def _tensor(self, name: str) -> Any:
        return (self._inputs | self._outputs)[name]

    def _dtype(self, name: str) -> Any:
        return np.dtype(nptype(self.get_tensor_dtype(name)))

    def _run(self, feeds: Arrays) -> Arrays:
        return dict(zip(self._outputs, self._session.run(list(self._outputs), feeds), strict=True))


class IExecutionContext(Resource):
    def __init__(self, engine: Any) -> None:
        super().__init__("an execution context")
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._busy = False
        self._runs = 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, most = self._engine.get_tensor_profile_shape(name, 0)
        self._shapes[name] = tuple(shape)
        return all(low <= side <= high for low, side, high in zip(least, shape, most, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        feeds = {key: np.zeros(shape, self._engine._dtype(key)) for key, shape in self._shapes.items()}  # noqa: SLF001
        shape: tuple[int, ...] = self._engine._run(feeds)[name].shape  # noqa: SLF001
        return shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return "address" not in gpu.world.refuses

    def execute_async_v3(self, stream_handle: int) -> bool:
        world, engine = gpu.world, self._engine
        world.current("execute_async_v3")
        if "execute" in world.refuses:
            engine._runtime.logger.log(ILogger.Severity.ERROR, "the double was told to refuse")  # noqa: SLF001
            return False
        problems = {
            "no stream, or the default one": stream_handle not in world.streams,
            "a tensor without address": len(self._addresses) < engine.num_io_tensors,
            "an input without shape": len(self._shapes) < len(engine._inputs),  # noqa: SLF001
            "a run is recorded before the first one": self._runs == 0 and self._is_recorded(stream_handle),
        }
        for problem, is_there in problems.items():
            if is_there:
                world.breach(problem)
                return False
        if "graph" in world.refuses and self._is_recorded(stream_handle):
            return False
        world.streams[stream_handle].put(self._start)
        return True

    @staticmethod
    def _is_recorded(stream_handle: int) -> bool:
        stream = gpu.world.streams.get(stream_handle)
        return stream is not None and stream.recorded is not None

    def _start(self) -> Callable[[], None]:
        if self._busy:
            gpu.world.breach("one execution context is used by two calls at once")
        self._busy = True
        self._runs += 1
        return self._execute

    def _execute(self) -> None:
        feeds = {}
        for name, shape in self._shapes.items():
            dtype = self._engine._dtype(name)  # noqa: SLF001
            memory = gpu.world.device_memory[self._addresses[name]]
            feeds[name] = memory[: int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
        for name, value in self._engine._run(feeds).items():  # noqa: SLF001
            memory = gpu.world.device_memory[self._addresses[name]]
            memory[: value.nbytes] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        self._busy = False

    def end(self) -> None:
        if self._engine is not None:
            self._engine._contexts -= 1  # noqa: SLF001
            self._engine = None
        super().end()


def nptype(kind: str) -> Any:
    if kind not in DTYPES:
        raise TypeError(f"could not resolve {kind} to a NumPy dtype")
    return DTYPES[kind]


def engine_of(model: Path, path: Path) -> Path:
    """Write an engine of the double, as `trtexec` would: without metadata."""
    path.write_bytes(HEADER + model.read_bytes())
    return path


def forget_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the modules imported again that import the doubles."""
    for module in ("tensorrt", "tensorrt_context", "nvidia", "graphs", "library"):
        monkeypatch.delitem(sys.modules, f"yoloxfast.backends.{module}", raising=False)
    monkeypatch.delitem(sys.modules, "yoloxfast.engines.building", raising=False)


def install(set_module: Callable[[str, ModuleType | None], None]) -> World:
    """Put the doubles where `import` finds them, by `set_module(name, module)`, and return a new world."""
    tensorrt, pycuda, driver = ModuleType("tensorrt"), ModuleType("pycuda"), gpu.module()
    bindings, graphs = ModuleType("cuda.bindings"), cuda_double.module()
    bindings.driver = graphs  # type: ignore[attr-defined]
    members = (ILogger, TensorIOMode, Runtime, ICudaEngine, IExecutionContext, nptype, *builder.MEMBERS)
    for member in members:
        setattr(tensorrt, member.__name__, member)
    tensorrt.__version__ = VERSION  # type: ignore[attr-defined]
    pycuda.VERSION_TEXT = "2026.1"  # type: ignore[attr-defined]
    pycuda.driver = driver  # type: ignore[attr-defined]
    for module in (tensorrt, pycuda, driver, ModuleType("cuda"), bindings, graphs):
        set_module(module.__name__, module)
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        set_module(name, None)
    return new_world()
