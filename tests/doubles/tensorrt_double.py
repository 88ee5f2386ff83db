"""A double of `tensorrt` that runs ONNX files by ONNX Runtime, as work on the streams of the pretend driver."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from contextlib import contextmanager
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

import pretend_driver as driver
import tensorrt_builder_double as builder
from onnx_engine import HEADER, ILogger, OnnxEngine, OnnxExecution, TensorIOMode, nptype
from pretend_machine import Resource, device_memory, new_world, switch_off, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pretend_driver import SetModule
    from pretend_machine import World

VERSION = "10.16.1"


class Runtime(Resource):
    def __init__(self, logger: ILogger) -> None:
        super().__init__("a runtime")
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes | memoryview) -> ICudaEngine | None:
        world().has_context("deserialize_cuda_engine")
        content = bytes(plan)
        if content.startswith(HEADER):
            return ICudaEngine(self, content)
        self.logger.log(ILogger.Severity.WARNING, "a warning")
        self.logger.log(ILogger.Severity.ERROR, "the plan was not written by the double")
        return None


class ICudaEngine(OnnxEngine, Resource):
    def __init__(self, runtime: Runtime, plan: bytes) -> None:
        Resource.__init__(self, "an engine")
        OnnxEngine.__init__(self, plan)
        self._runtime = runtime
        self._contexts = 0

    def create_execution_context(self) -> IExecutionContext | None:
        if "context" in world().refuses:
            return None
        self._contexts += 1
        return IExecutionContext(self)

    def end(self) -> None:
        if self._contexts:
            self.world.breach("an engine is freed before its execution contexts")
        super().end()


class IExecutionContext(OnnxExecution, Resource):
    engine: Any

    def __init__(self, engine: ICudaEngine) -> None:
        Resource.__init__(self, "an execution context")
        OnnxExecution.__init__(self, engine)
        self._unfinished: Counter[int] = Counter()
        self._runs = 0
        self._lock = Lock()
        self._functions: dict[int, Any] = {}
        """For each stream, what the driver calls when a run's turn comes; it stays, as graphs keep it."""

    def set_tensor_address(self, name: str, address: int) -> bool:
        return super().set_tensor_address(name, address) and "address" not in world().refuses

    def execute_async_v3(self, stream_handle: int) -> bool:
        machine, engine = self.world, self.engine
        machine.has_context("execute_async_v3")
        if "execute" in machine.refuses:
            engine._runtime.logger.log(ILogger.Severity.ERROR, "the double was told to refuse")  # noqa: SLF001
            return False
        is_recorded = driver.is_recorded(stream_handle)
        problems = {
            "no stream, or the default one": is_recorded is None or stream_handle in (0, 1, 2),
            "a tensor without address": len(self.addresses) < engine.num_io_tensors,
            "an input without shape": len(self.shapes) < len(engine.inputs),
            "a run is recorded before the first one": self._runs == 0 and is_recorded,
            "one execution context is used on two streams at once": any(
                count for stream, count in self._unfinished.items() if stream != stream_handle
            ),
        }
        for problem, is_there in problems.items():
            if is_there:
                machine.breach(problem)
                return False
        if "graph" in machine.refuses and is_recorded:
            return False
        if stream_handle not in self._functions:
            self._functions[stream_handle] = _running(self, stream_handle)
        if not is_recorded:
            self._unfinished[stream_handle] += 1
        self._runs += 1
        return driver.launch(stream_handle, self._functions[stream_handle])

    def execute(self, stream_handle: int) -> None:
        """Run the network: what a GPU would do, on the thread of the stream."""
        if not self._lock.acquire(blocking=False):
            self.world.breach("one execution context is used by two runs at once")
            return
        try:
            feeds = {name: self._tensor(name, shape) for name, shape in self.shapes.items()}
            for name, value in self.engine.run(feeds).items():
                self._tensor(name, value.shape)[...] = value
        except Exception as error:  # noqa: BLE001 - nobody above could catch it
            self.world.breach(f"a run failed: {error!r}")
        finally:
            self._unfinished[stream_handle] = max(0, self._unfinished[stream_handle] - 1)
            self._lock.release()

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        dtype = self.engine.dtype_of(name)
        tensor: NDArray[Any] = (
            device_memory(self.addresses[name], int(np.prod(shape)) * dtype.itemsize).view(dtype).reshape(shape)
        )
        return tensor

    def end(self) -> None:
        if any(self._unfinished.values()):
            self.world.breach("an execution context is freed with a run under way")
        if self.engine is not None:
            self.engine._contexts -= 1  # noqa: SLF001
            self.engine = None
        super().end()


def _running(execution: IExecutionContext, stream_handle: int) -> Any:
    """Return a host function for its runs on a stream, which does not keep it alive."""
    reference, machine = ref(execution), execution.world

    def run(_: int | None) -> None:
        alive = reference()
        if alive is None:
            machine.breach("a run of an execution context that is gone")
        else:
            alive.execute(stream_handle)

    function = driver.HostFunction(run)
    machine.functions.append(function)
    return function


def forget_runtime() -> None:
    """Have the modules imported again that import TensorRT."""
    for module in ("backend", "library", "building"):
        sys.modules.pop(f"yoloxfast.tensorrt.{module}", None)


def forget_backend() -> None:
    """Have the modules imported again that import TensorRT or CUDA, as a new process would."""
    forget_runtime()
    for module in ("context", "cuda", "pycuda", "cuda_python", "cuda_graph"):
        sys.modules.pop(f"yoloxfast.tensorrt.{module}", None)


@contextmanager
def doubles(set_module: SetModule, binding: str) -> Iterator[World]:
    """Have the backend use the pretend driver and this double; at the end nothing is left, and no rule was broken."""
    forget_backend()
    machine = new_world(binding)
    driver.use_binding(binding, set_module)
    install(set_module)
    try:
        yield machine
        gc.collect()
        machine.check()
    finally:
        forget_backend()
        gc.collect()
        switch_off()


def install(set_module: SetModule) -> None:
    """Put the double where `import` finds it, by `set_module(name, module)`."""
    tensorrt = ModuleType("tensorrt")
    members = (ILogger, TensorIOMode, Runtime, ICudaEngine, IExecutionContext, nptype, *builder.MEMBERS)
    for member in members:
        setattr(tensorrt, member.__name__, member)
    tensorrt.__version__ = VERSION  # type: ignore[attr-defined]
    set_module("tensorrt", tensorrt)
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        set_module(name, None)
