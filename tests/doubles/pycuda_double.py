"""A double of `pycuda.driver`, which frees what nothing refers to any more; on the double of a GPU."""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

import gpu_double as gpu

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Error(Exception):
    pass


class LogicError(Error):
    pass


class RuntimeError(Error):  # noqa: A001
    pass


class MemoryError(Error):  # noqa: A001
    pass


class Context(gpu.Context):
    pass


class Device:
    def __init__(self, number: int) -> None:
        self.number = number

    @staticmethod
    def count() -> int:
        return gpu.world.devices

    def name(self) -> str:
        return gpu.world.gpu

    def total_memory(self) -> int:
        return gpu.world.memory

    def compute_capability(self) -> tuple[int, int]:
        return 8, 9

    def retain_primary_context(self) -> gpu.Context:
        return gpu.world.retain(self.number)


class Stream(gpu.Stream):
    def synchronize(self) -> None:
        if gpu.world.fails("synchronize"):
            raise LogicError("cuStreamSynchronize failed: unspecified launch failure")
        super().synchronize()


class DeviceAllocation(gpu.DeviceMemory):
    def __int__(self) -> int:
        return self.number


class PagelockedHostAllocation(gpu.HostMemory):
    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        dtype = np.dtype(dtype)
        super().__init__(int(np.prod(shape)) * dtype.itemsize, str(shape))
        self.__array_interface__ = self.bytes.view(dtype).reshape(shape).__array_interface__


def init() -> None:
    if "init" in gpu.world.refuses:
        raise RuntimeError("cuInit failed: no CUDA-capable device is detected")


def get_driver_version() -> int:
    return 13020


def mem_alloc(size: int) -> DeviceAllocation:
    if not gpu.world.has_memory(size):
        raise MemoryError("cuMemAlloc failed: out of memory")
    return DeviceAllocation(size)


def pagelocked_empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    if "pagelocked" in gpu.world.refuses:
        raise MemoryError("cuMemHostAlloc failed: out of memory")
    return np.asarray(PagelockedHostAllocation(shape, dtype))


def memcpy_htod_async(address: Any, host: NDArray[Any], stream: Stream) -> None:
    gpu.world.current("memcpy_htod_async")
    stream.copy_to_device(int(address), gpu.checked_bytes(host))


def memcpy_dtoh_async(host: NDArray[Any], address: Any, stream: Stream) -> None:
    gpu.world.current("memcpy_dtoh_async")
    stream.copy_to_host(gpu.checked_bytes(host), int(address))


def memcpy_dtoh(host: NDArray[Any], address: int) -> None:
    gpu.world.current("memcpy_dtoh")
    host.reshape(-1).view(np.uint8)[:] = gpu.world.on_device(address, host.nbytes)


def memcpy_htod(address: int, host: NDArray[Any]) -> None:
    gpu.world.current("memcpy_htod")
    gpu.world.on_device(address, host.nbytes)[:] = host.reshape(-1).view(np.uint8)


def module() -> ModuleType:
    """Return what `import pycuda.driver` gives."""
    double = ModuleType("pycuda.driver")
    members: tuple[Any, ...] = (Error, LogicError, RuntimeError, MemoryError, Context, Device, Stream)
    members += (init, get_driver_version, mem_alloc, pagelocked_empty)
    members += (memcpy_htod, memcpy_dtoh, memcpy_htod_async, memcpy_dtoh_async)
    for member in members:
        setattr(double, member.__name__, member)
    assert not issubclass(MemoryError, builtins.MemoryError)
    return double
