"""What streams and batches might leave behind: threads, and contexts that were not given back."""

from __future__ import annotations

import _thread
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoloxfast import Detector


def running_threads() -> int:
    """Count the threads that run Python, those of `_thread` too, which `threading` does not know."""
    return _thread._count()  # noqa: SLF001


def assert_threads_end(expected: int) -> None:
    """Fail if there are more; those that are just ending may take a moment."""
    deadline = time.monotonic() + 5
    while running_threads() > expected and time.monotonic() < deadline:
        time.sleep(0.001)
    assert running_threads() <= expected


def all_idle(detector: Detector) -> bool:
    network = detector.network.for_streams()
    return set(network._idle) == network._live  # noqa: SLF001
