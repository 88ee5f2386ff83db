"""What runs a TensorRT engine: an execution context, a stream and memory for one run at a time."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.backends.backend import Context
from yoloxfast.backends.tensors import Tensor
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.network_input import NetworkInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yoloxfast.tensorrt.binding import HostArray, Memory
    from yoloxfast.tensorrt.cuda import Device
    from yoloxfast.tensorrt.cuda_graph import Graph
    from yoloxfast.tensorrt.library import Library

__all__ = ["TensorRtContext", "tensor_dtype", "tensor_names"]

_NOTHING = np.empty((0, 3, 0, 0), np.float32)
"""The input of a context that has been freed: what was written into it would be an error, not a crash."""


class TensorRtContext(Context):
    """An execution context with a stream, page-locked host memory and device memory of its own.

    Made and freed while its device is current.

    Parameters
    ----------
    library : Library
    device : Device
    engine : ICudaEngine
    network_input : Tensor
        Of the batch that is run.
    wanted : sequence of str
        Outputs that are copied to the host; all if it is empty.
    profile : int
        The optimization profile that takes this batch.
    """

    def __init__(
        self,
        library: Library,
        device: Device,
        engine: Any,
        network_input: Tensor,
        wanted: Sequence[str],
        *,
        profile: int,
    ) -> None:
        self._library, self._device, self._input_name = library, device, network_input.name
        self._memory: dict[str, Memory] = {}
        self._host: dict[str, HostArray] = {}
        self._graph: Graph | None = None
        self._stream: Any = None
        self._execution: Any = None
        self.letterboxes = []
        self.input = NetworkInput(_NOTHING)
        self.outputs = {}
        try:
            self._stream = device.stream()
            self._execution = library.checked(engine.create_execution_context(), "make an execution context")
            if profile != 0:
                is_set = self._execution.set_optimization_profile_async(profile, self._stream.handle)
                library.checked(is_set, f"take optimization profile {profile}")
                self._stream.synchronize()
            shape = network_input.shape
            library.checked(self._execution.set_input_shape(network_input.name, shape), f"take an input of {shape}")
            outputs = _outputs_of(engine, self._execution, library.trt)
            wanted = wanted or [output.name for output in outputs]
            for tensor in (network_input, *outputs):
                self._allocate(tensor, on_host=tensor is network_input or tensor.name in wanted)
            super().__init__(self._host[network_input.name].array)
            self.outputs = {name: self._host[name].array for name in wanted}
        except BaseException:
            self.free()
            raise

    def _allocate(self, tensor: Tensor, *, on_host: bool) -> None:
        size = max(1, prod(tensor.shape) * tensor.dtype.itemsize)
        memory = self._memory[tensor.name] = self._device.allocate(size, tensor)
        if on_host:
            self._host[tensor.name] = self._device.page_locked(tensor.shape, tensor.dtype, tensor)
        self._library.checked(self._execution.set_tensor_address(tensor.name, memory.address), f"place {tensor}")

    def record(self) -> None:
        """From now on start runs as one CUDA graph. The first run, in which TensorRT sets itself up, cannot be one."""
        try:
            from yoloxfast.tensorrt.cuda_graph import Graph

            self.run()
            self._graph = Graph(self._stream.handle, self._enqueue)
        except BaseException:
            self.free()
            raise

    def _start(self) -> None:
        with self._device.current():
            try:
                if self._graph is None:
                    self._enqueue()
                else:
                    self._graph.launch()
            except BaseException:
                self._stream.synchronize()
                raise

    def _enqueue(self) -> None:
        name = self._input_name
        self._stream.copy_to_device(self._memory[name].address, self._host[name].array)
        self._library.checked(self._execution.execute_async_v3(self._stream.handle), "run the engine")
        for output, host in self.outputs.items():
            self._stream.copy_to_host(host, self._memory[output].address)

    def wait(self) -> None:
        """Wait for the GPU."""
        with suppress(EngineError):
            self._finish()

    def is_done(self) -> bool:
        """Whether the GPU is done with it."""
        with self._device.current():
            return bool(self._stream.is_done())

    def _finish(self) -> None:
        with self._device.current():
            self._stream.synchronize()

    def free(self) -> None:
        """Free all that it holds, in the order that TensorRT asks for; its device must be current.

        If one step fails, the others are done nevertheless, and the error is raised at the end.
        """
        with ExitStack() as last_first:
            if self._stream is not None:
                last_first.callback(self._stream.free)
            last_first.callback(self._forget)
            for memory in self._memory.values():
                last_first.callback(memory.free)
            for host in self._host.values():
                last_first.callback(host.free)
            last_first.callback(self._forget_arrays)
            if self._graph is not None:
                last_first.callback(self._graph.free)
            if self._stream is not None:
                last_first.callback(self._stream.synchronize)

    def _forget_arrays(self) -> None:
        self.letterboxes.clear()
        self.outputs.clear()
        self.images = self.input.batch = _NOTHING

    def _forget(self) -> None:
        self._memory.clear()
        self._host.clear()
        self._graph = self._execution = self._stream = None


def _outputs_of(engine: Any, execution: Any, trt: Any) -> list[Tensor]:
    outputs = []
    for name in tensor_names(engine, trt.TensorIOMode.OUTPUT):
        shape, dtype = tuple(execution.get_tensor_shape(name)), tensor_dtype(engine, trt, name)
        if isinstance(dtype, str):
            raise ModelError(f"output {name} has the dtype {dtype}, which NumPy lacks")
        if min(shape, default=0) < 0:
            raise ModelError(
                f"output {name} {shape} is of any length, not supported with TensorRT: export the model"
                " without NonMaxSuppression, or run the ONNX file with another backend"
            )
        outputs.append(Tensor(name, shape, dtype))
    return outputs


def tensor_names(engine: Any, mode: Any) -> list[str]:
    """Name the inputs, or the outputs, of an engine."""
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]


def tensor_dtype(engine: Any, trt: Any, name: str) -> np.dtype[Any] | str:
    """Return the dtype of a tensor; what TensorRT calls it if NumPy has no such dtype."""
    kind = engine.get_tensor_dtype(name)
    try:
        dtype: np.dtype[Any] = np.dtype(trt.nptype(kind))
    except TypeError:
        return str(kind)
    return dtype
