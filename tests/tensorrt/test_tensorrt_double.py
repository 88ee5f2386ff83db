"""The double of TensorRT: each rule, broken on purpose, is written down; and no name is made up."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tensorrt_double as trt
from onnx_engine import HEADER, ILogger, TensorIOMode
from tensorrt_builder_double import MEMBERS, NetworkDefinitionCreationFlag

cuda = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")

from cuda_copy import THREAD_LOCAL, context_of, in_thread, value_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pretend_machine import World

SHAPE = (1, 3, 64, 96)
OF_THE_DOUBLE = {"dtype_of", "end", "execute", "precision", "run"}


class Logger(ILogger):
    def log(self, severity: int, message: str) -> None:
        pass


class Run:
    """All that a correct run needs."""

    def __init__(self, model: Path) -> None:
        value_of(cuda.cuInit(0))
        value_of(cuda.cuCtxPushCurrent(context_of(0)))
        self.runtime = trt.Runtime(Logger())
        engine: Any = self.runtime.deserialize_cuda_engine(HEADER + model.read_bytes())
        self.engine = engine
        self.execution: Any = engine.create_execution_context()
        self.stream = value_of(cuda.cuStreamCreate(0))
        self.execution.set_input_shape("image", SHAPE)
        self.shapes = {"image": SHAPE, "out0": self.execution.get_tensor_shape("out0")}
        self.memory = {name: value_of(cuda.cuMemAlloc(self.size(name))) for name in self.shapes}
        self.place(self.execution)

    def size(self, name: str) -> int:
        return int(np.prod(self.shapes[name])) * 4

    def place(self, execution: Any) -> None:
        for name, memory in self.memory.items():
            execution.set_tensor_address(name, int(memory))

    def fill(self) -> None:
        image = np.zeros(SHAPE, np.float32)
        value_of(cuda.cuMemcpyHtoD(self.memory["image"], image.ctypes.data, image.nbytes))

    def execute(self) -> bool:
        started: bool = self.execution.execute_async_v3(int(self.stream))
        return started

    def output(self) -> Any:
        found = np.empty(self.shapes["out0"], np.float32)
        value_of(cuda.cuMemcpyDtoH(found.ctypes.data, self.memory["out0"], found.nbytes))
        return found

    def free(self) -> None:
        for memory in self.memory.values():
            value_of(cuda.cuMemFree(memory))
        self.execution = self.engine = None
        del self.runtime
        value_of(cuda.cuStreamDestroy(self.stream))
        value_of(cuda.cuCtxPopCurrent())


def test_a_correct_run_breaks_no_rule(world_to_break: World, toy_model: Path) -> None:
    def use() -> None:
        run = Run(toy_model)
        run.fill()
        assert np.isnan(run.output()).all()
        assert run.execute()
        value_of(cuda.cuStreamSynchronize(run.stream))
        assert np.isfinite(run.output()).all()
        run.free()

    in_thread(use)
    world_to_break.check()


def pop_and(call: Callable[[Run], object]) -> Callable[[Run], None]:
    def broken(run: Run) -> None:
        value_of(cuda.cuCtxPopCurrent())
        call(run)

    return broken


def use_the_default_stream(run: Run) -> None:
    run.execution.execute_async_v3(0)


def forget_an_address(run: Run) -> None:
    execution = run.engine.create_execution_context()
    execution.set_input_shape("image", SHAPE)
    execution.execute_async_v3(int(run.stream))


def forget_a_shape(run: Run) -> None:
    execution = run.engine.create_execution_context()
    run.place(execution)
    execution.execute_async_v3(int(run.stream))


def use_a_context_on_two_streams(run: Run) -> None:
    run.execute()
    run.execution.execute_async_v3(int(value_of(cuda.cuStreamCreate(0))))


def free_the_engine_first(run: Run) -> None:
    run.engine.end()


def free_a_busy_context(run: Run) -> None:
    run.execute()
    run.execution.end()


def drop_without_a_context(run: Run) -> None:
    value_of(cuda.cuCtxPopCurrent())
    run.execution = None
    gc.collect()


def drop_under_another_context(run: Run) -> None:
    value_of(cuda.cuCtxPushCurrent(context_of(1)))
    run.execution = None
    gc.collect()


def record_the_first_run(run: Run) -> None:
    value_of(cuda.cuStreamBeginCapture(run.stream, THREAD_LOCAL))
    run.execute()


def drop_a_busy_context(run: Run) -> None:
    run.execute()
    run.execution = None
    gc.collect()
    value_of(cuda.cuStreamSynchronize(run.stream))


def free_what_a_run_needs(run: Run) -> None:
    run.execute()
    value_of(cuda.cuMemFree(run.memory["out0"]))
    value_of(cuda.cuStreamSynchronize(run.stream))


RULES: dict[str, tuple[Callable[[Run], None], str]] = {
    "run without a context": (pop_and(Run.execute), "no current context: execute_async_v3"),
    "make without a context": (
        pop_and(lambda run: run.engine.create_execution_context()),
        "no current context: make an execution context",
    ),
    "drop without a context": (drop_without_a_context, "no current context: free an execution context"),
    "drop under another context": (drop_under_another_context, "another context: free an execution context"),
    "the default stream": (use_the_default_stream, "no stream, or the default one"),
    "no address": (forget_an_address, "a tensor without address"),
    "no shape": (forget_a_shape, "an input without shape"),
    "two streams": (use_a_context_on_two_streams, "one execution context is used on two streams at once"),
    "the engine first": (free_the_engine_first, "an engine is freed before its execution contexts"),
    "a run under way": (free_a_busy_context, "an execution context is freed with a run under way"),
    "a context that is gone": (drop_a_busy_context, "a run of an execution context that is gone"),
    "the first run recorded": (record_the_first_run, "a run is recorded before the first one"),
    "memory freed before the run": (free_what_a_run_needs, "device memory that is not allocated, or no longer"),
}


@pytest.mark.parametrize(("broken", "breach"), RULES.values(), ids=RULES)
def test_a_broken_rule_is_written_down(
    world_to_break: World, toy_model: Path, broken: Callable[[Run], None], breach: str
) -> None:
    world_to_break.set("delay=20000")
    world_to_break.set("devices=2")

    def use() -> None:
        run = Run(toy_model)
        broken(run)
        cuda.cuStreamSynchronize(run.stream)

    in_thread(use)
    assert any(breach in line for line in world_to_break.breaches), world_to_break.breaches
    with pytest.raises(AssertionError):
        world_to_break.check()


@pytest.mark.parametrize("version", ["10", "11", "rtx"])
def test_the_double_has_no_name_that_tensorrt_lacks(data: Path, version: str) -> None:
    names = json.loads((data / f"tensorrt_api/{version}.json").read_text())
    members = (trt.Runtime, trt.ICudaEngine, trt.IExecutionContext, ILogger, TensorIOMode, *MEMBERS)
    for member in members:
        public = {name for name in dir(member) if not name.startswith("_")} - OF_THE_DOUBLE
        assert public or member is NetworkDefinitionCreationFlag
        assert "__members__" not in vars(member) or {"STRONGLY_TYPED"} <= set(names[member.__name__])
        assert public <= set(names[member.__name__]), member.__name__
    assert {"ERROR", "INTERNAL_ERROR"} <= set(names["ILogger"])
    assert "nptype" in names
