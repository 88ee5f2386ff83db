"""Threads for runtimes whose runs block the thread that starts them.

`concurrent.futures` keeps its threads until it is told to end them; here they live as long as there is work. So nothing
has to be closed, none is left when all is done, and a process that was forked has none that it waits for.

The queue has no lock: a fork, the garbage collector or Ctrl-C could leave one locked. The methods of `deque` are
atomic. Only workers take and give back the right to run, because Ctrl-C does not interrupt them.
"""

from __future__ import annotations

import atexit
import os
from _thread import allocate_lock, start_new_thread
from collections import deque
from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task", "Workers"]

_LOOK_AGAIN_SECONDS = 0.001


class Task:
    """A function that a worker calls."""

    __slots__ = ("_error", "_function", "_is_done", "_under_way")

    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Callable[[], object] | None = function
        self._error: BaseException | None = None
        self._is_done = False
        self._under_way = allocate_lock()  # an Event takes ten times as long
        self._under_way.acquire()

    def call(self) -> None:
        """Call the function; what it raises is raised by `result`."""
        try:
            if self._function is not None:
                self._function()
        except BaseException as error:  # noqa: BLE001  # it belongs to the thread that waits
            self._error = error
        self._function = None  # which may refer to what refers to this task

    def finish(self) -> None:
        """Wake those that wait."""
        self._is_done = True
        self._under_way.release()

    def is_done(self) -> bool:
        """Whether the function has been called."""
        return self._is_done

    def wait(self) -> None:
        """Wait until the function has been called."""
        if not self._is_done:
            with self._under_way:
                pass

    def result(self) -> None:
        """Wait, and raise what the function raised."""
        self.wait()
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback refers to this frame


class Workers:
    """Call functions on other threads, in the order in which they come.

    Parameters
    ----------
    most : int
        How many at once.
    """

    def __init__(self, most: int) -> None:
        self._waiting: deque[Task] = deque()
        self._free: deque[None] = deque([None] * most)
        """Rights to run, of which each worker takes one."""
        self._most = most
        self._process = os.getpid()
        _all_workers.add(self)

    def submit(self, function: Callable[[], object]) -> Task:
        """Return the call of a function, which begins when a worker is free for it.

        Raises
        ------
        RuntimeError
            The system gives no more threads.
        """
        task = Task(function)
        self._waiting.append(task)
        if self._free:
            try:
                start_new_thread(self._work, ())
            except RuntimeError:
                with suppress(ValueError):
                    self._waiting.remove(task)
                    raise
        return task  # also if no thread could be started but another one has taken it

    def _work(self) -> None:
        if not self._take_right():
            return
        task = self._next()
        while task is not None:
            task.call()
            following = self._next()
            task.finish()
            task = following

    def _take_right(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _next(self) -> Task | None:
        """Return the next task; if no task waits, give back the right to run.

        A task may come just before that, from a thread that sees no right left: so this looks again afterwards.
        """
        while True:
            with suppress(IndexError):
                return self._waiting.popleft()
            self._free.append(None)
            if not self._waiting or not self._take_right():
                return None

    def wait_until_idle(self) -> None:
        """Wait until nothing is to be done any more; not in a fork, where nothing is ever done."""
        while os.getpid() == self._process and len(self._free) < self._most:
            sleep(_LOOK_AGAIN_SECONDS)


_all_workers: WeakSet[Workers] = WeakSet()


@atexit.register
def _wait_for_all() -> None:
    """Let no run be under way while the runtime's library is unloaded."""
    for workers in list(_all_workers):
        workers.wait_until_idle()
