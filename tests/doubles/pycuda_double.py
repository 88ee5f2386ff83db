"""A double of `pycuda.driver`, and of a GPU, that writes down every breach of the contract.

Work that is put on a stream is done when the stream is synchronized, not before: what is read too early is poison.
"""

from __future__ import annotations

import builtins
import threading
import zlib
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

POISON = 0xFF


class World:
    """One machine with GPUs, what lives on them, and what was done wrong."""

    def __init__(self) -> None:
        self.devices = 1
        self.memory = 1 << 30
        self.refuses: set[str] = set()
        self.breaches: list[str] = []
        self.built: list[str] = []
        self.launches = 0
        self.live: dict[int, str] = {}
        self.device_memory: dict[int, NDArray[np.uint8]] = {}
        self.streams: WeakValueDictionary[int, Stream] = WeakValueDictionary()
        self._stacks = threading.local()
        self._lock = threading.RLock()
        self._next = 0x1000

    @property
    def stack(self) -> list[Context]:
        """The contexts that this thread has pushed."""
        if not hasattr(self._stacks, "contexts"):
            self._stacks.contexts = []
        contexts: list[Context] = self._stacks.contexts
        return contexts

    def breach(self, text: str) -> None:
        with self._lock:
            self.breaches.append(text)

    def current(self, what: str) -> Context | None:
        """Return the context that is current on this thread, which there must be."""
        if self.stack:
            return self.stack[-1]
        self.breach(f"no current context: {what}")
        return None

    def number(self) -> int:
        with self._lock:
            self._next += 0x100
            return self._next

    def check(self) -> None:
        """Fail if anything was done wrong, or is still alive."""
        assert self.breaches == [], self.breaches
        assert self.live == {}, self.live
        assert self.stack == []


world = World()


def new_world() -> World:
    global world  # noqa: PLW0603
    world = World()
    return world


class Resource:
    """What is made and freed under the same context object."""

    def __init__(self, what: str) -> None:
        self.world, self.what, self.number = world, what, world.number()
        self.context = world.current(f"make {what}")
        world.live[self.number] = what

    def end(self) -> None:
        if self.world.live.pop(self.number, None) is None:
            return
        context = self.world.current(f"free {self.what}")
        if context is not None and context is not self.context:
            self.world.breach(f"another Context object: free {self.what}")

    def __del__(self) -> None:
        self.end()


class Error(Exception):
    pass


class LogicError(Error):
    pass


class RuntimeError(Error):  # noqa: A001
    pass


class MemoryError(Error):  # noqa: A001
    pass


class Context:
    def push(self) -> None:
        world.stack.append(self)

    @staticmethod
    def pop() -> None:
        if world.stack:
            world.stack.pop()
        else:
            world.breach("pop without push")

    @staticmethod
    def synchronize() -> None:
        for stream in list(world.streams.values()):
            stream.synchronize()


class Device:
    def __init__(self, number: int) -> None:
        self.number = number

    @staticmethod
    def count() -> int:
        return world.devices

    def name(self) -> str:
        return "Double GPU"

    def total_memory(self) -> int:
        return world.memory

    def compute_capability(self) -> tuple[int, int]:
        return 8, 9

    def retain_primary_context(self) -> Context:
        return Context()


class Stream(Resource):
    def __init__(self) -> None:
        super().__init__("a stream")
        self.handle = self.number
        self.work: list[Callable[[], None]] = []
        self.recorded: list[Callable[[], Callable[[], None]]] | None = None
        self._lock = threading.Lock()
        world.streams[self.handle] = self

    def put(self, start: Callable[[], Callable[[], None]]) -> None:
        """Put work on it: `start` does at once what is done when work is put on a stream, and returns the rest."""
        if self.recorded is not None:
            self.recorded.append(start)
            return
        step = start()
        with self._lock:
            self.work.append(step)

    def synchronize(self) -> None:
        world.current("synchronize")
        if self.recorded is not None:
            world.breach("a stream is synchronized while it is recorded")
        with self._lock:
            work, self.work = self.work, []
            for step in work:
                step()

    def end(self) -> None:
        if self.work:
            self.world.breach("a stream is freed with work on it")
        super().end()


class DeviceAllocation(Resource):
    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes of device memory")
        world.device_memory[self.number] = np.full(size, POISON, np.uint8)

    def __int__(self) -> int:
        return self.number

    def free(self) -> None:
        self.world.device_memory.pop(self.number, None)
        self.end()


class PagelockedHostAllocation(Resource):
    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        super().__init__(f"page-locked memory of {shape}")
        self._memory = np.zeros(shape, dtype)
        self.__array_interface__ = self._memory.__array_interface__


def init() -> None:
    if "init" in world.refuses:
        raise RuntimeError("cuInit failed: no CUDA-capable device is detected")


def get_driver_version() -> int:
    return 13020


def mem_alloc(size: int) -> DeviceAllocation:
    if sum(map(len, world.device_memory.values())) + size > world.memory:
        raise MemoryError("cuMemAlloc failed: out of memory")
    return DeviceAllocation(size)


def pagelocked_empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.asarray(PagelockedHostAllocation(shape, dtype))


def memcpy_htod_async(device: DeviceAllocation, host: NDArray[Any], stream: Stream) -> None:
    world.current("memcpy_htod_async")
    source = _bytes_of(host)

    def start() -> Callable[[], None]:
        checksum = zlib.crc32(source.data)

        def copy() -> None:
            if zlib.crc32(source.data) != checksum:
                world.breach("host memory was written before its stream was synchronized")
            world.device_memory[int(device)][: source.size] = source

        return copy

    stream.put(start)


def memcpy_dtoh_async(host: NDArray[Any], device: DeviceAllocation, stream: Stream) -> None:
    world.current("memcpy_dtoh_async")
    target = _bytes_of(host)

    def start() -> Callable[[], None]:
        target[:] = POISON

        def copy() -> None:
            target[:] = world.device_memory[int(device)][: target.size]

        return copy

    stream.put(start)


def memcpy_dtoh(host: NDArray[Any], address: int) -> None:
    world.current("memcpy_dtoh")
    host.reshape(-1).view(np.uint8)[:] = world.device_memory[address][: host.nbytes]


def memcpy_htod(address: int, host: NDArray[Any]) -> None:
    world.current("memcpy_htod")
    world.device_memory[address][: host.nbytes] = host.reshape(-1).view(np.uint8)


def _bytes_of(host: NDArray[Any]) -> NDArray[np.uint8]:
    base: Any = host
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, PagelockedHostAllocation):
        world.breach("pageable memory in an asynchronous copy")
    if not host.flags.c_contiguous:
        world.breach("strided memory in an asynchronous copy")
        host = np.ascontiguousarray(host)
    return host.reshape(-1).view(np.uint8)


def module() -> ModuleType:
    """Return what `import pycuda.driver` gives."""
    double = ModuleType("pycuda.driver")
    members: tuple[Any, ...] = (Error, LogicError, RuntimeError, MemoryError, Context, Device, Stream)
    members += (init, get_driver_version, mem_alloc, pagelocked_empty)
    members += (memcpy_htod, memcpy_dtoh, memcpy_htod_async, memcpy_dtoh_async)
    for member in members:
        setattr(double, member.__name__, member)
    assert not issubclass(MemoryError, builtins.MemoryError)
    return double
