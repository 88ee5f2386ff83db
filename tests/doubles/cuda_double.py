"""A double of `cuda.bindings.driver`, which frees nothing by itself; on the double of a GPU.

Each function returns an error and then what it gives.
"""

from __future__ import annotations

import ctypes
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import gpu_double as gpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

VERSION = "13.5.0"


class CUresult(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_INVALID_HANDLE = 400
    CUDA_ERROR_NOT_READY = 600
    CUDA_ERROR_LAUNCH_FAILED = 719
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900


Returned = tuple[Any, ...]
SUCCESS = CUresult.CUDA_SUCCESS
WORDS = {
    CUresult.CUDA_ERROR_OUT_OF_MEMORY: b"out of memory",
    CUresult.CUDA_ERROR_NO_DEVICE: b"no CUDA-capable device is detected",
    CUresult.CUDA_ERROR_LAUNCH_FAILED: b"unspecified launch failure",
}


class CUstreamCaptureMode(Enum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1


class CUdevice_attribute(Enum):
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76


class CUdevice(int):
    pass


class CUdeviceptr(int):
    pass


class CUstream:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __int__(self) -> int:
        return self._handle


class CUcontext(NamedTuple):
    context: gpu.Context


class CUgraph(gpu.Resource):
    def __init__(self, work: list[Callable[[], Callable[[], None]]], what: str = "a graph") -> None:
        super().__init__(what)
        self.work = work
        self.keep()

    def end(self) -> None:
        self.work = []
        super().end()


class CUgraphExec(CUgraph):
    def __init__(self, graph: CUgraph) -> None:
        super().__init__(graph.work, "an executable graph")


def cuInit(flags: int) -> Returned:
    assert flags == 0
    return (CUresult.CUDA_ERROR_NO_DEVICE if "init" in gpu.world.refuses else SUCCESS,)


def cuGetErrorString(error: CUresult) -> Returned:
    words = WORDS.get(error)
    return (CUresult.CUDA_ERROR_INVALID_VALUE if words is None else SUCCESS), words


def cuDriverGetVersion() -> Returned:
    return SUCCESS, 13020


def cuDeviceGetCount() -> Returned:
    return SUCCESS, gpu.world.devices


def cuDeviceGet(number: int) -> Returned:
    return SUCCESS, CUdevice(number)


def cuDeviceGetName(length: int, _: CUdevice) -> Returned:
    """Return a buffer of that length, with a zero after the name, as cuda-python does."""
    return SUCCESS, (gpu.world.gpu.encode() + b"\0").ljust(length)


def cuDeviceTotalMem(_: CUdevice) -> Returned:
    return SUCCESS, gpu.world.memory


def cuDeviceGetAttribute(attribute: CUdevice_attribute, _: CUdevice) -> Returned:
    return SUCCESS, 8 if attribute is CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR else 9


def cuDevicePrimaryCtxRetain(device: CUdevice) -> Returned:
    return SUCCESS, CUcontext(gpu.world.retain(int(device)))


def cuCtxPushCurrent(context: CUcontext) -> Returned:
    context.context.push()
    return (SUCCESS,)


def cuCtxPopCurrent() -> Returned:
    popped = gpu.world.stack[-1:]
    gpu.Context.pop()
    return (SUCCESS, CUcontext(popped[0])) if popped else (CUresult.CUDA_ERROR_INVALID_CONTEXT, None)


def cuCtxSynchronize() -> Returned:
    gpu.Context.synchronize()
    return (SUCCESS,)


def cuMemAlloc(size: int) -> Returned:
    if not gpu.world.has_memory(size):
        return CUresult.CUDA_ERROR_OUT_OF_MEMORY, None
    return SUCCESS, CUdeviceptr(_kept(gpu.DeviceMemory(size)).number)


def cuMemFree(address: int) -> Returned:
    return _free(address, "device memory")


def cuMemHostAlloc(size: int, flags: int) -> Returned:
    assert flags == 0
    if "pagelocked" in gpu.world.refuses or size == 0:
        return CUresult.CUDA_ERROR_OUT_OF_MEMORY if size else CUresult.CUDA_ERROR_INVALID_VALUE, None
    memory = _kept(gpu.HostMemory(size, f"{size} bytes"))
    return SUCCESS, memory.address


def cuMemFreeHost(address: int) -> Returned:
    return _free(getattr(_page_locked(address, 0), "number", 0), "page-locked memory")


def cuMemcpyHtoDAsync(address: int, host: Any, size: int, stream: CUstream) -> Returned:
    gpu.world.current("cuMemcpyHtoDAsync")
    return _on(stream, lambda found: found.copy_to_device(int(address), _bytes_of(host, size)))


def cuMemcpyDtoHAsync(host: Any, address: int, size: int, stream: CUstream) -> Returned:
    gpu.world.current("cuMemcpyDtoHAsync")
    return _on(stream, lambda found: found.copy_to_host(_bytes_of(host, size), int(address)))


def cuMemcpyHtoD(address: int, host: int, size: int) -> Returned:
    gpu.world.current("cuMemcpyHtoD")
    gpu.world.on_device(int(address), size)[:] = _at(host, size)
    return (SUCCESS,)


def cuMemcpyDtoH(host: int, address: int, size: int) -> Returned:
    gpu.world.current("cuMemcpyDtoH")
    _at(host, size)[:] = gpu.world.on_device(int(address), size)
    return (SUCCESS,)


def cuStreamCreate(flags: int) -> Returned:
    assert flags == 0
    return SUCCESS, CUstream(_kept(gpu.Stream()).handle)


def cuStreamSynchronize(stream: CUstream) -> Returned:
    if gpu.world.fails("synchronize"):
        return (CUresult.CUDA_ERROR_LAUNCH_FAILED,)
    return _on(stream, gpu.Stream.synchronize)


def cuStreamQuery(stream: CUstream) -> Returned:
    return (SUCCESS if gpu.world.streams[int(stream)].is_done() else CUresult.CUDA_ERROR_NOT_READY,)


def cuStreamDestroy(stream: CUstream) -> Returned:
    return _free(int(stream), "a stream")


def cuStreamBeginCapture(stream: CUstream, mode: CUstreamCaptureMode) -> Returned:
    gpu.world.current("cuStreamBeginCapture")
    if mode is not CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL:
        gpu.world.breach("while a graph is recorded, other threads may not use CUDA")
    if "capture" in gpu.world.refuses:
        return (CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,)
    gpu.world.streams[int(stream)].recorded = []
    return (SUCCESS,)


def cuStreamEndCapture(stream: CUstream) -> Returned:
    gpu.world.current("cuStreamEndCapture")
    recording = gpu.world.streams[int(stream)]
    work, recording.recorded = recording.recorded, None
    return SUCCESS, CUgraph(work or [])


def cuGraphInstantiate(graph: CUgraph, flags: int) -> Returned:
    assert flags == 0
    return SUCCESS, CUgraphExec(graph)


def cuGraphDestroy(graph: CUgraph) -> Returned:
    return _free(graph.number, "a graph")


def cuGraphLaunch(executable: CUgraphExec, stream: CUstream) -> Returned:
    world = gpu.world
    world.current("cuGraphLaunch")
    if executable.number not in world.live:
        world.breach("a graph is launched that was destroyed")
    for start in executable.work:
        world.streams[int(stream)].put(start)
    world.launches += 1
    return (SUCCESS,)


def cuGraphExecDestroy(executable: CUgraphExec) -> Returned:
    return _free(executable.number, "an executable graph")


def _kept(resource: Any) -> Any:
    resource.keep()
    return resource


def _free(number: int, what: str) -> Returned:
    """Free it. Functions that free may return an error of earlier work, and free nevertheless."""
    resource = gpu.world.kept.get(int(number))
    if resource is None or what not in resource.what:
        gpu.world.breach(f"freed twice, or never made: {what}")
        return (CUresult.CUDA_ERROR_INVALID_VALUE,)
    resource.free()
    return (CUresult.CUDA_ERROR_LAUNCH_FAILED if gpu.world.fails(f"free {what}") else SUCCESS,)


def _on(stream: CUstream, put: Callable[[gpu.Stream], None]) -> Returned:
    found = gpu.world.streams.get(int(stream))
    if found is None:
        gpu.world.breach("a stream that is not there, or no longer")
        return (CUresult.CUDA_ERROR_INVALID_HANDLE,)
    put(found)
    return (SUCCESS,)


def _at(address: int, size: int) -> NDArray[np.uint8]:
    memory: Any = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(memory, np.uint8)


def _bytes_of(host: Any, size: int) -> NDArray[np.uint8]:
    """Return the bytes of an address, or of an array: cuda-python takes both."""
    if not isinstance(host, int):
        return gpu.checked_bytes(host)
    if (memory := _page_locked(host, size)) is not None:
        return memory.bytes[host - memory.address :][:size]
    gpu.world.breach("pageable memory in an asynchronous copy")
    return np.full(size, gpu.POISON, np.uint8)


def _page_locked(address: int, size: int) -> gpu.HostMemory | None:
    pieces = [memory for memory in list(gpu.world.kept.values()) if isinstance(memory, gpu.HostMemory)]
    return next((piece for piece in pieces if 0 <= address - piece.address <= len(piece.bytes) - size), None)


ENUMS = (CUresult, CUstreamCaptureMode, CUdevice_attribute)
CLASSES = (CUdevice, CUdeviceptr, CUcontext, CUstream, CUgraph, CUgraphExec)
FUNCTIONS = tuple(value for name, value in globals().items() if name.startswith("cu") and callable(value))


def module() -> ModuleType:
    """Return what `from cuda.bindings import driver` gives."""
    driver = ModuleType("cuda.bindings.driver")
    for member in (*ENUMS, *CLASSES, *FUNCTIONS):
        setattr(driver, member.__name__, member)
    return driver
