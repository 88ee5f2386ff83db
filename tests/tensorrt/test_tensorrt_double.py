"""The doubles of TensorRT and pycuda: each rule, broken on purpose, is written down; and no name is made up."""

from __future__ import annotations

import gc
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cuda_double as driver
import pycuda_double as cuda
import tensorrt_double as trt
from gpu_double import new_world
from onnx_engine import ILogger, TensorIOMode
from tensorrt_builder_double import HEADER, MEMBERS, NetworkDefinitionCreationFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gpu_double import World

SHAPE = (1, 3, 64, 96)
OF_THE_DOUBLE = {"dtype_of", "end", "free", "keep", "precision", "run"}


class Logger(ILogger):
    def log(self, severity: int, message: str) -> None:
        pass


class Run:
    """All that a correct run needs."""

    def __init__(self, model: Path) -> None:
        self.context = cuda.Context()
        self.context.push()
        self.runtime = trt.Runtime(Logger())
        engine: Any = self.runtime.deserialize_cuda_engine(HEADER + model.read_bytes())
        self.engine = engine
        self.execution = engine.create_execution_context()
        self.stream: Any = cuda.Stream()
        self.execution.set_input_shape("image", SHAPE)
        self.host = {"image": cuda.pagelocked_empty(SHAPE, np.float32)}
        self.host["out0"] = cuda.pagelocked_empty(self.execution.get_tensor_shape("out0"), np.float32)
        self.memory = {name: cuda.mem_alloc(host.nbytes) for name, host in self.host.items()}
        for name, memory in self.memory.items():
            self.execution.set_tensor_address(name, int(memory))

    def copy_in(self) -> None:
        cuda.memcpy_htod_async(self.memory["image"], self.host["image"], self.stream)

    def execute(self) -> bool:
        started: bool = self.execution.execute_async_v3(self.stream.handle)
        return started

    def copy_out(self) -> None:
        cuda.memcpy_dtoh_async(self.host["out0"], self.memory["out0"], self.stream)

    def free(self) -> None:
        self.host.clear()
        for memory in self.memory.values():
            memory.free()
        self.execution = self.stream = None
        self.engine = None
        del self.runtime


@pytest.fixture
def world() -> Iterator[World]:
    yield new_world()
    gc.collect()
    new_world()


@pytest.fixture
def run(world: World, toy_model: Path) -> Run:
    assert world.breaches == []
    return Run(toy_model)


def test_a_correct_run_breaks_no_rule(world: World, run: Run) -> None:
    run.copy_in()
    assert run.execute()
    run.copy_out()
    assert np.isnan(run.host["out0"]).all(), "nothing is there before the stream is synchronized"
    run.stream.synchronize()
    assert np.isfinite(run.host["out0"]).all()
    run.free()
    cuda.Context.pop()
    world.check()


def pop_and(call: Callable[[Run], object]) -> Callable[[Run], None]:
    def broken(run: Run) -> None:
        cuda.Context.pop()
        call(run)

    return broken


def write_too_early(run: Run) -> None:
    run.copy_in()
    run.host["image"][:] = 5
    run.stream.synchronize()


def use_pageable_memory(run: Run) -> None:
    cuda.memcpy_htod_async(run.memory["image"], np.zeros(SHAPE, np.float32), run.stream)


def use_strided_memory(run: Run) -> None:
    cuda.memcpy_htod_async(run.memory["image"], run.host["image"][..., ::2], run.stream)


def forget_an_address(run: Run) -> None:
    execution = run.engine.create_execution_context()
    execution.set_input_shape("image", SHAPE)
    execution.execute_async_v3(run.stream.handle)


def forget_a_shape(run: Run) -> None:
    execution = run.engine.create_execution_context()
    for name, memory in run.memory.items():
        execution.set_tensor_address(name, int(memory))
    execution.execute_async_v3(run.stream.handle)


def use_a_context_twice(run: Run) -> None:
    run.execute()
    run.execute()


def free_under_another_context(run: Run) -> None:
    cuda.Context().push()
    run.memory["image"].free()


def free_on_another_thread(run: Run) -> None:
    thread = threading.Thread(target=run.memory["image"].free)
    thread.start()
    thread.join()


def free_twice(run: Run) -> None:
    run.memory["image"].free()
    run.memory["image"].free()


def free_pinned_memory_twice(run: Run) -> None:
    allocation: Any = run.host["image"].base
    allocation.free()
    allocation.free()


