"""TensorRT and TensorRT-RTX, which no other file imports."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from importlib import import_module
from typing import Any

from yoloxfast.errors import EngineError, missing

__all__ = ["Library", "library"]

_MODULES = {"tensorrt": ("tensorrt",), "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""What each runtime is imported as."""

_WORDS_KEPT = 5
"""Errors of TensorRT's log that an exception repeats."""


class Library:
    """A runtime's module, and the last errors that it logged."""

    def __init__(self, name: str) -> None:
        self.name = name
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


def library(name: str) -> Library:
    """Return the runtime of that name: one per process, as TensorRT logs to the first logger that it was given.

    Raises
    ------
    MissingDependencyError
        It is not installed, or its libraries are not.
    """
    if name not in _known:
        _known.setdefault(name, Library(name))  # no lock: a process forked meanwhile would find it locked forever
    return _known[name]


_known: dict[str, Library] = {}


def _import_runtime(name: str) -> Any:
    *others, last = _MODULES[name]
    for module in others:
        with suppress(ModuleNotFoundError):
            return import_module(module)
    try:
        return import_module(last)
    except ImportError as error:
        raise missing(_MODULES[name][0], error, extra=name) from error
