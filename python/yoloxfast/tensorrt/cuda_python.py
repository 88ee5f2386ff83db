"""CUDA by cuda-python, which no other file imports; `cuda_graph.py` takes its driver from here.

Its functions return an error and then what they give. It frees nothing by itself.
"""

from __future__ import annotations

import ctypes
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from cuda.bindings import __version__, driver

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NAME",
    "VERSION",
    "Error",
    "OutOfMemoryError",
    "device_count",
    "driver",
    "driver_version",
    "gpu",
    "init",
    "value_of",
]

NAME = "cuda-python"
VERSION: str = __version__

_DEFAULT_FLAGS = 0
"""Those that pycuda uses: a stream that waits for the default one, memory that is page-locked and nothing else."""

_FINDER = "cuGetProcAddress_v2"
"""By which cuda-python finds all others; drivers have it since CUDA 12."""

_MAX_NAME = 256
"""Bytes of a GPU's name that are asked for."""


class Error(Exception):
    """CUDA failed; names the error, and says it in the driver's words."""


class OutOfMemoryError(Error):
    """Memory is short."""


def value_of(returned: tuple[Any, ...]) -> Any:
    """Return what a function of the driver gave, or raise its error."""
    error, *values = returned
    if error == driver.CUresult.CUDA_SUCCESS:
        return values[0] if values else None
    _, words = driver.cuGetErrorString(error)
    message = ", ".join((error.name, *([words.decode()] if words else [])))
    raise OutOfMemoryError(message) if error == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY else Error(message)


def init() -> None:
    """Load the driver; cuda-python raises a built-in RuntimeError if there is none."""
    try:
        value_of(driver.cuInit(0))
    except RuntimeError as error:
        if _FINDER not in str(error):
            raise
        raise Error(f"the driver is too old for {NAME} {VERSION} ({error}): update the driver") from error


def device_count() -> int:
    """Count the GPUs."""
    return int(value_of(driver.cuDeviceGetCount()))


def driver_version() -> int:
    """Return the newest CUDA that the driver knows."""
    return int(value_of(driver.cuDriverGetVersion()))


class Memory:
    """Memory of a GPU."""

    def __init__(self, size: int) -> None:
        self.address = int(value_of(driver.cuMemAlloc(size)))

    def free(self) -> None:
        """Free it."""
        value_of(driver.cuMemFree(self.address))


class HostArray:
    """An array in page-locked memory."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        size = max(1, prod(shape) * dtype.itemsize)
        self._address: int = value_of(driver.cuMemHostAlloc(size, _DEFAULT_FLAGS))
        memory: Any = (ctypes.c_uint8 * size).from_address(self._address)
        self.array: NDArray[Any] = np.frombuffer(memory, dtype, prod(shape)).reshape(shape)

    def free(self) -> None:
        """Free it, also if views of it are left."""
        del self.array
        value_of(driver.cuMemFreeHost(self._address))


class Stream:
    """A stream."""

    def __init__(self) -> None:
        self._stream = value_of(driver.cuStreamCreate(_DEFAULT_FLAGS))
        self.handle = int(self._stream)

    def copy_to_device(self, address: int, source: NDArray[Any]) -> None:
        """Copy an array to a GPU."""
        value_of(driver.cuMemcpyHtoDAsync(address, source.ctypes.data, source.nbytes, self._stream))

    def copy_to_host(self, target: NDArray[Any], address: int) -> None:
        """Fill an array from a GPU."""
        value_of(driver.cuMemcpyDtoHAsync(target.ctypes.data, address, target.nbytes, self._stream))

    def is_done(self) -> bool:
        """Whether its work is done, or has failed."""
        (error,) = driver.cuStreamQuery(self._stream)
        return bool(error != driver.CUresult.CUDA_ERROR_NOT_READY)

    def synchronize(self) -> None:
        """Wait for its work."""
        value_of(driver.cuStreamSynchronize(self._stream))

    def free(self) -> None:
        """Free it."""
        value_of(driver.cuStreamDestroy(self._stream))


class Gpu:
    """A GPU and its primary context."""

    def __init__(self, number: int) -> None:
        device = value_of(driver.cuDeviceGet(number))
        name: bytes = value_of(driver.cuDeviceGetName(_MAX_NAME, device))
        self.name = name.partition(b"\0")[0].decode()
        self.memory = int(value_of(driver.cuDeviceTotalMem(device)))
        attributes = driver.CUdevice_attribute
        major, minor = (
            int(value_of(driver.cuDeviceGetAttribute(attribute, device)))
            for attribute in (
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        self.compute_capability = (major, minor)
        self._context = value_of(driver.cuDevicePrimaryCtxRetain(device))

    def push(self) -> None:
        """Make its context current."""
        value_of(driver.cuCtxPushCurrent(self._context))

    def pop(self) -> None:
        """Make current what was before."""
        value_of(driver.cuCtxPopCurrent())

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
