"""A GPU that is none: what lives on it and what was done wrong. The doubles of pycuda and of cuda-python work on it.

Work that is put on a stream is done when the stream is synchronized, not before: what is read too early is poison.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

POISON = 0xFF


class World:
    """One machine with GPUs, what lives on them, and what was done wrong.

    `refuses` names what is refused from now on, `fails_once` the functions that fail at their next call.
    """

    def __init__(self, binding: str = "pycuda") -> None:
        self.binding = binding
        self.devices = 1
        self.gpu = "Double GPU"
        self.memory = 1 << 30
        self.refuses: set[str] = set()
        self.fails_once: set[str] = set()
        self.breaches: list[str] = []
        self.built: list[str] = []
        self.launches = 0
        self.log: list[tuple[str, int]] = []
        """Which streams were given an input, and which were waited for."""
        self.live: dict[int, str] = {}
        self.kept: dict[int, Resource] = {}
        self.retained: set[int] = set()
        self.device_memory: dict[int, NDArray[np.uint8]] = {}
        self.host_memory: dict[int, int] = {}
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

    def retain(self, device: int) -> Context:
        """Return the primary context of a device, which is to be done once."""
        if device in self.retained:
            self.breach(f"the primary context of device {device} is retained again")
        self.retained.add(device)
        return Context()

    def number(self) -> int:
        with self._lock:
            self._next += 0x100
            return self._next

    def fails(self, function: str) -> bool:
        """Whether this call is the one that fails."""
        with self._lock:
            is_failing = function in self.fails_once
            self.fails_once.discard(function)
            return is_failing

    def has_memory(self, size: int) -> bool:
        return sum(map(len, self.device_memory.values())) + size <= self.memory

    def on_device(self, address: int, size: int) -> NDArray[np.uint8]:
        """Return bytes of a device, which must be allocated there."""
        memory = self.device_memory.get(address)
        if memory is None or len(memory) < size:
            self.breach("device memory that is not allocated, or no longer")
            return np.full(size, POISON, np.uint8)
        return memory[:size]

    def is_page_locked(self, address: int, size: int) -> bool:
        pieces = list(self.host_memory.items())
        return any(start <= address and address + size <= start + length for start, length in pieces)

    def check(self) -> None:
        """Fail if anything was done wrong, or is still alive."""
        assert self.breaches == [], self.breaches
        assert self.live == {}, self.live
        assert self.stack == []


world = World()


def new_world(binding: str = "pycuda") -> World:
    global world  # noqa: PLW0603
    world = World(binding)
    return world


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


class Resource:
    """What is made and freed under the same context object; by garbage collection, or, if it is kept, by a call."""

    def __init__(self, what: str) -> None:
        self.world, self.what, self.number = world, what, world.number()
        self.context = world.current(f"make {what}")
        world.live[self.number] = what

    def keep(self) -> None:
        self.world.kept[self.number] = self

    def free(self) -> None:
        if self.number not in self.world.live:
            self.world.breach(f"freed twice: {self.what}")
        self.end()

    def end(self) -> None:
        if self.world.live.pop(self.number, None) is None:
            return
        self.world.kept.pop(self.number, None)
        context = self.world.current(f"free {self.what}")
        if context is not None and context is not self.context:
            self.world.breach(f"another Context object: free {self.what}")

    def __del__(self) -> None:
        if self.number not in self.world.kept:
            self.end()


class DeviceMemory(Resource):
    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes of device memory")
        world.device_memory[self.number] = np.full(size, POISON, np.uint8)

    def end(self) -> None:
        self.world.device_memory.pop(self.number, None)
        super().end()


class HostMemory(Resource):
    """Page-locked memory; once it is freed, poison."""

    def __init__(self, size: int, what: str) -> None:
        super().__init__(f"page-locked memory of {what}")
        self.bytes = np.zeros(size, np.uint8)
        self.address: int = self.bytes.ctypes.data
        world.host_memory[self.address] = size

    def end(self) -> None:
        self.world.host_memory.pop(self.address, None)
        self.bytes[:] = POISON
        super().end()


class Stream(Resource):
    def __init__(self) -> None:
        super().__init__("a stream")
        self.handle = self.number
        self.work: list[Callable[[], None]] = []
        self.recorded: list[Callable[[], Callable[[], None]]] | None = None
        self._work_lock = threading.Lock()
        world.streams[self.handle] = self

    def put(self, start: Callable[[], Callable[[], None]]) -> None:
        """Put work on it: `start` does at once what is done when work is put on a stream, and returns the rest."""
        if self.recorded is not None:
            self.recorded.append(start)
            return
        step = start()
        with self._work_lock:
            self.work.append(step)

    def copy_to_device(self, address: int, source: NDArray[np.uint8]) -> None:
        def start() -> Callable[[], None]:
            checksum = zlib.crc32(source.data)

            def copy() -> None:
                self._check_host(source)
                if zlib.crc32(source.data) != checksum:
                    world.breach("host memory was written before its stream was synchronized")
                world.on_device(address, source.size)[:] = source

            world.log.append(("copy to device", self.handle))
            return copy

        self.put(start)

    def copy_to_host(self, target: NDArray[np.uint8], address: int) -> None:
        def start() -> Callable[[], None]:
            target[:] = POISON

            def copy() -> None:
                self._check_host(target)
                target[:] = world.on_device(address, target.size)

            return copy

        self.put(start)

    @staticmethod
    def _check_host(array: NDArray[np.uint8]) -> None:
        if not world.is_page_locked(array.ctypes.data, array.size):
            world.breach("host memory was freed before its stream was synchronized")

    def synchronize(self) -> None:
        world.current("synchronize")
        if self.recorded is not None:
            world.breach("a stream is synchronized while it is recorded")
        world.log.append(("synchronize", self.handle))
        with self._work_lock:
            work, self.work = self.work, []
            for step in work:
                step()

    def is_done(self) -> bool:
        """Query it. A GPU works meanwhile: each time, a piece of the work is done."""
        world.current("query a stream")
        with self._work_lock:
            if self.work:
                self.work.pop(0)()
            return not self.work

    def end(self) -> None:
        if self.work:
            self.world.breach("a stream is freed with work on it")
            self.work = []
        self.world.streams.pop(self.handle, None)
        super().end()


def checked_bytes(host: Any) -> NDArray[np.uint8]:
    """Return the bytes of an array for an asynchronous copy, which must be page-locked and contiguous."""
    if not host.flags.c_contiguous:
        world.breach("strided memory in an asynchronous copy")
        host = np.ascontiguousarray(host)
    elif not world.is_page_locked(host.ctypes.data, host.nbytes):
        world.breach("pageable memory in an asynchronous copy")
    flat: NDArray[np.uint8] = host.reshape(-1).view(np.uint8)
    return flat
