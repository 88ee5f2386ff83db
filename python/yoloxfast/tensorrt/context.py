"""What runs a TensorRT engine: an execution context, a stream and memory for one run at a time."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import PADDING
from yoloxfast.backends.tensors import Tensor
from yoloxfast.errors import ModelError
from yoloxfast.letterbox import Letterbox

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast.tensorrt.cuda import Device, HostArray, Memory
    from yoloxfast.tensorrt.cuda_graph import Graph
    from yoloxfast.tensorrt.library import Library

__all__ = ["Context", "tensor_dtype", "tensor_names"]

_GREY = np.full((1, 1, 3), PADDING, np.uint8)


class Context:
    """An execution context with a stream, page-locked host memory and device memory of its own.

    Made, run and freed by one thread at a time. `wanted` is the output that is copied to the host; by default all are.
    """

    def __init__(
        self, library: Library, device: Device, engine: Any, network_input: Tensor, wanted: str | None = None
    ) -> None:
        self._library, self._device, self._input, self._wanted = library, device, network_input, wanted
        self._memory: dict[str, Memory] = {}
        self._host: dict[str, HostArray] = {}
        self.letterboxes: list[Letterbox] = []
        self._stream: Any = None
        self._execution: Any = None
        self._graph: Graph | None = None
        try:
            self._stream = device.stream()
            self._execution = library.checked(engine.create_execution_context(), "make an execution context")
            shape = network_input.shape
            library.checked(self._execution.set_input_shape(network_input.name, shape), f"take an input of {shape}")
            self.outputs = _outputs_of(engine, self._execution, library.trt)
            self._allocate(network_input)
            for output in self.outputs.values():
                self._allocate(output)
        except BaseException:
            self.free()
            raise
        self.letterboxes += [Letterbox(image) for image in self._host[network_input.name].array]

    def _allocate(self, tensor: Tensor) -> None:
        size = max(1, int(np.prod(tensor.shape)) * tensor.dtype.itemsize)
        memory = self._memory[tensor.name] = self._device.allocate(size, tensor)
        if tensor == self._input or self._wanted in (None, tensor.name):
            self._host[tensor.name] = self._device.page_locked(tensor.shape, tensor.dtype, tensor)
        self._library.checked(self._execution.set_tensor_address(tensor.name, memory.address), f"place {tensor}")

    def clear(self) -> None:
        """Write images that say nothing into the input, to try the network on."""
        for letterbox in self.letterboxes:
            letterbox(_GREY)

    def record(self) -> None:
        """From now on start runs as one CUDA graph. The first run, in which TensorRT sets itself up, cannot be one."""
        try:
            from yoloxfast.tensorrt.cuda_graph import Graph

            self.clear()
            self.run()
            self._graph = Graph(self._stream.handle, self._enqueue)
        except BaseException:
            self.free()
            raise

    def submit(self) -> None:
        """Start a run of what was written into the input; until `result`, that must stay as it is."""
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
        name = self._input.name
        self._stream.copy_to_device(self._memory[name].address, self._host[name].array)
        self._library.checked(self._execution.execute_async_v3(self._stream.handle), "run the engine")
        for name in self.outputs:
            if name in self._host:
                self._stream.copy_to_host(self._host[name].array, self._memory[name].address)

    def result(self) -> NDArray[Any]:
        """Wait for the run; return its output, which the next one overwrites."""
        with self._device.current():
            self._stream.synchronize()
        return self._host[self._wanted or next(iter(self.outputs))].array

    def run(self) -> NDArray[Any]:
        """Run the engine; what it returns is overwritten by the next run."""
        self.submit()
        return self.result()

    def run_all(self) -> dict[str, NDArray[Any]]:
        """Run the engine; return copies of all outputs."""
        self.run()
        return {name: self._host[name].array.copy() for name in self.outputs}

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
            last_first.callback(self.letterboxes.clear)
            if self._graph is not None:
                last_first.callback(self._graph.free)
            if self._stream is not None:
                last_first.callback(self._stream.synchronize)

    def _forget(self) -> None:
        self._memory.clear()
        self._host.clear()
        self._graph = None
        self._execution = None
        self._stream = None


def _outputs_of(engine: Any, execution: Any, trt: Any) -> dict[str, Tensor]:
    outputs = {}
    for name in tensor_names(engine, trt.TensorIOMode.OUTPUT):
        shape, dtype = tuple(execution.get_tensor_shape(name)), tensor_dtype(engine, trt, name)
        if dtype is None or min(shape, default=0) < 0:
            kind = dtype or engine.get_tensor_dtype(name)
            raise ModelError(f"output {name} is {shape} {kind}, expected a fixed shape and a dtype that NumPy has")
        outputs[name] = Tensor(name, shape, dtype)
    return outputs


def tensor_names(engine: Any, mode: Any) -> list[str]:
    """Name the inputs, or the outputs, of an engine."""
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]


def tensor_dtype(engine: Any, trt: Any, name: str) -> np.dtype[Any] | None:
    """Return the dtype of a tensor; None if NumPy does not have it."""
    try:
        dtype: np.dtype[Any] = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
    except TypeError:
        return None
    return dtype
