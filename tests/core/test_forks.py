"""Forks at any moment, and signal handlers that call what they interrupted: nothing waits forever."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import yoloxfast
from synthetic import synthetic_raw
from yoloxfast import Letterbox, PostProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

FORKS = int(os.environ.get("FORKS", "100"))
"""How many each test makes; 10,000 find rarer moments."""

SIZE = (64, 96)
POST = PostProcessor(SIZE, 7)
RAW = synthetic_raw(SIZE, 7, objects=6)
IMAGES = [np.random.default_rng(side).integers(0, 256, (side, 70, 3), np.uint8) for side in (40, 64, 90)]
BOXES = np.random.default_rng(0).random((300, 4), np.float32) + np.array((0, 0, 1, 1), np.float32)
SCORES = np.random.default_rng(1).random(300, np.float32)
SHARED = Letterbox(np.empty((3, *SIZE), np.float32))
CALLS: dict[str, Callable[[int], Any]] = {
    "letterbox": lambda number: yoloxfast.letterbox(IMAGES[number % 3], SIZE)[0],
    "Letterbox": lambda number: (SHARED(IMAGES[number % 3]), SHARED.out.copy())[1],
    "nms": lambda _: yoloxfast.nms(BOXES, SCORES),
    "post-processing": lambda _: POST(RAW),
    "batches": lambda _: POST.batch(RAW[None], threads=2),
}
SECONDS = 20


def is_equal(found: Any, expected: Any) -> bool:
    return np.array_equal(found, expected) if isinstance(found, np.ndarray) else found == expected


def fork_and_call(call: Callable[[int], Any], number: int, expected: Any) -> None:
    """Fork; the child calls and compares."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)  # which ends it, if it waits for a lock
        try:
            os._exit(0 if is_equal(call(number), expected) else 3)
        finally:
            os._exit(4)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status), f"fork {number} waited forever"
    assert os.WEXITSTATUS(status) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_fork_calls_what_other_threads_were_calling(name: str) -> None:
    call = CALLS[name]
    expected = [call(number) for number in range(3)]
    ends = threading.Event()

    def work(number: int) -> None:
        while not ends.is_set():
            call(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(FORKS):
            fork_and_call(call, number, expected[number % 3])
    finally:
        ends.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", CALLS)
def test_a_signal_handler_calls_what_it_interrupted(name: str) -> None:
    call = CALLS[name]
    expected = [call(number) for number in range(3)]
    handled = 0

    def handler(*_: object) -> None:
        nonlocal handled
        handled += 1
        assert is_equal(call(handled), expected[handled % 3])
        signal.setitimer(signal.ITIMER_REAL, 0.0005)  # not before: it would interrupt itself

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        until, number = time.monotonic() + 1, 0
        while time.monotonic() < until:
            number += 1
            if name == "Letterbox":
                SHARED(IMAGES[number % 3])  # the handler may have written another image since
            else:
                assert is_equal(call(number), expected[number % 3])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled > 0
    assert is_equal(call(1), expected[1])
