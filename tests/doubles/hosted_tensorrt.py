"""TensorRT without its network: what stands for it runs ONNX files on the host, between real streams and memory.

For GPUs that TensorRT does not support: CUDA's side of the backend, and all around the network, are the real ones.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onnx_engine import ILogger, OnnxEngine, OnnxExecution, TensorIOMode, nptype

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


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
        assert stream_handle != 0
        copies = copies_by_pycuda() if is_pycuda_there() else copies_by_cuda_python()
        feeds = {name: np.empty(shape, self.engine.dtype_of(name)) for name, shape in self.shapes.items()}
        for name, value in feeds.items():
            copies.to_host(value, self.addresses[name])
        for name, value in self.engine.run(feeds).items():
            copies.to_device(self.addresses[name], np.ascontiguousarray(value))
        return True


class Copies(NamedTuple):
    """Copies that are done when the call returns."""

    to_host: Callable[[NDArray[Any], int], object]
    to_device: Callable[[int, NDArray[Any]], object]


def is_pycuda_there() -> bool:
    try:
        import pycuda  # noqa: F401
    except ImportError:
        return False
    return True


def copies_by_pycuda() -> Copies:
    """Wait for all work, and return pycuda's copies."""
    import pycuda.driver as cuda

    cuda.Context.synchronize()
    return Copies(cuda.memcpy_dtoh, cuda.memcpy_htod)


def copies_by_cuda_python() -> Copies:
    """Wait for all work, and return cuda-python's copies."""
    from cuda.bindings import driver

    def succeed(returned: tuple[Any, ...]) -> None:
        assert returned[0] == driver.CUresult.CUDA_SUCCESS, returned

    succeed(driver.cuCtxSynchronize())
    return Copies(
        lambda host, address: succeed(driver.cuMemcpyDtoH(host.ctypes.data, address, host.nbytes)),
        lambda address, host: succeed(driver.cuMemcpyHtoD(address, host.ctypes.data, host.nbytes)),
    )


def install(set_module: Callable[[str, ModuleType], Any]) -> None:
    """Put it where `import tensorrt` finds it."""
    tensorrt = ModuleType("tensorrt")
    for member in (ILogger, TensorIOMode, Runtime, ICudaEngine, IExecutionContext, nptype):
        setattr(tensorrt, member.__name__, member)
    tensorrt.__version__ = "0, on the host"  # type: ignore[attr-defined]
    set_module("tensorrt", tensorrt)
