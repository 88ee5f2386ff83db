"""Threads of this process that run Python, those of `_thread` too, which `threading` does not know."""

from __future__ import annotations

import _thread
import time


def running_threads() -> int:
    return _thread._count()  # noqa: SLF001


def assert_threads_end(expected: int) -> None:
    """Fail if there are more; those that are just ending may take a moment."""
    deadline = time.monotonic() + 5
    while running_threads() > expected and time.monotonic() < deadline:
        time.sleep(0.001)
    assert running_threads() <= expected
