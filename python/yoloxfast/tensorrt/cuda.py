"""The few calls of CUDA that engines need, by pycuda or by cuda-python.

pycuda comes first. It has to be compiled; where it is not installed, the same calls go through cuda-python, which has
wheels. What both have in common stands here, once: which GPU is used, its context, and what errors say. CUDA is used as
PyTorch, CuPy and TensorRT itself use it: the primary context of a GPU, retained once per process and pushed around
every call, on whichever thread. Streams and memory are freed by calls, never by garbage collection, because they have
to be freed with that context current.
"""

from __future__ import annotations

import operator
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.errors import EngineError, MissingDependencyError, how_to_install, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yoloxfast.tensorrt.binding import Binding, HostArray, Memory, Stream

__all__ = ["Device"]


class Device:
    """A GPU and its primary context, retained once per process: `Device.numbered` returns it.

    pycuda leaks memory that is freed under another retained object, even one of the same context.

    Attributes
    ----------
    process : int
        Number of the process that may use it.
    name : str
        What NVIDIA calls it.
    memory : int
        Bytes of memory that it has.
    compute_capability : str
        As "8.9".
    """

    _known: dict[int, Device] = {}  # noqa: RUF012
    _lock = Lock()

    def __init__(self, number: int, binding: Binding) -> None:
        self.process = os.getpid()
        self._binding = binding
        self._driver = binding.driver_version()
        self._gpu = binding.gpu(number)
        self.name = self._gpu.name
        self.memory = self._gpu.memory
        self.compute_capability = "{}.{}".format(*self._gpu.compute_capability)

    @classmethod
    def numbered(cls, number: int, *, extra: str) -> Device:
        """Return the GPU of that number, always the same object.

        Parameters
        ----------
        number : int
            From 0 on.
        extra : {"tensorrt", "tensorrt-rtx"}
            The extra of yoloxfast that brings all that is needed, for the message if a package is missing.

        Raises
        ------
        TypeError, ValueError
            This is not the number of a GPU.
        EngineError
            There is no driver or no GPU.
        MissingDependencyError
            Neither pycuda nor cuda-python is installed, or the one that is cannot be imported.
        """
        try:
            number = operator.index(number)
        except TypeError:
            raise TypeError(f"device must be the number of a GPU, got {number!r}") from None
        with cls._lock:
            if number not in cls._known:
                cls._known[number] = cls._opened(number, _binding(extra))
            return cls._known[number]

    @classmethod
    def unlock(cls) -> None:
        """Let a process that was forked not wait for a thread that it does not have."""
        cls._lock = Lock()

    @classmethod
    def _opened(cls, number: int, binding: Binding) -> Device:
        try:
            try:
                binding.init()
            except RuntimeError as error:
                raise _no_driver(error) from error
            count = binding.device_count()
            if count == 0:
                raise EngineError(f"no NVIDIA GPU can be used: the driver finds none{_visible()}")
            if number not in range(count):
                gpus = "NVIDIA GPU" if count == 1 else "NVIDIA GPUs"
                raise ValueError(
                    f"device is {number}, but this machine has {count} {gpus}, numbered from 0{_visible()}"
                )
            return cls(number, binding)
        except binding.Error as error:
            raise EngineError(f"no NVIDIA GPU can be used: {error}{_visible()}") from error

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make its context current on this thread.

        Raises
        ------
        EngineError
            CUDA failed, at whatever is done meanwhile; or this process was forked from the one that used CUDA.
        """
        if os.getpid() != self.process:
            raise EngineError(
                "CUDA does not survive a fork, and this process was forked from one that used it: start processes by"
                " 'spawn', or make the detector in this one"
            )
        try:
            self._gpu.push()
            try:
                yield
            finally:
                self._gpu.pop()
        except self._binding.Error as error:
            raise EngineError(f"CUDA failed: {error}") from error

    def stream(self) -> Stream:
        """Make a stream; the device must be current, as for what follows."""
        return self._gpu.stream()

    def allocate(self, size: int, purpose: object) -> Memory:
        """Allocate `size` bytes on the GPU; if memory is short, an EngineError names the purpose."""
        with self._enough_memory(size, purpose):
            return self._gpu.allocate(size)

    def page_locked(self, shape: tuple[int, ...], dtype: np.dtype[Any], purpose: object) -> HostArray:
        """Allocate an array on the host; if memory is short, an EngineError names the purpose."""
        with self._enough_memory(int(np.prod(shape)) * dtype.itemsize, purpose):
            return self._gpu.page_locked(shape, dtype)

    @contextmanager
    def _enough_memory(self, size: int, purpose: object) -> Iterator[None]:
        try:
            yield
        except self._binding.OutOfMemoryError as error:
            raise EngineError(f"out of memory: {size:,} bytes were asked for {purpose}: {error}") from error

    @property
    def kind(self) -> str:
        """What an engine is built for."""
        return f"{self.name}, compute capability {self.compute_capability}"

    @property
    def facts(self) -> dict[str, str]:
        """Facts for reports; the last one is the version of the binding, by its name."""
        major, minor = divmod(self._driver // 10, 100)
        return {
            "name": self.name,
            "compute capability": self.compute_capability,
            "memory": f"{self.memory / 2**30:.1f} GiB",
            "driver": f"for CUDA {major}.{minor}",
            self._binding.NAME: self._binding.VERSION,
        }

    def __str__(self) -> str:
        return ", ".join((self.kind, self.facts["memory"]))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Device.unlock)


def _binding(extra: str) -> Binding:
    """Import pycuda, or cuda-python if that is not installed."""
    try:
        import yoloxfast.tensorrt.pycuda as binding
    except ImportError as error:
        if "undefined symbol: cu" in str(error):
            raise EngineError(
                f"the NVIDIA driver is too old for this pycuda ({error}): update the driver, or compile pycuda with the"
                " headers of an older CUDA"
            ) from error
        if "libcuda" in str(error):
            raise _no_driver(error) from error
        if not isinstance(error, ModuleNotFoundError) or error.name != "pycuda":
            raise MissingDependencyError(
                f"pycuda cannot be imported ({error}): install it again; or uninstall it and use cuda-python:"
                f" {how_to_install('cuda-python')}",
                name="pycuda",
            ) from error
    else:
        return binding
    try:
        import yoloxfast.tensorrt.cuda_python as other
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"neither pycuda nor cuda-python is installed: {how_to_install(extra)}", name="pycuda"
        ) from error
    except ImportError as error:
        raise missing("cuda-python", error, extra="cuda-python") from error
    return other


def _visible() -> str:
    """Return the end of a message: which GPUs CUDA was told to use, if it was told."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if visible is None else f"; CUDA_VISIBLE_DEVICES is {visible!r}"


def _no_driver(error: Exception) -> EngineError:
    return EngineError(f"no NVIDIA driver on this machine: {error}")
