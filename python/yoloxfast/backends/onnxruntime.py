"""ONNX models on the CPU, through ONNX Runtime."""

from __future__ import annotations

import operator
import platform
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from yoloxfast._core import PADDING
from yoloxfast.backends.head import find_head
from yoloxfast.backends.tensors import Tensor, image_size, not_an_image
from yoloxfast.errors import EngineError, ModelError, missing
from yoloxfast.letterbox import Letterbox

try:
    import onnxruntime as ort
except ImportError as error:
    raise missing("onnxruntime", error, extra="cpu") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["OnnxRuntimeBackend", "run_model"]

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
}
_THREADS = range(1, 1025)
_ONLY_FATAL = 4


class OnnxRuntimeBackend:
    """A session, shared by all threads, and the buffers of those that run it.

    Parameters
    ----------
    path : Path
        The ONNX file.
    threads : int, optional
        Threads of one run; by default one per core.

    Attributes
    ----------
    input : Tensor
        The network's input; its batch is 1 if the model takes any.
    """

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        session = _open_session(path, threads)
        self.input, size = _checked_input(session, path)
        try:
            outputs = _run(session, np.full(self.input.shape, PADDING, self.input.dtype))
            self.head = find_head(outputs, size, self.input.shape[0])
        except (EngineError, ModelError) as error:
            raise type(error)(f"{path}: {error}") from error.__cause__
        output = outputs[self.head.output_name]
        self._output = Tensor(self.head.output_name, output.shape, output.dtype)
        self._file = f"{path} ({path.stat().st_size:,} bytes)"
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self._session: Any = session
        self._idle: list[_Context] = []

    @property
    def device(self) -> Mapping[str, str]:
        """What it runs on."""
        return {"name": platform.processor() or platform.machine(), "runtime": f"ONNX Runtime {ort.__version__}"}

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""
        return {
            "model": self._file,
            "runtime": f"ONNX Runtime {ort.__version__} on the CPU",
            "input": str(self.input),
            "output": str(self._output),
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
            context = _Context(session, self.input, self._output)
        try:
            yield context
        finally:
            if self._session is not None:
                self._idle.append(context)

    def close(self) -> None:
        """Let go of the model; runs under way end as usual. May be called again."""
        self._session = None
        self._idle.clear()


class _Context:
    """Input and output buffer, bound to the session once."""

    def __init__(self, session: Any, network_input: Tensor, network_output: Tensor) -> None:
        self._input = np.zeros(network_input.shape, network_input.dtype)
        self.letterboxes = [Letterbox(image) for image in self._input]
        self._output = np.empty(network_output.shape, network_output.dtype)
        self._session = session
        self._binding = session.io_binding()
        for tensor, buffer, bind in (
            (network_input, self._input, self._binding.bind_input),
            (network_output, self._output, self._binding.bind_output),
        ):
            bind(tensor.name, "cpu", 0, tensor.dtype.type, tensor.shape, buffer.ctypes.data)

    def run(self) -> NDArray[Any]:
        """Run the network; what it returns is overwritten by the next run."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(f"ONNX Runtime could not run the model: {error}") from error
        return self._output


def _open_session(model: Path | bytes, threads: int | None = None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    if threads is not None:
        if not isinstance(threads, SupportsIndex):
            raise TypeError(f"threads must be a whole number, got {threads!r}")
        if operator.index(threads) not in _THREADS:
            raise ValueError(
                f"threads is {threads}, expected {_THREADS[0]} to {_THREADS[-1]}, or None for one per core"
            )
        options.intra_op_num_threads = operator.index(threads)
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        name = model if isinstance(model, Path) else "the converted network"
        raise ModelError(f"{name} is not a model that ONNX Runtime can load: {error}") from error


def _checked_input(session: Any, path: Path) -> tuple[Tensor, tuple[int, int]]:
    """Read the network's input, and its height and width; a symbolic batch becomes 1."""
    inputs = session.get_inputs()
    if len(inputs) == 1:
        (tensor,) = inputs
        dtype = _DTYPES.get(tensor.type)
        size = image_size(tensor.shape, dtype)
        if dtype is not None and size is not None:
            batch, *others = tensor.shape
            return Tensor(tensor.name, (batch if isinstance(batch, int) else 1, *others), dtype), size
    raise not_an_image(path, ", ".join(f"{tensor.name} {tensor.shape} {tensor.type}" for tensor in inputs))


def _run(session: Any, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Run the network once, to see what it really puts out."""
    names = [output.name for output in session.get_outputs()]
    (network_input,) = session.get_inputs()
    try:
        outputs = session.run(names, {network_input.name: images})
    except Exception as error:
        raise EngineError(f"ONNX Runtime could not run the model: {error}") from error
    return {name: output for name, output in zip(names, outputs, strict=True) if isinstance(output, np.ndarray)}


def run_model(model: Path | bytes, inputs: Sequence[NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Return all outputs of a model with one input, for each of its inputs, which are cast to what it takes."""
    session = _open_session(model)
    (network_input,) = session.get_inputs()
    return [_run(session, images.astype(_DTYPES[network_input.type])) for images in inputs]
