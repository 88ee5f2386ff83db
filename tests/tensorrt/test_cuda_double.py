"""The double of cuda-python: each rule, broken on purpose, is written down; and no name is made up."""

from __future__ import annotations

import gc
import inspect
import threading
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cuda_double as cuda
from gpu_double import new_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_double import World

SIZE = 64


def value_of(returned: tuple[Any, ...]) -> Any:
    error, *values = returned
    assert error is cuda.SUCCESS
    return values[0] if values else None


class Copy:
    """All that a correct copy to the GPU and back needs."""

    def __init__(self) -> None:
        value_of(cuda.cuInit(0))
        self.device = value_of(cuda.cuDeviceGet(0))
        self.context = value_of(cuda.cuDevicePrimaryCtxRetain(self.device))
        cuda.cuCtxPushCurrent(self.context)
        self.memory = value_of(cuda.cuMemAlloc(SIZE))
        self.address = value_of(cuda.cuMemHostAlloc(SIZE, 0))
        self.stream = value_of(cuda.cuStreamCreate(0))

    @property
    def host(self) -> Any:
        return cuda._at(self.address, SIZE)  # noqa: SLF001

    def copy_in(self) -> None:
        cuda.cuMemcpyHtoDAsync(self.memory, self.address, SIZE, self.stream)

    def copy_out(self) -> None:
        cuda.cuMemcpyDtoHAsync(self.address, self.memory, SIZE, self.stream)

    def synchronize(self) -> None:
        value_of(cuda.cuStreamSynchronize(self.stream))

    def free_memory(self) -> None:
        cuda.cuMemFree(self.memory)

    def free_host(self) -> None:
        cuda.cuMemFreeHost(self.address)

    def free_stream(self) -> None:
        cuda.cuStreamDestroy(self.stream)


@pytest.fixture
def world() -> Iterator[World]:
    yield new_world("cuda-python")
    new_world()


@pytest.fixture
def copy(world: World) -> Copy:
    assert world.breaches == []
    return Copy()


def test_a_correct_copy_breaks_no_rule(world: World, copy: Copy) -> None:
    copy.host[:] = 7
    copy.copy_in()
    copy.copy_out()
    assert (copy.host != 7).all(), "nothing is there before the stream is synchronized"
    copy.host[:] = 7  # which the copy to the GPU still has to read
    copy.synchronize()
    assert (copy.host == 7).all()
    copy.free_host()
    copy.free_memory()
    copy.free_stream()
    cuda.cuCtxPopCurrent()
    world.check()


def pop_and(call: Callable[[Copy], object]) -> Callable[[Copy], None]:
    def broken(copy: Copy) -> None:
        cuda.cuCtxPopCurrent()
        call(copy)

    return broken


def twice(call: Callable[[Copy], object]) -> Callable[[Copy], None]:
    def broken(copy: Copy) -> None:
        call(copy)
        call(copy)

    return broken


def write_too_early(copy: Copy) -> None:
    copy.copy_in()
    copy.host[:] = 5
    copy.synchronize()


def use_pageable_memory(copy: Copy) -> None:
    pageable = np.zeros(SIZE, np.uint8)
    cuda.cuMemcpyHtoDAsync(copy.memory, pageable.ctypes.data, SIZE, copy.stream)


def use_more_than_is_page_locked(copy: Copy) -> None:
    cuda.cuMemcpyHtoDAsync(copy.memory, copy.address, SIZE + 1, copy.stream)


