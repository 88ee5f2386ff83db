"""Threads that live as long as there is work."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from leftovers import assert_threads_end, running_threads
from yoloxfast.backends.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = running_threads()
    yield
    assert_threads_end(before)


def test_tasks_begin_in_order() -> None:
    workers, begun = Workers(1), list[int]()
    for _ in range(50):
        begun.clear()
        tasks = [workers.submit(partial(begun.append, number)) for number in range(20)]
        for task in tasks:
            task.result()
            assert task.is_done()
        assert begun == list(range(20))


def test_as_many_run_at_once_as_asked_for() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    workers = Workers(3)
    for task in [workers.submit(work) for _ in range(60)]:
        task.result()
    assert most == 3
    workers.wait_until_idle()


def test_what_is_raised_is_raised_by_result() -> None:
    workers = Workers(2)
    failing = workers.submit(lambda: 1 / 0)
    fine = workers.submit(lambda: None)
    with pytest.raises(ZeroDivisionError):
        failing.result()
    fine.result()


def test_a_task_is_not_done_before_it_is() -> None:
    go = threading.Event()
    workers = Workers(1)
    first, second = workers.submit(go.wait), workers.submit(lambda: None)
    assert not first.is_done()
    assert not second.is_done()
    go.set()
    second.result()
    assert first.is_done()
    assert second.is_done()


def test_no_task_is_forgotten_by_threads_that_are_just_ending() -> None:
    workers, done = Workers(2), list[int]()

    def submit(number: int) -> None:
        for _ in range(300):
            workers.submit(lambda: done.append(number)).result()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(submit, range(4)))
    assert sorted(done) == sorted(list(range(4)) * 300)


def refuse(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_a_thread_that_cannot_be_started_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, done = Workers(1), list[str]()
    with monkeypatch.context() as patch:
        patch.setattr("yoloxfast.backends.workers.start_new_thread", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            workers.submit(lambda: done.append("never"))
    workers.submit(lambda: done.append("later")).result()
    assert done == ["later"]


def test_what_a_task_refers_to_is_let_go() -> None:
    class Big:
        def call(self) -> None:
            raise ValueError

    big = Big()
    watched = weakref.ref(big)
    task = Workers(1).submit(big.call)
    with pytest.raises(ValueError, match=r"^$"):
        task.result()
    del big
    assert watched() is None
