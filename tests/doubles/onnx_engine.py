"""What stands for engines without TensorRT: an ONNX file that ONNX Runtime runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

HEADER = b"engine of the double\n"
"""What an engine of the double begins with; the rest is an ONNX file."""

PROFILE = "profile"
"""Which of its metadata holds the least, the best and the largest batch."""

KINDS = {
    "tensor(float)": "FLOAT",
    "tensor(float16)": "HALF",
    "tensor(uint8)": "UINT8",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(bfloat16)": "BF16",
}
DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64}
BATCHES = "1:4:8"
"""The profile of engines that are put together by hand, unless the network's metadata have others."""


def engine_of(model: Path, path: Path) -> Path:
    """Write an engine as `trtexec` would: without metadata."""
    path.write_bytes(HEADER + model.read_bytes())
    return path


def nptype(kind: str) -> Any:
    if kind not in DTYPES:
        raise TypeError(f"could not resolve {kind} to a NumPy dtype")
    return DTYPES[kind]


class TensorIOMode:
    INPUT, OUTPUT = "INPUT", "OUTPUT"


class ILogger:
    class Severity:
        INTERNAL_ERROR, ERROR, WARNING = range(3)

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


class OnnxEngine:
    """What an `ICudaEngine` says of itself."""

    def __init__(self, plan: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = ort.InferenceSession(plan[len(HEADER) :], options, providers=["CPUExecutionProvider"])
        self.inputs = {tensor.name: tensor for tensor in self._session.get_inputs()}
        self.outputs = {tensor.name: tensor for tensor in self._session.get_outputs()}

    @property
    def num_io_tensors(self) -> int:
        return len(self.inputs) + len(self.outputs)

    def get_tensor_name(self, number: int) -> str:
        names: list[str] = [*self.outputs, *self.inputs]
        return names[number]

    def get_tensor_mode(self, name: str) -> str:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(side if isinstance(side, int) else -1 for side in self._tensor(name).shape)

    def get_tensor_dtype(self, name: str) -> str:
        return KINDS[self._tensor(name).type]

    @property
    def num_optimization_profiles(self) -> int:
        return len(self._profiles)

    @property
    def _profiles(self) -> list[str]:
        profiles: str = self._session.get_modelmeta().custom_metadata_map.get(PROFILE, BATCHES)
        return profiles.split()

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        shape = self.get_tensor_shape(name)
        batches = self._profiles[profile].split(":")
        return [tuple(int(batch) if side < 0 else side for side in shape) for batch in batches]

    def dtype_of(self, name: str) -> Any:
        return np.dtype(nptype(self.get_tensor_dtype(name)))

    def run(self, feeds: Arrays) -> Arrays:
        return dict(zip(self.outputs, self._session.run(list(self.outputs), feeds), strict=True))

    def _tensor(self, name: str) -> Any:
        return (self.inputs | self.outputs)[name]


class OnnxExecution:
    """What an `IExecutionContext` keeps: shapes of inputs, addresses of all tensors."""

    def __init__(self, engine: OnnxEngine) -> None:
        self.engine = engine
        self.profile = 0
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, most = self.engine.get_tensor_profile_shape(name, self.profile)
        self.shapes[name] = tuple(shape)
        return all(low <= side <= high for low, side, high in zip(least, shape, most, strict=True))

    def set_optimization_profile_async(self, profile: int, stream_handle: int) -> bool:
        assert stream_handle != 0
        self.profile = profile
        return profile in range(self.engine.num_optimization_profiles)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        feeds = {key: np.zeros(shape, self.engine.dtype_of(key)) for key, shape in self.shapes.items()}
        shape: tuple[int, ...] = self.engine.run(feeds)[name].shape
        return shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True
