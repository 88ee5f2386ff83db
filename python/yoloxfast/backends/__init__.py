"""The runtimes that run networks.

A backend holds one model. Its execution contexts hold the buffers of one run each: a context belongs to one thread at
a time, and a backend lends as many as there are threads that ask at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yoloxfast.errors import ModelError
from yoloxfast.models import find_model
from yoloxfast.tensorrt import BUILDERS, SUFFIXES

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from yoloxfast.backends.head import Head
    from yoloxfast.letterbox import Letterbox
    from yoloxfast.tensorrt.recipe import Precision

__all__ = ["Backend", "ExecutionContext", "open_backend"]

_RUNTIMES = ("onnxruntime", *BUILDERS)


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

    @property
    def device(self) -> Mapping[str, str]:
        """What it runs on: "name", "runtime" with its version; of a GPU also "memory", "driver" and more."""

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""

    def execution_context(self) -> AbstractContextManager[ExecutionContext]:
        """Borrow a context; from any thread."""

    def close(self) -> None:
        """Let go of the model; runs under way end as usual. May be called again."""


def open_backend(
    model: str | os.PathLike[str],
    *,
    backend: str | None = None,
    precision: Precision | None = None,
    cuda_graphs: bool = False,
    device: int = 0,
    threads: int | None = None,
) -> Backend:
    """Open a model, a file or one by name, with the runtime that its suffix or `backend` names.

    An ONNX file that TensorRT shall run is built with that `precision`, "fp32" if that is None, unless it was before.

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
    if backend == "onnxruntime" or (backend is None and Path(model).suffix.lower() not in SUFFIXES):
        if device != 0:
            raise ValueError(f"device is {device}, but ONNX Runtime runs on the CPU here: leave it at 0")
        if cuda_graphs:
            raise ValueError("cuda_graphs is True, but ONNX Runtime runs on the CPU here: leave it out")
        _refuse_precision(precision, "ONNX Runtime computes as the model says")
        from yoloxfast.backends.onnxruntime import OnnxRuntimeBackend

        path = find_model(model)
        if backend is None and path.suffix.lower() != ".onnx":
            raise ModelError(f"{path} has an unknown suffix, expected .onnx, or {', '.join(SUFFIXES)} for an engine")
        return OnnxRuntimeBackend(path, threads=threads)
    if threads is not None:
        raise ValueError(f"threads is {threads}, but those are threads of ONNX Runtime: leave it out for an engine")
    from yoloxfast.tensorrt.backend import TensorRtBackend

    path = find_model(model)
    if path.suffix.lower() == ".onnx" and backend is not None:
        return _built(path, backend, precision, device=device, graphs=cuda_graphs)
    _refuse_precision(precision, "an engine has that which it was built with")
    return TensorRtBackend(path, runtime=backend, device=device, graphs=cuda_graphs)


def _refuse_precision(precision: Precision | None, reason: str) -> None:
    if precision is not None:
        raise ValueError(f"precision is {precision!r}, but {reason}: leave it out")


def _built(model: Path, runtime: str, precision: Precision | None, **options: Any) -> Backend:
    """Open the engine of an ONNX file; one that was kept and cannot be loaded is built again."""
    from yoloxfast.tensorrt.backend import TensorRtBackend
    from yoloxfast.tensorrt.building import EngineBuilder
    from yoloxfast.tensorrt.cache import cached_engine
    from yoloxfast.tensorrt.recipe import Recipe

    recipe = Recipe.checked(precision=precision or "fp32")
    builder = EngineBuilder(runtime, options["device"])
    engine = cached_engine(model, builder, recipe)
    try:
        return TensorRtBackend(engine, runtime=runtime, **options)
    except ModelError:
        engine = cached_engine(model, builder, recipe, rebuild=True)
        return TensorRtBackend(engine, runtime=runtime, **options)
