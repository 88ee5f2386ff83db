"""CUDA by pycuda and TensorRT's modules, which no other file imports.

CUDA is used as PyTorch, CuPy and TensorRT itself use it: the primary context of a device, retained once per process and
pushed around every call, on whichever thread.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from threading import Lock
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from yoloxfast.errors import EngineError, missing

try:
    import pycuda.driver as cuda
except ImportError as error:
    if "libcuda" in str(error):
        raise EngineError(f"no NVIDIA driver on this machine: {error}") from error
    raise missing("pycuda", error, extra="tensorrt") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Device", "Library", "cuda", "forgetting_frames", "library"]

_MODULES = {"tensorrt": ("tensorrt",), "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""What each runtime is imported as."""

_WORDS_KEPT = 5
"""Errors of TensorRT's log that an exception repeats."""


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
        with cls._lock:
            if number not in cls._known:
                try:
                    cuda.init()
                    count = cuda.Device.count()
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

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.compute_capability}, {self.memory / 2**30:.1f} GiB"


class Library:
    """A runtime's module, and the last errors that it logged."""

    def __init__(self, name: str) -> None:
        self.trt = _import_runtime(name)
        self.version = f"{'TensorRT-RTX' if 'rtx' in name else 'TensorRT'} {self.trt.__version__}"
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self.logger = self._make_logger()

    def checked(self, value: Any, what: str) -> Any:
        """Return what TensorRT returned, unless that means that it failed."""
        if value is None or value is False:
            raise EngineError(f"{self.version} could not {what}: {self.words()}")
        return value

    def words(self) -> str:
        """Return, and forget, the errors that were logged."""
        words = []
        with suppress(IndexError):
            while True:
                words.append(self._words.popleft())
        return "; ".join(words) or "it gave no reason"

    def _make_logger(self) -> Any:
        trt, words = self.trt, self._words

        class Logger(trt.ILogger):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                    words.append(message)

        return Logger()


@cache
def library(name: str) -> Library:
    """Return the runtime of that name: one per process, as TensorRT logs to the first logger that it was given."""
    return Library(name)


def _import_runtime(name: str) -> Any:
    *others, last = _MODULES[name]
    for module in others:
        with suppress(ModuleNotFoundError):
            return import_module(module)
    try:
        return import_module(last)
    except ImportError as error:
        raise missing(_MODULES[name][0], error, extra="tensorrt") from error


@contextmanager
def forgetting_frames() -> Iterator[None]:
    """Let an error take none of TensorRT's and CUDA's objects along, to be freed with it when no device is current."""
    try:
        yield
    except BaseException as error:
        links: list[BaseException | None] = [error]
        for link in links:
            if link is not None:
                clear_frames(link.__traceback__)
                links += [link.__cause__, link.__context__]
        raise
