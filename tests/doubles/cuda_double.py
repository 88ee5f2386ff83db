"""A double of `cuda.bindings.driver`: graphs on the streams of pycuda's double."""

from __future__ import annotations

from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pycuda_double as gpu
from pycuda_double import Resource

if TYPE_CHECKING:
    from collections.abc import Callable


class CUresult(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900


class CUstreamCaptureMode(Enum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1


class CUstream:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __int__(self) -> int:
        return self._handle


class Handle(Resource):
    """What nobody frees but who calls the function for it."""

    def __del__(self) -> None:
        pass


class CUgraph(Handle):
    def __init__(self, work: list[Callable[[], Callable[[], None]]]) -> None:
        super().__init__("a graph")
        self._work = work


class CUgraphExec(Handle):
    def __init__(self, graph: CUgraph) -> None:
        super().__init__("an executable graph")
        self._work = graph._work  # noqa: SLF001
        self._is_alive = True


def cuStreamBeginCapture(stream: CUstream, mode: CUstreamCaptureMode) -> tuple[CUresult]:  # noqa: N802
    gpu.world.current("cuStreamBeginCapture")
    if mode is not CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL:
        gpu.world.breach("while a graph is recorded, other threads may not use CUDA")
    if "capture" in gpu.world.refuses:
        return (CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,)
    gpu.world.streams[int(stream)].recorded = []
    return (CUresult.CUDA_SUCCESS,)


def cuStreamEndCapture(stream: CUstream) -> tuple[CUresult, CUgraph]:  # noqa: N802
    gpu.world.current("cuStreamEndCapture")
    recording = gpu.world.streams[int(stream)]
    work, recording.recorded = recording.recorded, None
    return CUresult.CUDA_SUCCESS, CUgraph(work or [])


def cuGraphInstantiate(graph: CUgraph, flags: int) -> tuple[CUresult, CUgraphExec]:  # noqa: N802
    assert flags == 0
    return CUresult.CUDA_SUCCESS, CUgraphExec(graph)


def cuGraphDestroy(graph: CUgraph) -> tuple[CUresult]:  # noqa: N802
    graph.end()
    return (CUresult.CUDA_SUCCESS,)


def cuGraphLaunch(executable: CUgraphExec, stream: CUstream) -> tuple[CUresult]:  # noqa: N802
    world = gpu.world
    world.current("cuGraphLaunch")
    if not executable._is_alive:  # noqa: SLF001
        world.breach("a graph is launched that was destroyed")
    for start in executable._work:  # noqa: SLF001
        world.streams[int(stream)].put(start)
    world.launches += 1
    return (CUresult.CUDA_SUCCESS,)


def cuGraphExecDestroy(executable: CUgraphExec) -> tuple[CUresult]:  # noqa: N802
    executable._is_alive = False  # noqa: SLF001
    executable.end()
    return (CUresult.CUDA_SUCCESS,)


MEMBERS: tuple[Any, ...] = (
    CUresult,
    CUstreamCaptureMode,
    CUstream,
    cuStreamBeginCapture,
    cuStreamEndCapture,
    cuGraphInstantiate,
    cuGraphDestroy,
    cuGraphLaunch,
    cuGraphExecDestroy,
)


def module() -> ModuleType:
    """Return what `from cuda.bindings import driver` gives."""
    driver = ModuleType("cuda.bindings.driver")
    for member in MEMBERS:
        setattr(driver, member.__name__, member)
    return driver
