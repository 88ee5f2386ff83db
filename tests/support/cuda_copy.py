"""All that a correct copy to a GPU and back needs, by the real cuda-python's driver."""

from __future__ import annotations

import ctypes
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cuda.bindings import driver as cuda

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pretend_machine import World

SIZE = 64
NON_BLOCKING = 1
GLOBAL = cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
THREAD_LOCAL = cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL


def value_of(returned: tuple[Any, ...]) -> Any:
    """Return what a function gave; it must have succeeded."""
    error, *values = returned
    assert error == cuda.CUresult.CUDA_SUCCESS, error
    return values[0] if values else None


def context_of(device: int) -> Any:
    return value_of(cuda.cuDevicePrimaryCtxRetain(value_of(cuda.cuDeviceGet(device))))


def in_thread(call: Callable[[], Any]) -> Any:
    """Call it on a thread of its own, the stack of contexts of which nobody shares."""
    results: list[Any] = []
    thread = Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


class Copy:
    def __init__(self) -> None:
        value_of(cuda.cuInit(0))
        self.context = context_of(0)
        value_of(cuda.cuCtxPushCurrent(self.context))
        self.memory = value_of(cuda.cuMemAlloc(SIZE))
        self.address: int = value_of(cuda.cuMemHostAlloc(SIZE, 0))
        self.stream = value_of(cuda.cuStreamCreate(0))

    @property
    def host(self) -> NDArray[np.uint8]:
        memory: Any = (ctypes.c_uint8 * SIZE).from_address(self.address)
        return np.frombuffer(memory, np.uint8)

    def copy_in(self) -> Any:
        return cuda.cuMemcpyHtoDAsync(self.memory, self.address, SIZE, self.stream)

    def copy_out(self) -> Any:
        return cuda.cuMemcpyDtoHAsync(self.address, self.memory, SIZE, self.stream)

    def synchronize(self) -> Any:
        return cuda.cuStreamSynchronize(self.stream)

    def query(self) -> Any:
        return cuda.cuStreamQuery(self.stream)

    def free_memory(self) -> Any:
        return cuda.cuMemFree(self.memory)

    def free_host(self) -> Any:
        return cuda.cuMemFreeHost(self.address)

    def free_stream(self) -> Any:
        return cuda.cuStreamDestroy(self.stream)

    def begin_recording(self, mode: Any = THREAD_LOCAL) -> Any:
        return cuda.cuStreamBeginCapture(self.stream, mode)

    def end_recording(self) -> Any:
        return cuda.cuStreamEndCapture(self.stream)

    def close(self) -> None:
        for free in (self.free_host, self.free_memory, self.free_stream, cuda.cuCtxPopCurrent):
            value_of(free())


def copy_pageable(copy: Copy) -> Any:
    return cuda.cuMemcpyHtoDAsync(copy.memory, np.zeros(SIZE, np.uint8).ctypes.data, SIZE, copy.stream)


def pop_and(call: Callable[[Copy], Any]) -> Callable[[Copy], Any]:
    def broken(copy: Copy) -> Any:
        cuda.cuCtxPopCurrent()
        return call(copy)

    return broken


def twice(call: Callable[[Copy], Any]) -> Callable[[Copy], Any]:
    def broken(copy: Copy) -> Any:
        value_of(call(copy))
        return call(copy)

    return broken


def after(first: Callable[[Copy], Any], second: Callable[[Copy], Any]) -> Callable[[Copy], Any]:
    def broken(copy: Copy) -> Any:
        value_of(first(copy))
        return second(copy)

    return broken


def recording_and(call: Callable[[Copy], Any]) -> Callable[[Copy], Any]:
    return after(Copy.begin_recording, call)


def elsewhere(call: Callable[[Copy], Any]) -> Callable[[Copy], Any]:
    """Call it on another thread, which has the context too."""

    def on_a_thread(copy: Copy) -> Any:
        value_of(cuda.cuCtxPushCurrent(copy.context))
        return call(copy)

    return lambda copy: in_thread(lambda: on_a_thread(copy))


def assert_noticed(world: World, broken: Callable[[Copy], Any], code: str, breach: str) -> None:
    """Break a rule on a thread of its own, while work takes 20 ms: the call returns that error and is reported."""
    world.set("delay=20000")
    world.set("devices=3")
    error, *_ = in_thread(lambda: broken(Copy()))
    assert error.name == code
    assert any(breach in line for line in world.breaches), world.breaches
    with pytest.raises(AssertionError):
        world.check()
