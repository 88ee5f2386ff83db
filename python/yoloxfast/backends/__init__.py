"""The runtimes that run networks, by name and by the suffixes of their files. Each is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

from yoloxfast.backends.head import Hints
from yoloxfast.backends.network import Network
from yoloxfast.errors import ModelError
from yoloxfast.models import ModelFile, checked_path, find_model

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    from yoloxfast.backends.backend import Backend

    Provider: TypeAlias = str | tuple[str, Mapping[str, Any]]
    """An execution provider as ONNX Runtime takes it: its name, or that and its options."""

__all__ = ["NAMES", "OPTIONS", "Hints", "Network", "open_network", "run_onnx"]


class _Runtime(NamedTuple):
    title: str
    module: str
    backend: str
    suffixes: tuple[str, ...]


_ENGINE = (".engine", ".plan", ".trt")

_RUNTIMES = {
    "onnxruntime": _Runtime("ONNX Runtime", "yoloxfast.backends.onnxruntime", "OnnxRuntimeBackend", (".onnx", ".ort")),
    "openvino": _Runtime("OpenVINO", "yoloxfast.backends.openvino", "OpenVinoBackend", (".xml", ".onnx")),
    "tensorrt": _Runtime("TensorRT", "yoloxfast.tensorrt.backend", "TensorRtBackend", (*_ENGINE, ".onnx")),
    "tensorrt-rtx": _Runtime("TensorRT-RTX", "yoloxfast.tensorrt.backend", "TensorRtBackend", (*_ENGINE, ".onnx")),
}

_DEFAULTS: dict[str, str] = {}
"""The runtime of each suffix: the first that takes it."""
for _name, _runtime in _RUNTIMES.items():
    for _suffix in _runtime.suffixes:
        _DEFAULTS.setdefault(_suffix, _name)

_NO_HINTS = Hints()

NAMES = tuple(_RUNTIMES)
"""Names of the runtimes, as in `Detector(..., backend=name)`."""

OPTIONS = {"precision": None, "cuda_graphs": False, "device": 0, "threads": None, "providers": None}
"""Options that some runtimes have, and the values that say nothing."""


def open_network(
    model: str | os.PathLike[str], *, backend: str | None = None, hints: Hints = _NO_HINTS, **options: Any
) -> Network:
    """Open a model, a file or one by name, in the runtime that `backend` or else its suffix names.

    A runtime has the options that its backend's constructor takes. One that is several runtimes also takes `runtime`,
    which is `backend`.

    Parameters
    ----------
    model : str or path
    backend : str, optional
        One of `NAMES`.
    hints : Hints, optional
        What the user says of its input and outputs.
    **options
        Some of `OPTIONS`.

    Raises
    ------
    ModelError
        Not a model that this runtime can run, or not a YOLOX, or one that asks for more than `yoloxfast.limits` allow.
    ValueError
        An unknown runtime, or an option that it does not have.
    FileNotFoundError
        There is no such file.
    MissingDependencyError
        The runtime is not installed; that is found out before anything is downloaded.
    EngineError
        The runtime failed.
    ConnectionError
        An official model could not be downloaded.
    """
    if backend is not None and backend not in _RUNTIMES:
        raise ValueError(f"unknown backend {backend!r}, expected {', '.join(map(repr, NAMES))}")
    runtime = _RUNTIMES[backend or _DEFAULTS.get(checked_path(model).suffix.lower(), "onnxruntime")]
    make = getattr(import_module(runtime.module), runtime.backend)
    parameters = signature(make).parameters
    given = {option: value for option, value in options.items() if not _says_nothing(option, value)}
    for option, value in given.items():
        if option not in parameters:
            raise ValueError(f"{option} is {value!r}, but {runtime.title} has no such option: leave it out")
    path = find_model(model)
    suffix = path.suffix.lower()
    if backend is None and suffix not in _DEFAULTS:
        raise ModelError(f"{path} has an unknown suffix, expected {', '.join(_DEFAULTS)}, or its backend to be named")
    if suffix in _DEFAULTS and suffix not in runtime.suffixes:
        raise ModelError(f"{path} is not for {runtime.title}, which takes {', '.join(runtime.suffixes)}")
    if "runtime" in parameters:
        given["runtime"] = backend
    file = ModelFile(model, path)

    def open_again(**options: Any) -> Backend:
        file.check_unchanged()
        backend: Backend = make(path, **options)
        return backend

    return Network(make(path, **given), path, open_again, hints=hints)


def _says_nothing(option: str, value: object) -> bool:
    default = OPTIONS[option]
    return type(value) is type(default) and value == default


def run_onnx(model: Path | bytes, inputs: Iterable[NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Run an ONNX file by ONNX Runtime: see `run_model` there."""
    run_model = import_module(_RUNTIMES["onnxruntime"].module).run_model
    outputs: list[dict[str, NDArray[Any]]] = run_model(model, inputs)
    return outputs