def free_memory_in_use(run: Run) -> None:
    run.copy_in()
    run.memory["image"].free()
    run.stream.synchronize()


def free_pinned_memory_in_use(run: Run) -> None:
    run.copy_out()
    allocation: Any = run.host["out0"].base
    allocation.free()
    run.stream.synchronize()


def retain_twice(_: Run) -> None:
    for _number in range(2):
        cuda.Device(0).retain_primary_context()


def drop_pinned_memory_without_context(run: Run) -> None:
    cuda.Context.pop()
    run.host.clear()


def free_a_busy_stream(run: Run) -> None:
    run.copy_in()
    run.stream = None
    gc.collect()


def free_the_engine_first(run: Run) -> None:
    run.engine.end()


def record_the_first_run(run: Run) -> None:
    begin_recording(run)
    run.execute()


def begin_recording(run: Run) -> None:
    driver.cuStreamBeginCapture(
        driver.CUstream(run.stream.handle), driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    )


def synchronize_while_recording(run: Run) -> None:
    begin_recording(run)
    run.stream.synchronize()


def forbid_cuda_to_other_threads(run: Run) -> None:
    driver.cuStreamBeginCapture(
        driver.CUstream(run.stream.handle), driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    )


def launch_what_was_destroyed(run: Run) -> None:
    executable = driver.CUgraphExec(driver.CUgraph([]))
    driver.cuGraphExecDestroy(executable)
    driver.cuGraphLaunch(executable, driver.CUstream(run.stream.handle))


def pop_too_often(_: Run) -> None:
    cuda.Context.pop()
    cuda.Context.pop()


@pytest.mark.parametrize(
    ("broken", "breach"),
    [
        (pop_and(Run.copy_in), "no current context: memcpy_htod_async"),
        (pop_and(Run.copy_out), "no current context: memcpy_dtoh_async"),
        (pop_and(Run.execute), "no current context: execute_async_v3"),
        (pop_and(lambda run: run.stream.synchronize()), "no current context: synchronize"),
        (pop_and(lambda _: cuda.mem_alloc(5)), "no current context: make 5 bytes of device memory"),
        (pop_and(lambda _: cuda.Stream()), "no current context: make a stream"),
        (pop_and(lambda run: run.engine.create_execution_context()), "no current context: make an execution context"),
        (drop_pinned_memory_without_context, f"no current context: free page-locked memory of {SHAPE}"),
        (free_on_another_thread, "no current context: free 73728 bytes of device memory"),
        (free_under_another_context, "another Context object: free 73728 bytes of device memory"),
        (free_twice, "freed twice: 73728 bytes of device memory"),
        (free_pinned_memory_twice, f"freed twice: page-locked memory of {SHAPE}"),
        (free_memory_in_use, "device memory that is not allocated, or no longer"),
        (free_pinned_memory_in_use, "host memory was freed before its stream was synchronized"),
        (retain_twice, "the primary context of device 0 is retained again"),
        (write_too_early, "host memory was written before its stream was synchronized"),
        (use_pageable_memory, "pageable memory in an asynchronous copy"),
        (use_strided_memory, "strided memory in an asynchronous copy"),
        (lambda run: run.execution.execute_async_v3(0), "no stream, or the default one"),
        (forget_an_address, "a tensor without address"),
        (forget_a_shape, "an input without shape"),
        (use_a_context_twice, "one execution context is used by two calls at once"),
        (free_a_busy_stream, "a stream is freed with work on it"),
        (free_the_engine_first, "an engine is freed before its execution contexts"),
        (record_the_first_run, "a run is recorded before the first one"),
        (synchronize_while_recording, "a stream is synchronized while it is recorded"),
        (forbid_cuda_to_other_threads, "while a graph is recorded, other threads may not use CUDA"),
        (launch_what_was_destroyed, "a graph is launched that was destroyed"),
        (pop_and(begin_recording), "no current context: cuStreamBeginCapture"),
        (pop_too_often, "pop without push"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_written_down(world: World, run: Run, broken: Callable[[Run], object], breach: str) -> None:
    broken(run)
    assert breach in world.breaches
    with pytest.raises(AssertionError):
        world.check()


def test_what_is_not_freed_is_a_leak(world: World, run: Run) -> None:
    cuda.Context.pop()
    assert world.breaches == []
    assert "a stream" in world.live.values()
    with pytest.raises(AssertionError):
        world.check()
    del run


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
