"""Threads for runtimes whose runs block the thread that starts them.

`concurrent.futures` keeps its threads until it is told to end them; here they live as long as there is work. So nothing
has to be closed, none is left when all is done, and a process that was forked has none that it waits for. There is no
lock, which a fork or the garbage collector could meet locked: all rests on `deque`, whose methods are atomic.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task", "Workers"]


class Task:
    """A function that a worker calls."""

    __slots__ = ("_error", "_function", "_last_of", "_under_way")

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._under_way = Lock()  # an Event takes ten times as long
        self._under_way.acquire()
        self._error: BaseException | None = None
        self._last_of: Thread | None = None

    def call(self) -> None:
        """Call the function; what it raises is raised by `result`."""
        try:
            self._function()
        except BaseException as error:  # noqa: BLE001  # it belongs to the thread that waits
            self._error = error

    def finish(self, *, last_of: Thread | None) -> None:
        """Let go those that wait; the result of the last task of a thread comes when the thread has ended."""
        self._last_of = last_of
        self._under_way.release()

    def is_done(self) -> bool:
        """Whether the function has been called."""
        return not self._under_way.locked()

    def wait(self) -> None:
        """Wait until the function has been called."""
        with self._under_way:
            pass

    def result(self) -> None:
        """Wait, and raise what the function raised."""
        self.wait()
        if self._last_of is not None:
            self._last_of.join()
        if self._error is not None:
            error, self._error = self._error, None  # kept here, it would refer to itself by its traceback
            raise error


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
        """One for each thread that may be started."""

    def submit(self, function: Callable[[], object]) -> Task:
        """Return the call of a function, which begins when a thread is free for it.

        Raises
        ------
        RuntimeError
            The system gives no more threads.
        """
        task = Task(function)
        self._waiting.append(task)
        if self._take_free():
            try:
                Thread(target=self._work, name="yoloxfast", daemon=False).start()
            except BaseException:
                self._free.append(None)
                with suppress(ValueError):  # another thread has begun with it
                    self._waiting.remove(task)
                raise
        return task

    def _take_free(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _next(self) -> Task | None:
        """Return the next task; if there is none, this thread counts as free.

        One may come just when the thread is about to end: so it looks again after it has said that it is free.
        """
        while True:
            with suppress(IndexError):
                return self._waiting.popleft()
            self._free.append(None)
            if not self._waiting or not self._take_free():
                return None

    def _work(self) -> None:
        task = self._next()
        while task is not None:
            task.call()
            following = self._next()
            task.finish(last_of=None if following else current_thread())
            task = following
