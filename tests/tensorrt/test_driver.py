"""What the pretend driver does for those who keep its rules: work is done late and in order, as on a GPU."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pretend_driver
from pretend_machine import new_world, switch_off

cuda = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")

from cuda_copy import NON_BLOCKING, SIZE, Copy, in_thread, value_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pretend_machine import World


@pytest.fixture
def world() -> Iterator[World]:
    """The machine; at the end nothing is left, and no rule was broken."""
    machine = new_world("cuda-python")
    try:
        yield machine
        machine.check()
    finally:
        switch_off()


@pytest.fixture
def late(world: World) -> World:
    """The machine, each operation of which takes 20 ms."""
    world.set("delay=20000")
    return world


class Order:
    """Host functions that note when they are called."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._functions: list[Any] = []

    def put(self, name: str, stream: Any) -> None:
        self._functions.append(pretend_driver.HostFunction(lambda _: self.names.append(name)))
        assert pretend_driver.launch(int(stream), self._functions[-1])


def on_a_gpu(use: Callable[[Copy], Any]) -> Any:
    """Use a copy's memory and stream on a thread of its own, and free them."""

    def used() -> Any:
        copy = Copy()
        try:
            return use(copy)
        finally:
            copy.close()

    return in_thread(used)


@pytest.mark.usefixtures("late")
def test_a_copy_is_done_when_its_stream_was_synchronized() -> None:
    def use(copy: Copy) -> None:
        copy.host[:] = 7
        value_of(copy.copy_in())
        assert (copy.host == 7).all(), "what is still to be copied stays as it is"
        value_of(copy.synchronize())
        copy.host[:] = 1
        value_of(copy.copy_out())
        assert (copy.host == 0xFF).all(), "it is poison until the stream was synchronized"
        (error,) = copy.query()
        assert error.name == "CUDA_ERROR_NOT_READY"
        value_of(copy.synchronize())
        assert (copy.host == 7).all()
        value_of(copy.query())

    on_a_gpu(use)


@pytest.mark.usefixtures("world")
def test_new_memory_is_poison() -> None:
    def use(copy: Copy) -> None:
        assert (copy.host == 0xFF).all()
        copy.host[:] = 0
        value_of(cuda.cuMemcpyDtoH(copy.address, copy.memory, SIZE))
        assert (copy.host == 0xFF).all()

    on_a_gpu(use)


def test_pageable_memory_is_copied_at_once(late: World) -> None:
    def use(copy: Copy) -> None:
        pageable = np.full(SIZE, 9, np.uint8)
        value_of(cuda.cuMemcpyHtoDAsync(copy.memory, pageable.ctypes.data, SIZE, copy.stream))
        pageable[:] = 1
        value_of(cuda.cuMemcpyDtoHAsync(pageable.ctypes.data, copy.memory, SIZE, copy.stream))
        assert (pageable == 9).all()

    on_a_gpu(use)
    assert len(late.breaches) == 2, "it is allowed, but not what anybody wants"
    new_world("cuda-python")


@pytest.mark.usefixtures("late")
def test_a_stream_keeps_order_and_streams_keep_none() -> None:
    def use(copy: Copy) -> None:
        order, other = Order(), value_of(cuda.cuStreamCreate(0))
        for name in "abc":
            order.put(name, copy.stream)
        order.put("other", other)
        value_of(cuda.cuCtxSynchronize())
        assert order.names.index("other") < 2
        assert [name for name in order.names if name != "other"] == ["a", "b", "c"]
        value_of(cuda.cuStreamDestroy(other))

    on_a_gpu(use)


@pytest.mark.usefixtures("late")
def test_a_stream_can_wait_for_an_event_of_another() -> None:
    def use(copy: Copy) -> None:
        order, other = Order(), value_of(cuda.cuStreamCreate(0))
        start, end = (value_of(cuda.cuEventCreate(0)) for _ in range(2))
        value_of(cuda.cuEventRecord(start, copy.stream))
        order.put("first", copy.stream)
        value_of(cuda.cuEventRecord(end, copy.stream))
        assert cuda.cuEventQuery(end)[0].name == "CUDA_ERROR_NOT_READY"
        value_of(cuda.cuStreamWaitEvent(other, end, 0))
        order.put("second", other)
        value_of(cuda.cuStreamSynchronize(other))
        assert order.names == ["first", "second"]
        value_of(cuda.cuEventQuery(end))
        value_of(cuda.cuEventSynchronize(end))
        assert 40 < value_of(cuda.cuEventElapsedTime(start, end)) < 4000
        for event in (start, end):
            value_of(cuda.cuEventDestroy(event))
        value_of(cuda.cuStreamDestroy(other))

    on_a_gpu(use)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(("flags", "expected"), [(0, ["a", "default", "b"]), (NON_BLOCKING, ["a", "b", "default"])])