def use_strided_memory(copy: Copy) -> None:
    cuda.cuMemcpyDtoHAsync(copy.host[::2], copy.memory, SIZE // 2, copy.stream)


def free_memory_in_use(copy: Copy) -> None:
    copy.copy_in()
    copy.free_memory()
    copy.synchronize()


def free_host_in_use(copy: Copy) -> None:
    copy.copy_out()
    copy.free_host()
    copy.synchronize()


def free_a_busy_stream(copy: Copy) -> None:
    copy.copy_in()
    copy.free_stream()


def use_a_freed_stream(copy: Copy) -> None:
    copy.free_stream()
    copy.copy_in()


def free_under_another_context(copy: Copy) -> None:
    cuda.cuCtxPushCurrent(value_of(cuda.cuDevicePrimaryCtxRetain(cuda.CUdevice(1))))
    copy.free_memory()


def free_on_another_thread(copy: Copy) -> None:
    thread = threading.Thread(target=copy.free_memory)
    thread.start()
    thread.join()


def free_a_graph_twice(_: Copy) -> None:
    graph = cuda.CUgraph([])
    cuda.cuGraphDestroy(graph)
    cuda.cuGraphDestroy(graph)


@pytest.mark.parametrize(
    ("broken", "breach"),
    [
        (pop_and(Copy.copy_in), "no current context: cuMemcpyHtoDAsync"),
        (pop_and(Copy.copy_out), "no current context: cuMemcpyDtoHAsync"),
        (pop_and(Copy.synchronize), "no current context: synchronize"),
        (pop_and(lambda _: cuda.cuMemAlloc(5)), "no current context: make 5 bytes of device memory"),
        (pop_and(lambda _: cuda.cuMemHostAlloc(5, 0)), "no current context: make page-locked memory of 5 bytes"),
        (pop_and(lambda _: cuda.cuStreamCreate(0)), "no current context: make a stream"),
        (pop_and(Copy.free_memory), f"no current context: free {SIZE} bytes of device memory"),
        (pop_and(Copy.free_host), f"no current context: free page-locked memory of {SIZE} bytes"),
        (pop_and(Copy.free_stream), "no current context: free a stream"),
        (free_on_another_thread, f"no current context: free {SIZE} bytes of device memory"),
        (free_under_another_context, f"another Context object: free {SIZE} bytes of device memory"),
        (lambda copy: cuda.cuDevicePrimaryCtxRetain(copy.device), "the primary context of device 0 is retained again"),
        (write_too_early, "host memory was written before its stream was synchronized"),
        (use_pageable_memory, "pageable memory in an asynchronous copy"),
        (use_more_than_is_page_locked, "pageable memory in an asynchronous copy"),
        (use_strided_memory, "strided memory in an asynchronous copy"),
        (free_memory_in_use, "device memory that is not allocated, or no longer"),
        (free_host_in_use, "host memory was freed before its stream was synchronized"),
        (free_a_busy_stream, "a stream is freed with work on it"),
        (use_a_freed_stream, "a stream that is not there, or no longer"),
        (twice(Copy.free_memory), "freed twice, or never made: device memory"),
        (twice(Copy.free_host), "freed twice, or never made: page-locked memory"),
        (twice(Copy.free_stream), "freed twice, or never made: a stream"),
        (free_a_graph_twice, "freed twice, or never made: a graph"),
        (lambda copy: cuda.cuMemFree(copy.memory + 1), "freed twice, or never made: device memory"),
        (twice(lambda _: cuda.cuCtxPopCurrent()), "pop without push"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_written_down(world: World, copy: Copy, broken: Callable[[Copy], object], breach: str) -> None:
    broken(copy)
    assert breach in world.breaches
    with pytest.raises(AssertionError):
        world.check()


@pytest.mark.parametrize(
    ("freed", "left"),
    [
        ((Copy.free_host, Copy.free_stream), f"{SIZE} bytes of device memory"),
        ((Copy.free_memory, Copy.free_stream), f"page-locked memory of {SIZE} bytes"),
        ((Copy.free_memory, Copy.free_host), "a stream"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_call_frees_is_a_leak(
    world: World, copy: Copy, freed: tuple[Callable[[Copy], None], ...], left: str
) -> None:
    for free in freed:
        free(copy)
    cuda.cuCtxPopCurrent()
    del copy
    gc.collect()
    assert world.breaches == []
    assert list(world.live.values()) == [left]
    with pytest.raises(AssertionError):
        world.check()


def test_memory_that_is_short_is_an_error(world: World, copy: Copy) -> None:
    assert cuda.cuMemAlloc(world.memory + 1) == (cuda.CUresult.CUDA_ERROR_OUT_OF_MEMORY, None)
    world.refuses.add("pagelocked")
    assert cuda.cuMemHostAlloc(SIZE, 0) == (cuda.CUresult.CUDA_ERROR_OUT_OF_MEMORY, None)
    assert copy.memory in world.device_memory


def test_the_double_has_no_name_that_cuda_python_lacks() -> None:
    """Names, values of enumerations, and how many arguments functions take."""
    driver = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")
    bindings = pytest.importorskip("cuda.bindings")
    members = {name: value for name, value in vars(cuda.module()).items() if not name.startswith("__")}
    assert set(members) == {member.__name__ for member in (*cuda.ENUMS, *cuda.CLASSES, *cuda.FUNCTIONS)}
    for name, member in members.items():
        real = getattr(driver, name)
        if isinstance(member, type) and issubclass(member, Enum):
            assert {entry.name: entry.value for entry in member} == {
                entry.name: getattr(real, entry.name).value for entry in member
            }
        elif isinstance(member, type):
            assert isinstance(real, type)
        else:
            assert len(inspect.signature(member).parameters) == len(inspect.signature(real).parameters), name
    assert isinstance(bindings, ModuleType)
    assert bindings.__version__.count(".") >= 2
