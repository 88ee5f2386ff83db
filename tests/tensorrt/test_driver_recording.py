"""Rules of recording CUDA graphs, broken on purpose: the pretend driver notices each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

cuda = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")

from cuda_copy import (  # noqa: E402
    GLOBAL,
    NON_BLOCKING,
    SIZE,
    THREAD_LOCAL,
    Copy,
    after,
    assert_noticed,
    copy_pageable,
    elsewhere,
    in_thread,
    recording_and,
    twice,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pretend_machine import World


def recorded(copy: Copy) -> Any:
    value_of(copy.begin_recording())
    value_of(copy.copy_in())
    return value_of(copy.end_recording())


def launch_what_was_destroyed(copy: Copy) -> Any:
    executable = value_of(cuda.cuGraphInstantiate(recorded(copy), 0))
    value_of(cuda.cuGraphExecDestroy(executable))
    return cuda.cuGraphLaunch(executable, copy.stream)


def launch_with_freed_memory(copy: Copy) -> Any:
    executable = value_of(cuda.cuGraphInstantiate(recorded(copy), 0))
    value_of(copy.free_memory())
    return cuda.cuGraphLaunch(executable, copy.stream)


def free_a_graph_twice(copy: Copy) -> Any:
    graph = recorded(copy)
    value_of(cuda.cuGraphDestroy(graph))
    return cuda.cuGraphDestroy(graph)


def end_what_became_invalid(copy: Copy) -> Any:
    copy.begin_recording()
    copy.synchronize()
    return copy.end_recording()


def test_what_is_recorded_is_not_done_yet(world_to_break: World) -> None:
    def use(copy: Copy) -> None:
        copy.host[:] = 5
        value_of(copy.begin_recording())
        value_of(copy.copy_out())
        value_of(cuda.cuGraphDestroy(value_of(copy.end_recording())))
        assert (copy.host == 5).all()
        copy.close()

    in_thread(lambda: use(Copy()))
    world_to_break.check()


def test_the_default_stream_may_be_used_while_a_non_blocking_one_is_recorded(world_to_break: World) -> None:
    def use(copy: Copy) -> None:
        other = value_of(cuda.cuStreamCreate(NON_BLOCKING))
        value_of(cuda.cuStreamBeginCapture(other, THREAD_LOCAL))
        value_of(cuda.cuMemcpyHtoDAsync(copy.memory, copy.address, SIZE, 0))
        value_of(cuda.cuGraphDestroy(value_of(cuda.cuStreamEndCapture(other))))
        value_of(cuda.cuStreamSynchronize(0))
        value_of(cuda.cuStreamDestroy(other))
        copy.close()

    in_thread(lambda: use(Copy()))
    world_to_break.check()


def test_a_graph_runs_once_at_a_time(world_to_break: World) -> None:
    world_to_break.set("delay=20000")

    def use(copy: Copy) -> None:
        executable = value_of(cuda.cuGraphInstantiate(recorded(copy), 0))
        streams = [value_of(cuda.cuStreamCreate(0)) for _ in range(3)]
        for stream in streams:
            value_of(cuda.cuGraphLaunch(executable, stream))
        value_of(cuda.cuStreamSynchronize(streams[2]))
        copies = [span for span in world_to_break.log if span.what == "copy to device"]
        assert [span.stream for span in copies] == [int(stream) for stream in streams]
        assert all(first.ended <= second.began for first, second in pairwise(copies))
        for stream in streams:
            value_of(cuda.cuStreamDestroy(stream))

    in_thread(lambda: use(Copy()))
    assert world_to_break.breaches == []


FREED = "that was freed before, or never made"
RULES: dict[str, tuple[Callable[[Copy], Any], str, str]] = {
    "free a graph twice": (free_a_graph_twice, "CUDA_ERROR_INVALID_VALUE", f"a graph {FREED}"),
    "launch a destroyed graph": (launch_what_was_destroyed, "CUDA_ERROR_INVALID_VALUE", f"an executable graph {FREED}"),
    "launch with freed memory": (launch_with_freed_memory, "CUDA_ERROR_INVALID_VALUE", "not allocated, or no longer"),
    "synchronize while recording": (
        recording_and(Copy.synchronize),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "the stream is recorded",
    ),
    "query while recording": (
        recording_and(Copy.query),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "the stream is recorded",
    ),
    "allocate while recording": (
        recording_and(lambda _: cuda.cuMemAlloc(5)),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "forbidden while a stream is recorded",
    ),
    "wait for everything while recording": (
        recording_and(lambda _: cuda.cuCtxSynchronize()),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "forbidden while a stream is recorded",
    ),
    "allocate elsewhere while all threads are kept from it": (
        after(lambda copy: copy.begin_recording(GLOBAL), elsewhere(lambda _: cuda.cuMemAlloc(5))),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "forbidden while a stream is recorded",
    ),
    "record pageable memory": (
        recording_and(copy_pageable),
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "the stream is recorded",
    ),
    "the default stream while recording": (
        recording_and(lambda copy: cuda.cuMemcpyHtoDAsync(copy.memory, copy.address, SIZE, 0)),
        "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
        "the default stream would wait for one that is recorded",
    ),
    "record twice at once": (
        twice(Copy.begin_recording),
        "CUDA_ERROR_ILLEGAL_STATE",
        "a stream that is recorded already",
    ),
    "end without begin": (Copy.end_recording, "CUDA_ERROR_ILLEGAL_STATE", "a stream that is not recorded"),
    "end elsewhere": (
        recording_and(elsewhere(Copy.end_recording)),
        "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
        "a recording that another thread began",
    ),
    "free a stream while recording": (
        recording_and(Copy.free_stream),
        "CUDA_SUCCESS",
        "a stream that is recorded",
    ),
    "end what became invalid": (
        end_what_became_invalid,
        "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
        "the stream is recorded",
    ),
}


@pytest.mark.parametrize(("broken", "code", "breach"), RULES.values(), ids=RULES)
def test_a_broken_rule_is_noticed(world_to_break: World, broken: Callable[[Copy], Any], code: str, breach: str) -> None:
    assert_noticed(world_to_break, broken, code, breach)
