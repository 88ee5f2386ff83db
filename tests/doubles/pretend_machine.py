"""A machine with pretend GPUs: the pretend driver, as one test sees it, and what TensorRT's double keeps of its own."""

from __future__ import annotations

import ctypes
import gc
import threading
from typing import Any

import numpy as np

import pretend_driver as driver

OFF = "devices=0"
"""No GPU, as it is for tests that do not ask for one once the driver is loaded."""


class World:
    """What lives on this machine, and what was done wrong.

    `refuses` names what TensorRT's double refuses from now on, `built` what it has built. `functions` keeps what the
    driver may still call when an execution context is gone.
    """

    def __init__(self, binding: str) -> None:
        self.binding = binding
        self.refuses: set[str] = set()
        self.built: list[str] = []
        self.functions: list[Any] = []
        self._breaches: list[str] = []
        self._live: dict[int, str] = {}
        self._lock = threading.RLock()
        self._next = 0
        self._forgotten = 0
        driver.loaded().pretend_reset()

    @staticmethod
    def set(setting: str) -> None:
        """Change a setting of the driver, as `devices=2`."""
        driver.set_up(setting)

    @staticmethod
    def fail(function: str, code: int, times: int = -1) -> None:
        """Have the next calls of a driver's function fail; those that free or wait do so nevertheless."""
        driver.set_up(f"fail={function}:{code}:{times}")

    def mend(self, function: str) -> None:
        """Have a driver's function work again."""
        self.fail(function, 0, times=0)

    @property
    def breaches(self) -> list[str]:
        return [*self._breaches, *driver.read("breaches")]

    @property
    def live(self) -> list[str]:
        """What is alive: objects of TensorRT, and what the driver made."""
        return [*self._live.values(), *driver.read("live")]

    @property
    def launches(self) -> int:
        """How many CUDA graphs were launched."""
        return int(driver.read("launches")[0])

    @property
    def retained(self) -> int:
        """How often a primary context was retained."""
        return int(driver.read("retained")[0])

    @property
    def log(self) -> list[driver.Span]:
        """What the streams did since it was last forgotten."""
        return driver.log()[self._forgotten :]

    def forget_log(self) -> None:
        self._forgotten = len(driver.log())

    def breach(self, text: str) -> None:
        with self._lock:
            self._breaches.append(text)

    def has_context(self, what: str) -> bool:
        """Whether a context is current on this thread, as there must be."""
        if driver.current_context():
            return True
        self.breach(f"no current context: {what}")
        return False

    def add(self, what: str) -> int:
        with self._lock:
            self._next += 1
            self._live[self._next] = what
            return self._next

    def remove(self, number: int) -> bool:
        return self._live.pop(number, None) is not None

    def check(self) -> None:
        """Fail if anything was done wrong, or is still alive."""
        assert self.breaches == [], self.breaches
        assert self.live == [], self.live
        assert driver.current_context() == 0


_worlds: list[World] = []


def world() -> World:
    """The machine that is there now."""
    return _worlds[-1]


def new_world(binding: str) -> World:
    gc.collect()
    _worlds[:] = [World(binding)]
    return world()


def switch_off() -> None:
    """Take the GPUs away."""
    driver.loaded().pretend_reset()
    driver.set_up(OFF)


class Resource:
    """An object of TensorRT's double, made and freed while a context is current."""

    def __init__(self, what: str) -> None:
        self.world, self.what = world(), what
        self.context = driver.current_context()
        self.world.has_context(f"make {what}")
        self.number = self.world.add(what)

    def end(self) -> None:
        if not self.world.remove(self.number):
            return
        if self.world.has_context(f"free {self.what}") and driver.current_context() != self.context:
            self.world.breach(f"another context: free {self.what}")

    def __del__(self) -> None:
        self.end()


def device_memory(address: int, size: int) -> Any:
    """Return bytes of a GPU, for what stands for its kernels; None, and a breach, if they are not there."""
    start = driver.loaded().pretend_bytes(address, size)
    if start is None:
        return None
    memory: Any = (ctypes.c_uint8 * size).from_address(start)
    return np.frombuffer(memory, np.uint8)
