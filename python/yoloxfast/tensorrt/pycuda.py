"""CUDA by pycuda, which no other file imports.

It is used as PyTorch, CuPy and TensorRT itself use it: the primary context of a device, retained once per process and
pushed around every call, on whichever thread.
"""

from __future__ import annotations

import operator
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from yoloxfast.errors import EngineError, missing

try:
    import pycuda
    import pycuda.driver as cuda
except ImportError as error:
    if "libcuda" in str(error):
        raise EngineError(f"no NVIDIA driver on this machine: {error}") from error
    raise missing("pycuda", error, extra="cuda") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Device", "cuda"]


class Device:
    """A GPU and its primary context, retained once per process.

    Memory that is freed under another retained object, even of the same context, leaks.
    """

    _known: dict[int, Device] = {}  # noqa: RUF012
    _lock = Lock()

    def __init__(self, number: int) -> None:
        device = cuda.Device(number)
        self.process = os.getpid()
        self.name: str = device.name()
        self.memory: int = device.total_memory()
        self.compute_capability = "{}.{}".format(*device.compute_capability())
        self._context = device.retain_primary_context()

    @classmethod
    def numbered(cls, number: int) -> Device:
        """Return the GPU of that number, always the same object."""
        try:
            number = operator.index(number)
        except TypeError:
            raise TypeError(f"device must be the number of a GPU, got {number!r}") from None
        with cls._lock:
            if number not in cls._known:
                try:
                    cuda.init()
                    count = cuda.Device.count()
                    if count == 0:
                        raise EngineError("no NVIDIA GPU can be used: the driver finds none")
                    if number not in range(count):
                        raise ValueError(f"device is {number}, but of NVIDIA GPUs there are {count}, counted from 0")
                    cls._known[number] = cls(number)
                except cuda.Error as error:
                    raise EngineError(f"no NVIDIA GPU can be used: {error}") from error
            return cls._known[number]

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make its context that of this thread."""
        if os.getpid() != self.process:
            raise EngineError(
                "CUDA does not survive a fork, and this process was forked from one that used it: start processes by"
                " 'spawn', or make the detector in this one"
            )
        try:
            self._context.push()
            try:
                yield
            finally:
                cuda.Context.pop()
        except cuda.Error as error:
            raise EngineError(f"CUDA failed: {error}") from error

    @property
    def kind(self) -> str:
        """What an engine is built for."""
        return f"{self.name}, compute capability {self.compute_capability}"

    @property
    def facts(self) -> dict[str, str]:
        """Facts for reports."""
        major, minor = divmod(cuda.get_driver_version() // 10, 100)
        return {
            "name": self.name,
            "compute capability": self.compute_capability,
            "memory": f"{self.memory / 2**30:.1f} GiB",
            "driver": f"for CUDA {major}.{minor}",
            "pycuda": pycuda.VERSION_TEXT,
        }

    def __str__(self) -> str:
        return ", ".join((self.kind, self.facts["memory"]))
