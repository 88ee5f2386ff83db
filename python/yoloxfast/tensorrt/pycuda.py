"""CUDA by pycuda, which no other file imports."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import pycuda
import pycuda.driver as cuda

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NAME", "VERSION", "Error", "OutOfMemoryError", "device_count", "driver_version", "gpu", "init"]

NAME = "pycuda"
VERSION: str = pycuda.VERSION_TEXT

Error: type[Exception] = cuda.Error
OutOfMemoryError: type[Exception] = cuda.MemoryError

init = cuda.init
device_count = cuda.Device.count
driver_version = cuda.get_driver_version


class Memory:
    """Memory of a GPU."""

    def __init__(self, size: int) -> None:
        self._allocation = cuda.mem_alloc(size)
        self.address = int(self._allocation)

    def free(self) -> None:
        """Free it."""
        self._allocation.free()


class HostArray:
    """An array in page-locked memory."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        size = prod(shape)
        values: NDArray[Any] = cuda.pagelocked_empty(max(1, size), dtype)  # the driver allocates no empty memory
        self._allocation: Any = values.base
        self.array = values[:size].reshape(shape)

    def free(self) -> None:
        """Free it, also if views of it are left."""
        del self.array
        self._allocation.free()


class Stream:
    """A stream."""

    def __init__(self) -> None:
        self._stream = cuda.Stream()
        self.handle: int = self._stream.handle

    def copy_to_device(self, address: int, source: NDArray[Any]) -> None:
        """Copy an array to a GPU."""
        cuda.memcpy_htod_async(address, source, self._stream)

    def copy_to_host(self, target: NDArray[Any], address: int) -> None:
        """Fill an array from a GPU."""
        cuda.memcpy_dtoh_async(target, address, self._stream)

    def is_done(self) -> bool:
        """Whether its work is done, or has failed."""
        try:
            return bool(self._stream.is_done())
        except Error:
            return True

    def synchronize(self) -> None:
        """Wait for its work."""
        self._stream.synchronize()

    def free(self) -> None:
        """Free it: pycuda frees a stream when nothing refers to it, and only this object does."""
        del self._stream


class Gpu:
    """A GPU and its primary context."""

    def __init__(self, number: int) -> None:
        device = cuda.Device(number)
        self.name: str = device.name()
        self.memory: int = device.total_memory()
        self.compute_capability: tuple[int, int] = device.compute_capability()
        self._context = device.retain_primary_context()

    def push(self) -> None:
        """Make its context current."""
        self._context.push()

    def pop(self) -> None:
        """Make current what was before."""
        cuda.Context.pop()

    def stream(self) -> Stream:
        """Make a stream."""
        return Stream()

    def allocate(self, size: int) -> Memory:
        """Allocate bytes."""
        return Memory(size)

    def page_locked(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> HostArray:
        """Allocate an array."""
        return HostArray(shape, dtype)


gpu = Gpu
