"""TensorRT without its network: what stands for it runs ONNX files on the host, between real streams and memory.

For GPUs that TensorRT does not support: pycuda's side of the backend, and all around the network, are the real ones.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx_engine import ILogger, OnnxEngine, OnnxExecution, TensorIOMode, nptype

if TYPE_CHECKING:
    from collections.abc import Callable


class Runtime:
    def __init__(self, _: ILogger) -> None:
        pass

    def deserialize_cuda_engine(self, plan: memoryview) -> ICudaEngine:
        return ICudaEngine(bytes(plan))


class ICudaEngine(OnnxEngine):
    def create_execution_context(self) -> IExecutionContext:
        return IExecutionContext(self)


class IExecutionContext(OnnxExecution):
    def execute_async_v3(self, stream_handle: int) -> bool:
        import pycuda.driver as cuda

        assert stream_handle != 0
        cuda.Context.synchronize()
        feeds = {name: np.empty(shape, self.engine.dtype_of(name)) for name, shape in self.shapes.items()}
        for name, value in feeds.items():
            cuda.memcpy_dtoh(value, self.addresses[name])
        for name, value in self.engine.run(feeds).items():
            cuda.memcpy_htod(self.addresses[name], np.ascontiguousarray(value))
        return True


def install(set_module: Callable[[str, ModuleType], Any]) -> None:
    """Put it where `import tensorrt` finds it."""
    tensorrt = ModuleType("tensorrt")
    for member in (ILogger, TensorIOMode, Runtime, ICudaEngine, IExecutionContext, nptype):
        setattr(tensorrt, member.__name__, member)
    tensorrt.__version__ = "0, on the host"  # type: ignore[attr-defined]
    set_module("tensorrt", tensorrt)
