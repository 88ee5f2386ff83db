"""ONNX files through ONNX Runtime, by default on the CPU."""

from __future__ import annotations

import operator
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.arguments import checked_threads
from yoloxfast.backends.backend import Backend, Context
from yoloxfast.backends.forks import keep_in_forks
from yoloxfast.backends.tensors import Batches, Port
from yoloxfast.backends.workers import Workers
from yoloxfast.cores import SPARE_RUNS, count_cores
from yoloxfast.errors import EngineError, ModelError, missing
from yoloxfast.lookalikes import words_for_plugin

try:
    import onnxruntime as ort
except ImportError as error:
    raise missing("onnxruntime", error, extra="cpu") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends import Provider
    from yoloxfast.backends.tensors import Tensor
    from yoloxfast.backends.workers import Task

__all__ = ["OnnxRuntimeBackend", "run_model"]

_CPU = "CPUExecutionProvider"
_ON_CPU: list[tuple[str, dict[str, Any]]] = [(_CPU, {})]
_WITH_DEVICE_ID = frozenset(
    f"{name}ExecutionProvider"
    for name in ("CANN", "CUDA", "Dml", "MIGraphX", "NvTensorRTRTX", "ROCM", "Tensorrt")
)  # fmt: skip
"""Providers whose option "device_id" is the number of a GPU."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
}
_ONLY_FATAL = 4
_RUNS_AT_ONCE = 2
"""On other devices than the CPU: one that computes, and the next."""


class OnnxRuntimeBackend(Backend):
    """A session.

    Parameters
    ----------
    path : Path
        The ONNX file.
    threads : int, optional
        Threads of one run on the CPU; by default one per core.
    providers : sequence of str or (str, mapping), optional
        Execution providers, the preferred first, as `onnxruntime.InferenceSession` takes them; by default the CPU.
    device : int, default 0
        Number of the GPU, for the providers that use one.
    """

    name = "onnxruntime"

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        providers: Iterable[Provider] | None = None,
        device: int = 0,
    ) -> None:
        self._session: Any = _open_session(path, threads, _checked_providers(providers, device))
        self.inputs = [
            Port(tensor.name, tuple(tensor.shape), _DTYPES.get(tensor.type, tensor.type))
            for tensor in self._session.get_inputs()
        ]
        self.batches = Batches.of(self.inputs)
        try:
            self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        except UnicodeDecodeError as error:
            raise ModelError(f"{path} has metadata that are not UTF-8: {error}") from error
        self._providers: list[str] = self._session.get_providers()
        if self.copies_input:
            self.runs_at_once = _RUNS_AT_ONCE
        else:
            cores = count_cores()
            self.spare_runs, self.batches_pay = SPARE_RUNS, False
            self.runs_at_once = max(1, cores // (cores if threads is None else threads))
            if threads is None and cores > 1:
                self.options_for_streams = {"threads": 1, "providers": providers}
        self._workers = Workers(self.runs_at_once)
        self._process = os.getpid()
        keep_in_forks(self)

    @property
    def device(self) -> Mapping[str, str]:
        """What it runs on: name of the processor, version of ONNX Runtime, its execution providers in order."""
        return {
            "name": platform.processor() or platform.machine(),
            "runtime": f"ONNX Runtime {ort.__version__}",
            "providers": ", ".join(self._providers),
        }

    def describe_device(self) -> str:
        """Name the processor and the execution providers."""
        return f"{self.device['name']}, {self.device['providers']}"

    def make_context(self, network_input: Tensor, outputs: Sequence[Tensor] = ()) -> Context:
        """Return a new context for that input, of some batch, which gives these outputs; by default all there are."""
        return _Context(self, self._session, network_input, outputs)

    def objects_to_keep(self) -> Iterable[object]:
        """Return what a fork keeps: a session waits for its threads to leave before it is destroyed."""
        return (self._session,)

    @property
    def copies_input(self) -> bool:
        """Whether a provider may keep the input elsewhere: ONNX Runtime then copies it when it is bound."""
        return self._providers != [_CPU]

    def start(self, run: Callable[[], object]) -> Task:
        """Run on another thread: ONNX Runtime blocks the one that calls it."""
        if self._process != (process := os.getpid()):  # a fork takes no threads along
            self._process, self._workers = process, Workers(self.runs_at_once)
        try:
            return self._workers.submit(run)
        except RuntimeError as error:
            raise EngineError(f"no thread can be started to run the model: {error}") from error

    def close(self) -> None:
        """Let go of the session."""
        self._session = None


class _Context(Context):
    """Input and outputs, bound to the session once."""

    def __init__(
        self, backend: OnnxRuntimeBackend, session: Any, network_input: Tensor, outputs: Sequence[Tensor]
    ) -> None:
        super().__init__(np.zeros(network_input.shape, network_input.dtype))
        self._backend, self._session, self._input = backend, session, network_input
        self._binding = session.io_binding()
        self._bind_input()
        for output in outputs:
            buffer = self.outputs[output.name] = np.empty(output.shape, output.dtype)
            self._binding.bind_output(output.name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
        self._shapes_are_known = bool(outputs)
        self._run_options = ort.RunOptions()
        self._run_options.log_severity_level = _ONLY_FATAL
        self._task: Task | None = None

    def _bind_input(self) -> None:
        images = self.images
        self._binding.bind_input(self._input.name, "cpu", 0, images.dtype.type, images.shape, images.ctypes.data)

    def run(self) -> NDArray[Any]:
        """Run on this thread."""
        self._execute()
        return next(iter(self.outputs.values()))

    def wait(self) -> None:
        """Wait for the thread that runs it."""
        if self._task is not None:
            self._task.wait()

    def is_done(self) -> bool:
        """Whether the thread that runs it is done."""
        return self._task is None or self._task.is_done()

    def cancel(self) -> None:
        """Let a first run end after the operator at which it is."""
        self._run_options.terminate = True

    def _start(self) -> None:
        self._task = self._backend.start(self._execute)

    def _finish(self) -> float:
        if self._task is not None:
            self._task.result()
        return self.seconds

    def _execute(self) -> None:
        began = perf_counter()
        self._call()
        self.seconds = perf_counter() - began

    def _call(self) -> None:
        try:
            if not self._shapes_are_known:
                self.outputs = _run(self._session, self.images, self._run_options)
                return
            if self._backend.copies_input:
                self._bind_input()
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(f"ONNX Runtime could not run the model: {error}") from error


def _checked_providers(providers: Iterable[Provider] | None, device: int) -> list[tuple[str, dict[str, Any]]]:
    """Return providers with their options, which know the device, if all are there."""
    if isinstance(providers, str):
        raise TypeError(f"providers must be a list, got {providers!r}: pass [{providers!r}]")
    if providers is not None and not isinstance(providers, Iterable):
        raise TypeError(f"providers must be a list, got {providers!r}")
    number = _checked_device(device)
    checked = [_checked_provider(provider, number) for provider in ([_CPU] if providers is None else providers)]
    names = [name for name, _ in checked]
    if not checked:
        raise ValueError(f"providers is empty, expected some of {', '.join(ort.get_available_providers())}")
    if number != 0 and _WITH_DEVICE_ID.isdisjoint(names):
        raise ValueError(f"device is {number}, but {', '.join(names)} does not take the number of a GPU: leave it at 0")
    return checked


def _checked_device(device: Any) -> int:
    try:
        number = operator.index(device)
    except TypeError:
        raise TypeError(f"device must be the number of a GPU for ONNX Runtime, got {device!r}") from None
    if number < 0:
        raise ValueError(f"device is {number}, expected the number of a GPU, from 0 on")
    return number


def _checked_provider(provider: Any, device: int) -> tuple[str, dict[str, Any]]:
    match provider:
        case str(name):
            options: Mapping[str, Any] = {}
        case (str(name), Mapping() as options):
            pass
        case _:
            raise TypeError(f"a provider is a name, or (name, options), got {provider!r}")
    available = ort.get_available_providers()
    if name not in available:
        raise ValueError(f"provider {name!r} is not in this ONNX Runtime, which has {', '.join(available)}")
    return name, {"device_id": device, **options} if name in _WITH_DEVICE_ID else dict(options)


def _open_session(model: Path | bytes, threads: int | None, providers: Sequence[tuple[str, dict[str, Any]]]) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    if threads is not None:
        options.intra_op_num_threads = checked_threads(threads)
    try:
        session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:
        name = model if isinstance(model, Path) else "the converted network"
        if providers != _ON_CPU:
            _open_session(model, threads, _ON_CPU)  # raises if the model is to blame
            names = " and ".join(name for name, _ in providers)
            raise EngineError(f"ONNX Runtime cannot load {name} for {names}: {error}") from error
        words = words_for_plugin(name, str(error)) or f"{name} is not a model that ONNX Runtime can load: {error}"
        raise ModelError(words) from error
    if unloaded := [name for name, _ in providers if name not in session.get_providers()]:
        raise EngineError(
            f"ONNX Runtime could not load {' and '.join(unloaded)}, and would run on"
            f" {' and '.join(session.get_providers())} instead: install the libraries that it needs, or leave it out"
        )
    return session


def _run(session: Any, images: NDArray[Any], options: Any = None) -> dict[str, NDArray[Any]]:
    """Return all outputs that are arrays."""
    names = [output.name for output in session.get_outputs()]
    (network_input,) = session.get_inputs()
    outputs = session.run(names, {network_input.name: images}, options)
    return {name: output for name, output in zip(names, outputs, strict=True) if isinstance(output, np.ndarray)}


def run_model(model: Path | bytes, inputs: Iterable[NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Return all outputs of an ONNX file with one input, for each of its inputs, which are cast to what it takes.

    Raises
    ------
    ModelError
        ONNX Runtime cannot load it.
    EngineError
        It cannot run it.
    """
    session = _open_session(model, None, _ON_CPU)
    (network_input,) = session.get_inputs()
    try:
        return [_run(session, images.astype(_DTYPES[network_input.type])) for images in inputs]
    except Exception as error:
        raise EngineError(f"ONNX Runtime could not run the model: {error}") from error
