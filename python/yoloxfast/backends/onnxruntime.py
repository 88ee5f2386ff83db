"""ONNX models on the CPU, through ONNX Runtime."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.errors import EngineError, MissingDependencyError, ModelError
from yoloxfast.head import find_head
from yoloxfast.preprocessing import PADDING

try:
    import onnxruntime as ort
except ModuleNotFoundError as error:
    raise MissingDependencyError("onnxruntime", extra="cpu") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["OnnxRuntimeBackend"]

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}


class OnnxRuntimeBackend:
    """A session, shared by all threads, and the buffers of those that run it.

    Parameters
    ----------
    path : Path
        The ONNX file.
    threads : int, optional
        Threads of one run; by default one per core.
    """

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, expected at least 1, or None for one per core")
        self._path = path
        session = _open_session(path, threads)
        self._input = _checked_input(session, path)
        probe = np.full(self._input.shape, PADDING, self._input.dtype)
        batch, _, height, width = self._input.shape
        outputs = dict(zip([output.name for output in session.get_outputs()], self._probe(session, probe), strict=True))
        try:
            self.head = find_head(outputs, (height, width), batch)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        self._output = outputs[self.head.output_name]
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self._session: Any = session
        self._idle: list[_Context] = []

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""
        return {
            "model": f"{self._path} ({self._path.stat().st_size:,} bytes)",
            "runtime": f"ONNX Runtime {ort.__version__} on the CPU",
            "input": f"{self._input.name} {self._input.shape} {self._input.dtype}",
            "output": f"{self.head.output_name} {self._output.shape} {self._output.dtype}",
        }

    @contextmanager
    def execution_context(self) -> Iterator[_Context]:
        """Borrow a context; from any thread."""
        session = self._session
        if session is None:
            raise EngineError("the detector is closed")
        try:
            context = self._idle.pop()
        except IndexError:
            context = _Context(session, self._input, self.head.output_name, np.empty_like(self._output))
        try:
            yield context
        finally:
            if self._session is not None:
                self._idle.append(context)

    def close(self) -> None:
        """Let go of the model; runs under way end first. May be called again."""
        self._session = None
        self._idle.clear()

    def _probe(self, session: Any, image: NDArray[Any]) -> list[NDArray[Any]]:
        try:
            return list(session.run(None, {self._input.name: image}))
        except Exception as error:
            raise EngineError(f"ONNX Runtime could not run the model: {error}") from error


class _Input:
    def __init__(self, name: str, shape: tuple[int, int, int, int], dtype: np.dtype[Any]) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype


class _Context:
    """Input and output buffer, bound to the session once."""

    def __init__(self, session: Any, network_input: _Input, output_name: str, output: NDArray[Any]) -> None:
        self.input = np.zeros(network_input.shape, network_input.dtype)
        self._output = output
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_input(
            network_input.name, "cpu", 0, self.input.dtype.type, self.input.shape, self.input.ctypes.data
        )
        self._binding.bind_output(output_name, "cpu", 0, output.dtype.type, output.shape, output.ctypes.data)

    def run(self) -> NDArray[Any]:
        """Run the network; what it returns is overwritten by the next run."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(f"ONNX Runtime could not run the model: {error}") from error
        return self._output


def _open_session(path: Path, threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path} is not a model that ONNX Runtime can load: {error}") from error


def _checked_input(session: Any, path: Path) -> _Input:
    """Read shape and dtype of the network's input; a symbolic batch becomes 1."""
    inputs = session.get_inputs()
    found = ", ".join(f"{tensor.name} {tensor.shape} {tensor.type}" for tensor in inputs)
    match inputs:
        case [tensor] if tensor.type in _DTYPES:
            match tensor.shape:
                case [batch, 3, int(height), int(width)]:
                    batch = batch if isinstance(batch, int) else 1
                    return _Input(tensor.name, (batch, 3, height, width), _DTYPES[tensor.type])
    raise ModelError(
        f"{path}: not the input of a YOLOX: found {found};"
        " expected one input (batch, 3, height, width) of fixed height and width, in float32 or float16"
    )
