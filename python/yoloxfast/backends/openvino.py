"""ONNX files and OpenVINO's own `.xml` through OpenVINO, whose infer requests run while the host does other work."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.arguments import checked_threads
from yoloxfast.backends.backend import Backend, Context
from yoloxfast.backends.forks import keep_in_forks
from yoloxfast.backends.tensors import Batches, Port
from yoloxfast.cores import SPARE_RUNS, count_cores
from yoloxfast.errors import EngineError, ModelError, missing
from yoloxfast.lookalikes import words_for_plugin
from yoloxfast.models import find_model

try:
    import openvino as ov
except ImportError as error:
    raise missing("openvino", error, extra="openvino") from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast.backends.tensors import Tensor

__all__ = ["OpenVinoBackend"]

_core = ov.Core()
"""Used by all models, and kept. Each core's CPU plugin gives the thread that loads it a stack for signals. Where two
cores end in the order in which they were made, OpenVINO 2026.4 leaves that thread the first one's, which is freed: the
next Ctrl-C would crash."""

_PRECISIONS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}


class OpenVinoBackend(Backend):
    """A compiled model.

    Parameters
    ----------
    path : Path
        The ONNX file, or OpenVINO's `.xml` with its `.bin` beside it.
    precision : {"fp32", "fp16", "bf16"}, optional
        What it computes in: by default float32, in which boxes are those of YOLOX. OpenVINO itself would take bfloat16
        where the CPU has it.
    device : str, default "CPU"
        Device as OpenVINO names it, such as "CPU", "GPU", "GPU.1", "NPU" or "AUTO"; 0 is the CPU.
    threads : int, optional
        Threads of one run on the CPU; by default one per core.
    runs_at_once : int, default 1
        Runs on the CPU that go on at once. Only 1 survives a fork: OpenVINO runs it on the thread that calls.
    """

    name = "openvino"

    def __init__(
        self,
        path: Path,
        *,
        precision: str | None = None,
        device: str | int = 0,
        threads: int | None = None,
        runs_at_once: int = 1,
    ) -> None:
        self._device_name = _checked_device(device)
        properties = {"INFERENCE_PRECISION_HINT": _checked_precision(precision), "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = str(runs_at_once * checked_threads(threads))
        if runs_at_once > 1:
            properties["NUM_STREAMS"] = str(runs_at_once)
        elif self._device_name == "CPU" and (runs := count_cores() // (threads or 1)) > 1:
            more = {"threads": threads or 1, "runs_at_once": runs}
            self.options_for_streams = {"precision": precision, "device": device, **more}
        weights = path.with_suffix(".bin")
        if path.suffix.lower() == ".xml" and weights.exists():
            find_model(weights)  # which refuses a pipe, where OpenVINO would wait
        try:
            model = _core.read_model(path)
        except RuntimeError as error:
            words = (
                words_for_plugin(path, str(error)) or f"{path} is not a model that OpenVINO can load: {_words(error)}"
            )
            raise ModelError(words) from error
        self.metadata = _metadata_of(model)
        self.inputs = [_port_of(port) for port in model.inputs]
        self.batches = Batches.of(self.inputs)
        try:
            self._model: Any = _core.compile_model(model, self._device_name, properties)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot compile {path} for {self._device_name}, of {', '.join(_core.available_devices)}:"
                f" {_words(error)}"
            ) from error
        if self._device_name == "CPU":
            self.spare_runs, self.batches_pay = SPARE_RUNS, False
        self.runs_at_once = self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._process = os.getpid()
        keep_in_forks(self)

    @property
    def device(self) -> Mapping[str, str]:
        """What it runs on: name of the device, version of OpenVINO, precision."""
        devices = self._model.get_property("EXECUTION_DEVICES")
        precision = self._model.get_property("INFERENCE_PRECISION_HINT")
        return {
            "name": ", ".join(str(_core.get_property(device, "FULL_DEVICE_NAME")) for device in devices),
            "runtime": f"OpenVINO {ov.__version__.partition('-')[0]}",
            "devices": ", ".join(devices),
            "precision": precision.to_string() if hasattr(precision, "to_string") else str(precision),
        }

    def describe_device(self) -> str:
        """Name the device and the precision."""
        return "{name} ({devices}), {precision}".format(**self.device)

    def make_context(self, network_input: Tensor, outputs: Sequence[Tensor] = ()) -> Context:
        """Return a new context for that input, of some batch, which gives these outputs; by default all there are."""
        return _Context(self, self._model, network_input, [output.name for output in outputs])

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that opened the model: OpenVINO's threads are not in it."""
        return os.getpid() != self._process

    def objects_to_keep(self) -> Iterable[object]:
        """Return what a fork keeps: OpenVINO waits for its threads before it drops a model."""
        return _core, self._model

    def close(self) -> None:
        """Let go of the model."""
        self._model = None


