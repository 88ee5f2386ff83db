"""A double of `tensorrt` that runs ONNX files by ONNX Runtime, on the double of a GPU."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

import cuda_double
import gpu_double as gpu
import pycuda_double
import tensorrt_builder_double as builder
from gpu_double import Resource, World, new_world
from onnx_engine import ILogger, OnnxEngine, OnnxExecution, TensorIOMode, nptype
from tensorrt_builder_double import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


VERSION = "10.16.1"


class Runtime(Resource):
    def __init__(self, logger: ILogger) -> None:
        super().__init__("a runtime")
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes | memoryview) -> ICudaEngine | None:
        gpu.world.current("deserialize_cuda_engine")
        content = bytes(plan)
        if content.startswith(HEADER):
            return ICudaEngine(self, content)
        self.logger.log(ILogger.Severity.WARNING, "a warning")
        self.logger.log(ILogger.Severity.ERROR, "the plan was not written by the double")
        return None


class ICudaEngine(OnnxEngine, Resource):
    def __init__(self, runtime: Runtime, plan: bytes) -> None:
        Resource.__init__(self, "an engine")
        OnnxEngine.__init__(self, plan)
        self._runtime = runtime
        self._contexts = 0

    def create_execution_context(self) -> IExecutionContext | None:
        if "context" in gpu.world.refuses:
            return None
        self._contexts += 1
        return IExecutionContext(self)

    def end(self) -> None:
        if self._contexts:
            self.world.breach("an engine is freed before its execution contexts")
        super().end()


class IExecutionContext(OnnxExecution, Resource):
    engine: Any

    def __init__(self, engine: ICudaEngine) -> None:
        Resource.__init__(self, "an execution context")
        OnnxExecution.__init__(self, engine)
        self._busy = False
        self._runs = 0

    def set_tensor_address(self, name: str, address: int) -> bool:
        return super().set_tensor_address(name, address) and "address" not in gpu.world.refuses

    def execute_async_v3(self, stream_handle: int) -> bool:
        world, engine = gpu.world, self.engine
        world.current("execute_async_v3")
        if "execute" in world.refuses:
            engine._runtime.logger.log(ILogger.Severity.ERROR, "the double was told to refuse")  # noqa: SLF001
            return False
        problems = {
            "no stream, or the default one": stream_handle not in world.streams,
            "a tensor without address": len(self.addresses) < engine.num_io_tensors,
            "an input without shape": len(self.shapes) < len(engine.inputs),
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
        for name, shape in self.shapes.items():
            dtype = self.engine.dtype_of(name)
            memory = gpu.world.device_memory[self.addresses[name]]
            feeds[name] = memory[: int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
        for name, value in self.engine.run(feeds).items():
            memory = gpu.world.device_memory[self.addresses[name]]
            memory[: value.nbytes] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        self._busy = False

    def end(self) -> None:
        if self.engine is not None:
            self.engine._contexts -= 1  # noqa: SLF001
            self.engine = None
        super().end()


def forget_runtime() -> None:
    """Have the modules imported again that import TensorRT."""
    for module in ("backend", "library", "building"):
        sys.modules.pop(f"yoloxfast.tensorrt.{module}", None)


def forget_backend() -> None:
    """Have the modules imported again that import TensorRT or CUDA, as a new process would."""
    forget_runtime()
    gpu.world.retained.clear()
    for module in ("context", "cuda", "pycuda", "cuda_python", "cuda_graph"):
        sys.modules.pop(f"yoloxfast.tensorrt.{module}", None)


@contextmanager
def doubles(set_module: Callable[[str, ModuleType | None], None], binding: str) -> Iterator[World]:
    """Have the backend use the doubles; at the end nothing is left on the GPU, and no rule was broken."""
    world = install(set_module, binding)
    forget_backend()
    yield world
    gc.collect()
    world.check()
    forget_backend()


def install(set_module: Callable[[str, ModuleType | None], None], binding: str) -> World:
    """Put the doubles where `import` finds them, by `set_module(name, module)`, and return a new world.

    cuda-python is always there, as CUDA graphs need it; pycuda unless `binding` is "cuda-python".
    """
    tensorrt, pycuda, driver = ModuleType("tensorrt"), ModuleType("pycuda"), pycuda_double.module()
    cuda, bindings, cuda_driver = ModuleType("cuda"), ModuleType("cuda.bindings"), cuda_double.module()
    cuda.bindings = bindings  # type: ignore[attr-defined]
    bindings.driver = cuda_driver  # type: ignore[attr-defined]
    bindings.__version__ = cuda_double.VERSION  # type: ignore[attr-defined]
    members = (ILogger, TensorIOMode, Runtime, ICudaEngine, IExecutionContext, nptype, *builder.MEMBERS)
    for member in members:
        setattr(tensorrt, member.__name__, member)
    tensorrt.__version__ = VERSION  # type: ignore[attr-defined]
    pycuda.VERSION_TEXT = "2026.1"  # type: ignore[attr-defined]
    pycuda.driver = driver  # type: ignore[attr-defined]
    for module in (tensorrt, cuda, bindings, cuda_driver, pycuda, driver):
        set_module(module.__name__, module)
    absent = ("pycuda", "pycuda.driver") if binding == "cuda-python" else ()
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings", *absent):
        set_module(name, None)
    return new_world(binding)