def test_the_default_stream_waits_for_the_others_and_they_for_it(flags: int, expected: list[str]) -> None:
    def use(copy: Copy) -> None:
        order, other = Order(), value_of(cuda.cuStreamCreate(flags))
        order.put("a", other)
        for _ in range(3):
            value_of(cuda.cuMemcpyHtoDAsync(copy.memory, copy.address, SIZE, 0))
        order.put("default", 0)
        order.put("b", other)
        value_of(cuda.cuStreamSynchronize(0))
        value_of(cuda.cuStreamSynchronize(other))
        assert order.names == expected
        value_of(cuda.cuStreamDestroy(other))

    on_a_gpu(use)


@pytest.mark.usefixtures("late")
def test_a_copy_that_is_not_asynchronous_waits_for_all_streams_but_non_blocking_ones() -> None:
    def use(copy: Copy) -> None:
        order, free = Order(), value_of(cuda.cuStreamCreate(NON_BLOCKING))
        order.put("blocking", copy.stream)
        for number in range(10):
            order.put(str(number), free)
        value_of(cuda.cuMemcpyHtoD(copy.memory, copy.address, SIZE))
        assert "blocking" in order.names
        assert "9" not in order.names
        value_of(cuda.cuStreamSynchronize(free))
        value_of(cuda.cuStreamDestroy(free))

    on_a_gpu(use)


def test_a_graph_does_again_what_was_recorded(late: World) -> None:
    def use(copy: Copy) -> None:
        value_of(copy.begin_recording())
        value_of(copy.copy_in())
        value_of(cuda.cuMemsetD8Async(copy.memory, 3, SIZE // 2, copy.stream))
        value_of(copy.copy_out())
        graph = value_of(copy.end_recording())
        executable = value_of(cuda.cuGraphInstantiate(graph, 0))
        value_of(cuda.cuGraphDestroy(graph))
        for value in (5, 6):
            copy.host[:] = value
            value_of(cuda.cuGraphLaunch(executable, copy.stream))
            value_of(copy.synchronize())
            assert copy.host.tolist() == [3] * (SIZE // 2) + [value] * (SIZE // 2)
        value_of(cuda.cuGraphExecDestroy(executable))

    on_a_gpu(use)
    assert late.launches == 2


def test_memory_that_is_short_is_an_error(world: World) -> None:
    def use(copy: Copy) -> None:
        world.set("memory=100")
        assert cuda.cuMemGetInfo() == (cuda.CUresult.CUDA_SUCCESS, 100 - SIZE, 100)
        assert cuda.cuMemAlloc(37)[0].name == "CUDA_ERROR_OUT_OF_MEMORY"
        value_of(cuda.cuMemFree(value_of(cuda.cuMemAlloc(36))))
        assert copy.host.size == SIZE

    on_a_gpu(use)


def test_a_gpu_that_is_lost_fails_at_each_call(world: World) -> None:
    def use(copy: Copy) -> None:
        world.set("lost=719")
        for call in (copy.copy_in, copy.synchronize, cuda.cuCtxSynchronize, lambda: cuda.cuMemAlloc(5)):
            assert call()[0].name == "CUDA_ERROR_LAUNCH_FAILED"
        world.set("lost=0")

    on_a_gpu(use)


def test_functions_fail_on_demand(world: World) -> None:
    def use(_: Copy) -> None:
        world.fail("cuMemAlloc", pretend_driver.OUT_OF_MEMORY, times=2)
        assert [cuda.cuMemAlloc(5)[0].value for _ in range(2)] == [2, 2]
        memory = value_of(cuda.cuMemAlloc(5))
        world.fail("cuMemFree", pretend_driver.LAUNCH_FAILED, times=1)
        assert cuda.cuMemFree(memory)[0].name == "CUDA_ERROR_LAUNCH_FAILED"

    on_a_gpu(use)
    assert world.live == [], "memory is freed also where cuMemFree tells of an earlier error"


def test_a_new_machine_has_nothing_of_the_old_one(world: World) -> None:
    world.set("delay=20000")

    def leave() -> None:
        copy = Copy()
        for number in range(5):
            value_of(copy.copy_in())
            copy.host[:] = number
        value_of(copy.free_host())
        cuda.cuCtxPopCurrent()

    in_thread(leave)
    new = new_world("cuda-python")
    sleep(0.2)
    assert (new.log, new.live, new.breaches) == ([], [], [])


def test_a_report_names_what_ran_when(late: World) -> None:
    began = monotonic()

    def use(copy: Copy) -> int:
        value_of(copy.copy_in())
        value_of(copy.synchronize())
        return int(copy.stream)

    stream = on_a_gpu(use)
    copied, waited = late.log
    assert (copied.stream, copied.what, waited.stream, waited.what) == (stream, "copy to device", stream, "synchronize")
    assert copied.put <= copied.began <= copied.ended <= waited.ended
    assert 20e6 < copied.began - copied.put < 1e9 * (monotonic() - began)
