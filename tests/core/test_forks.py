"""Forks at any moment, and signal handlers that call what they interrupted: nothing waits forever."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import yoloxfast
from synthetic import synthetic_raw
from yoloxfast import Letterbox, PostProcessor, network_input

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


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_letterbox_that_was_interrupted_has_its_whole_border(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """As by a signal handler that writes an image of another shape, right before the core is called or right after."""
    expected = [SHARED(image) and SHARED.out.copy() for image in IMAGES]
    core, interrupts = network_input.fill, 3

    def fill(*arguments: Any, **options: Any) -> list[float]:
        nonlocal interrupts
        interrupts -= 1
        if moment == "before" and interrupts > 0:
            SHARED(IMAGES[interrupts])
        scales = core(*arguments, **options)
        if moment == "after" and interrupts > 0:
            SHARED(IMAGES[interrupts])
        return scales

    for number in (0, 1, 2):
        SHARED(IMAGES[number])
        interrupts = 3
        with monkeypatch.context() as patched:
            patched.setattr(network_input, "fill", fill)
            SHARED(IMAGES[number])
        assert interrupts <= 0
        np.testing.assert_array_equal(SHARED.out, expected[number])
        for other in (number, (number + 1) % 3):
            SHARED(IMAGES[other])
            np.testing.assert_array_equal(SHARED.out, expected[other])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_writes_where_another_thread_was_writing() -> None:
    """The core takes memory for taken into which a thread writes, and the fork has neither that thread nor its end."""
    image, out = np.full((2000, 3000, 3), 9, np.uint8), np.empty((3, 1024, 1024), np.float32)
    ends = threading.Event()

    def work() -> None:
        while not ends.is_set():
            with suppress(ValueError):  # this thread writes, too
                yoloxfast.letterbox(image, (1024, 1024), out=out)

    expected = yoloxfast.letterbox(image, (1024, 1024))[0]
    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(20):
            fork_and_call(lambda _: yoloxfast.letterbox(image, (1024, 1024), out=out)[0], number, expected)
    finally:
        ends.set()
        thread.join()
