"""The pretend driver notices each rule that is broken on purpose: by its error code, by a line in its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pretend_driver

cuda = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")

from cuda_copy import (  # noqa: E402
    SIZE,
    Copy,
    after,
    assert_noticed,
    context_of,
    copy_pageable,
    in_thread,
    pop_and,
    twice,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pretend_machine import World


def write_too_early(copy: Copy) -> Any:
    copy.copy_in()
    copy.host[:] = 5
    return copy.synchronize()


def write_after_free(copy: Copy) -> Any:
    host = copy.host
    freed = copy.free_host()
    host[3] = 1
    return freed


def copy_to_pageable(copy: Copy) -> Any:
    return cuda.cuMemcpyDtoHAsync(np.zeros(SIZE, np.uint8).ctypes.data, copy.memory, SIZE, copy.stream)


def copy_more_than_is_page_locked(copy: Copy) -> Any:
    """Page-locked memory begins with a page, so that there is something to read behind it."""
    return cuda.cuMemcpyHtoDAsync(copy.memory, copy.address + SIZE // 2, SIZE // 2 + 1, copy.stream)


def free_under_another_context(copy: Copy) -> Any:
    value_of(cuda.cuCtxPushCurrent(context_of(1)))
    return copy.free_memory()


def use_a_stream_of_another_context(copy: Copy) -> Any:
    value_of(cuda.cuCtxPushCurrent(context_of(1)))
    return copy.copy_in()


def record_an_event_of_another_context(_: Copy) -> Any:
    event = value_of(cuda.cuEventCreate(0))
    value_of(cuda.cuCtxPushCurrent(context_of(1)))
    return cuda.cuEventRecord(event, value_of(cuda.cuStreamCreate(0)))


def release_a_context_with_memory(_: Copy) -> Any:
    value_of(cuda.cuCtxPushCurrent(context_of(2)))
    value_of(cuda.cuMemAlloc(5))
    return cuda.cuDevicePrimaryCtxRelease(value_of(cuda.cuDeviceGet(2)))


def use_a_released_context(copy: Copy) -> Any:
    value_of(cuda.cuCtxPushCurrent(context_of(2)))
    value_of(cuda.cuDevicePrimaryCtxRelease(value_of(cuda.cuDeviceGet(2))))
    return cuda.cuMemAlloc(len(copy.host))


def use_cuda_in_a_host_function(copy: Copy) -> Any:
    returned: list[Any] = []
    function = pretend_driver.HostFunction(lambda _: returned.append(cuda.cuMemAlloc(5)))
    assert pretend_driver.launch(int(copy.stream), function)
    copy.synchronize()
    return returned[0]


NO_CONTEXT = ("CUDA_ERROR_INVALID_CONTEXT", "no context is current")
FREED = "that was freed before, or never made"
RULES: dict[str, tuple[Callable[[Copy], Any], str, str]] = {
    "copy in without a context": (pop_and(Copy.copy_in), *NO_CONTEXT),
    "copy out without a context": (pop_and(Copy.copy_out), *NO_CONTEXT),
    "synchronize without a context": (pop_and(Copy.synchronize), *NO_CONTEXT),
    "query without a context": (pop_and(Copy.query), *NO_CONTEXT),
    "allocate without a context": (pop_and(lambda _: cuda.cuMemAlloc(5)), *NO_CONTEXT),
    "allocate page-locked memory without a context": (pop_and(lambda _: cuda.cuMemHostAlloc(5, 0)), *NO_CONTEXT),
    "make a stream without a context": (pop_and(lambda _: cuda.cuStreamCreate(0)), *NO_CONTEXT),
    "free without a context": (pop_and(Copy.free_memory), *NO_CONTEXT),
    "free page-locked memory without a context": (pop_and(Copy.free_host), *NO_CONTEXT),
    "free a stream without a context": (pop_and(Copy.free_stream), *NO_CONTEXT),
    "free on a thread without a context": (lambda copy: in_thread(copy.free_memory), *NO_CONTEXT),
    "pop too often": (twice(lambda _: cuda.cuCtxPopCurrent()), "CUDA_ERROR_INVALID_CONTEXT", "pop without push"),
    "push nothing": (lambda _: cuda.cuCtxPushCurrent(3), "CUDA_ERROR_INVALID_CONTEXT", "a context that is not there"),
    "free under another context": (free_under_another_context, "CUDA_SUCCESS", "device memory of another context"),
    "a stream of another context": (
        use_a_stream_of_another_context,
        "CUDA_ERROR_INVALID_HANDLE",
        "a stream of another context",
    ),
    "an event of another context": (
        record_an_event_of_another_context,
        "CUDA_ERROR_INVALID_HANDLE",
        "an event of another context",
    ),
    "set what is not a context": (
        lambda _: cuda.cuCtxSetCurrent(3),
        "CUDA_ERROR_INVALID_CONTEXT",
        "a context that is not there",
    ),
    "release a context with memory": (release_a_context_with_memory, "CUDA_SUCCESS", "in which 1 resources are alive"),
    "use a released context": (
        use_a_released_context,
        "CUDA_ERROR_CONTEXT_IS_DESTROYED",
        "a context that was released",
    ),
    "write too early": (write_too_early, "CUDA_SUCCESS", "was written before its stream was synchronized"),
    "write after free": (write_after_free, "CUDA_SUCCESS", "page-locked memory was written after it was freed"),
    "copy from pageable memory": (copy_pageable, "CUDA_SUCCESS", "pageable memory in an asynchronous copy"),
    "copy to pageable memory": (copy_to_pageable, "CUDA_SUCCESS", "pageable memory in an asynchronous copy"),
    "copy more than is page-locked": (copy_more_than_is_page_locked, "CUDA_SUCCESS", "pageable memory"),
    "copy more than is allocated": (
        lambda copy: cuda.cuMemcpyDtoHAsync(copy.address, int(copy.memory) + 1, SIZE, copy.stream),
        "CUDA_ERROR_INVALID_VALUE",
        "device memory that is not allocated",
    ),
    "free memory in use": (after(Copy.copy_in, Copy.free_memory), "CUDA_SUCCESS", "memory that work under way uses"),
    "free page-locked memory in use": (
        after(Copy.copy_out, Copy.free_host),
        "CUDA_SUCCESS",
        "page-locked memory that work under way uses",
    ),
    "free a busy stream": (after(Copy.copy_in, Copy.free_stream), "CUDA_SUCCESS", "a stream that has work left"),
    "use freed memory": (
        after(Copy.free_memory, Copy.copy_in),
        "CUDA_ERROR_INVALID_VALUE",
        "not allocated, or no longer",
    ),
    "use a freed stream": (after(Copy.free_stream, Copy.copy_in), "CUDA_ERROR_INVALID_HANDLE", f"a stream {FREED}"),
    "free twice": (twice(Copy.free_memory), "CUDA_ERROR_INVALID_VALUE", f"device memory {FREED}"),
    "free page-locked memory twice": (
        twice(Copy.free_host),
        "CUDA_ERROR_INVALID_VALUE",
        f"page-locked memory {FREED}",
    ),
    "free a stream twice": (twice(Copy.free_stream), "CUDA_ERROR_INVALID_HANDLE", f"a stream {FREED}"),
    "free what was not allocated": (
        lambda copy: cuda.cuMemFree(int(copy.memory) + 1),
        "CUDA_ERROR_INVALID_VALUE",
        f"device memory {FREED}",
    ),
    "CUDA in a host function": (
        use_cuda_in_a_host_function,
        "CUDA_ERROR_NOT_PERMITTED",
        "CUDA is used in a host function",
    ),
}


@pytest.mark.parametrize(("broken", "code", "breach"), RULES.values(), ids=RULES)
def test_a_broken_rule_is_noticed(world_to_break: World, broken: Callable[[Copy], Any], code: str, breach: str) -> None:
    assert_noticed(world_to_break, broken, code, breach)


@pytest.mark.parametrize(
    ("freed", "left"),
    [
        ((Copy.free_host, Copy.free_stream), f"{SIZE} bytes of device memory"),
        ((Copy.free_memory, Copy.free_stream), f"{SIZE} bytes of page-locked memory"),
        ((Copy.free_memory, Copy.free_host), "a stream"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_call_frees_is_a_leak(
    world_to_break: World, freed: tuple[Callable[[Copy], Any], ...], left: str
) -> None:
    def leak() -> None:
        copy = Copy()
        for free in freed:
            value_of(free(copy))

    in_thread(leak)
    assert (world_to_break.breaches, world_to_break.live) == ([], [left])
    with pytest.raises(AssertionError):
        world_to_break.check()