class _Context(Context):
    """An infer request that reads our memory."""

    def __init__(self, backend: OpenVinoBackend, model: Any, network_input: Tensor, wanted: Sequence[str]) -> None:
        super().__init__(np.zeros(network_input.shape, network_input.dtype))
        self._backend = backend
        self._request = model.create_infer_request()
        self._request.set_input_tensor(ov.Tensor(self.images, shared_memory=True))
        ports = {_name_of(port): port for port in model.outputs}
        self._ports = {name: ports[name] for name in wanted or ports}

    def run(self) -> NDArray[Any]:
        """Run on this thread."""
        self._call(self._request.infer)
        return self._read()

    def wait(self) -> None:
        """Wait for the request."""
        if not self._backend.is_forked:
            with suppress(RuntimeError):
                self._request.wait()

    def is_done(self) -> bool:
        """Whether the request is done, or has failed."""
        try:
            return self._backend.is_forked or self._request.wait_for(0)
        except RuntimeError:
            return True

    def cancel(self) -> None:
        """Let the run end after the operator at which it is; OpenVINO ends no loop within one."""
        self._request.cancel()

    def _start(self) -> None:
        self._call(self._request.infer if self._backend.is_forked else self._request.start_async)

    def _finish(self) -> float:
        if not self._backend.is_forked:
            self._call(self._request.wait)
        self._read()
        return self.seconds

    def _read(self) -> NDArray[Any]:
        self.seconds = self._request.latency / 1000
        self.outputs = {name: self._request.get_tensor(port).data for name, port in self._ports.items()}
        return next(iter(self.outputs.values()))

    def _call(self, function: Any) -> None:
        try:
            function()
        except RuntimeError as error:
            raise EngineError(f"OpenVINO could not run the model: {_words(error)}") from error


def _checked_device(device: str | int) -> str:
    if isinstance(device, str) and device:
        return device
    if isinstance(device, int) and device == 0:
        return "CPU"
    raise ValueError(f"device is {device!r}, but OpenVINO's devices have names, such as 'CPU', 'GPU' or 'GPU.1'")


def _checked_precision(precision: str | None) -> str:
    if precision not in (None, *_PRECISIONS):
        raise ValueError(f"precision is {precision!r}, expected {', '.join(map(repr, _PRECISIONS))} for OpenVINO")
    return _PRECISIONS[precision or "fp32"]


def _port_of(port: Any) -> Port:
    shape = port.partial_shape
    sides = [side.get_length() if side.is_static else str(side) for side in shape] if shape.rank.is_static else ["…"]
    try:
        dtype: np.dtype[Any] | str = np.dtype(port.element_type.to_dtype())
    except (RuntimeError, TypeError):
        dtype = port.element_type.get_type_name()
    return Port(_name_of(port), tuple(sides), dtype)


def _name_of(port: Any) -> str:
    """Return the name that the file has for it; a port may have none, or several."""
    return str(min(port.names, default=port.node.friendly_name))


def _metadata_of(model: Any) -> dict[str, str]:
    """Read what was an ONNX file's metadata; OpenVINO keeps them under "framework", in its own files too."""
    info = model.get_rt_info()
    facts = info["framework"] if "framework" in info else {}  # noqa: SIM401  # it is not a dict
    return {key: facts[key].astype(str) for key in facts}


def _words(error: RuntimeError) -> str:
    """Return what went wrong, without the places in OpenVINO's source."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("Exception from "))
