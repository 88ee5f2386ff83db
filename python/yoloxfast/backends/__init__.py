"""The runtimes that run networks.

A backend holds one model. Its execution contexts hold the buffers of one run each: a context belongs to one thread at
a time, and a backend lends as many as there are threads that ask at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yoloxfast.errors import ModelError
from yoloxfast.models import find_model

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from yoloxfast.head import Head
    from yoloxfast.preprocessing import Letterbox

__all__ = ["Backend", "ExecutionContext", "open_backend"]

_ENGINES = (".engine", ".plan", ".trt")
_RUNTIMES = ("onnxruntime", "tensorrt", "tensorrt-rtx")


class ExecutionContext(Protocol):
    """The buffers of one run."""

    @property
    def letterboxes(self) -> Sequence[Letterbox]:
        """Write images into the network's input, each into its place in the batch."""

    def run(self) -> NDArray[Any]:
        """Run the network.

        Returns
        -------
        ndarray of float32 or float16, (batch, anchors, 5 + classes)
            Borrowed: the next run overwrites it.
        """


class Backend(Protocol):
    """One model in one runtime."""

    name: str
    """Name of the runtime, as in `Detector(..., backend=name)`."""

    head: Head
    """What the network puts out."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model file says of itself."""

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""

    def execution_context(self) -> AbstractContextManager[ExecutionContext]:
        """Borrow a context; from any thread."""

    def close(self) -> None:
        """Let go of the model; runs under way end as usual. May be called again."""


def open_backend(
    model: str | os.PathLike[str], *, backend: str | None = None, device: int = 0, threads: int | None = None
) -> Backend:
    """Open a model, a file or one by name, with the runtime that its suffix or `backend` names.

    Raises
    ------
    ModelError
        Not a model that this runtime can run, or not a YOLOX.
    ValueError
        An unknown runtime, or an option that it does not have.
    FileNotFoundError
        There is no such file.
    MissingDependencyError
        The runtime is not installed; that is found out before anything is downloaded.
    ConnectionError
        An official model could not be downloaded.
    """
    if backend not in (None, *_RUNTIMES):
        raise ValueError(f"unknown backend {backend!r}, expected {', '.join(map(repr, _RUNTIMES))}")
    if backend == "onnxruntime" or (backend is None and Path(model).suffix.lower() not in _ENGINES):
        if device != 0:
            raise ValueError(f"device is {device}, but ONNX Runtime runs on the CPU here: leave it at 0")
        from yoloxfast.backends.onnxruntime import OnnxRuntimeBackend

        path = find_model(model)
        if backend is None and path.suffix.lower() != ".onnx":
            raise ModelError(f"{path} has an unknown suffix, expected .onnx, or {', '.join(_ENGINES)} for an engine")
        return OnnxRuntimeBackend(path, threads=threads)
    if threads is not None:
        raise ValueError(f"threads is {threads}, but those are threads of ONNX Runtime: leave it out for an engine")
    from yoloxfast.backends.tensorrt import TensorRtBackend

    path = find_model(model)
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path} is an ONNX file, expected an engine that was built of one, by trtexec for example")
    return TensorRtBackend(path, runtime=backend or "tensorrt", device=device)
