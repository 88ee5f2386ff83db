"""Servers that send what they should not: a download ends soon, says why in one short line, and leaves nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import hostile_server as hostile
from hostile_server import CONTENT, ENDLESS, Server
from toy_release import names_in, toy_release
from yoloxfast import ModelError
from yoloxfast.models import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HALF = len(CONTENT) // 2
SECONDS = 0.3
MOST_SECONDS = 1.8
MOST_BYTES = 100 * len(CONTENT)
"""What fits into the buffers of a few connections."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What the server has done, and the cache."""
    found = SimpleNamespace(requests=0, sent=0, is_over=threading.Event(), cache=tmp_path / "cache")
    monkeypatch.setattr(Server, "state", found, raising=False)
    monkeypatch.setattr("yoloxfast.download.MAX_STALL_SECONDS", SECONDS)
    monkeypatch.setattr("yoloxfast.download.MIN_BYTES_PER_SECOND", 1e9)
    with toy_release(monkeypatch, CONTENT, Server, lambda: found.cache):
        yield found
        found.is_over.set()
    assert_downloads_end()


def assert_downloads_end() -> None:
    """Fail if a thread still reads; one that is just ending may take a moment."""
    deadline = time.monotonic() + 1
    while (names := [thread.name for thread in threading.enumerate() if thread.name == "yoloxfast download"]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.001)
    assert names == []


WRONG, UNREADABLE = "is not the official toy.onnx: ", "could not be read: "
LATE = f"could not be read within {SECONDS} seconds"
ANSWERS = {
    hostile.redirect_for_ever: UNREADABLE + "the server redirects more than 5 times",
    hostile.redirect_with_an_endless_body: UNREADABLE + "the server redirects more than 5 times",
    hostile.redirect_out_of_the_web: UNREADABLE + "No connection adapters were found for 'file:///etc/passwd'",
    hostile.send_without_length: f"{WRONG}the server sends more than its {len(CONTENT)} bytes",
    hostile.send_chunks: f"{WRONG}the server sends more than its {len(CONTENT)} bytes",
    hostile.promise_less: f"{WRONG}the server says that it has 1000 bytes, expected {len(CONTENT)}",
    hostile.promise_more: f"{WRONG}the server says that it has {ENDLESS} bytes, expected {len(CONTENT)}",
    hostile.promise_nonsense: f"{WRONG}the server sends more than its {len(CONTENT)} bytes",
    hostile.compress: f"{WRONG}the server sends it compressed, with Content-Encoding 'gzip'",
    hostile.compress_to_the_right_length: f"{WRONG}the server sends it compressed, with Content-Encoding 'gzip'",
    hostile.leave_at_once: UNREADABLE,
    hostile.leave_halfway: UNREADABLE,
    hostile.leave_halfway_without_length: f"{UNREADABLE}the connection ended after {HALF} of {len(CONTENT)} bytes",
    hostile.be_out_of_order: UNREADABLE + "the server answers 503 Service Unavailable",
    hostile.send_nothing: UNREADABLE + "the server answers 204 No Content",
    hostile.send_a_part: UNREADABLE + "the server answers 206 Partial Content",
    hostile.talk_gibberish: UNREADABLE,
    hostile.say_nothing: LATE,
    hostile.drip_body: LATE,
    hostile.drip_body_without_length: LATE,
    hostile.drip_chunks: LATE,
    hostile.drip_a_header: LATE,
    hostile.continue_for_ever: LATE,
    hostile.drip_redirects: LATE,
}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
def test_no_server_makes_a_download_endless(
    answer: Callable[[Server], None], state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "answer", answer, raising=False)
    message = ANSWERS[answer]
    start = time.monotonic()
    with pytest.raises(ModelError if WRONG in message else ConnectionError) as caught:
        download("toy")
    assert time.monotonic() - start < MOST_SECONDS
    assert message in str(caught.value)
    assert len(str(caught.value)) < 700
    assert str(caught.value).isprintable()
    assert names_in(state.cache) == []
    assert state.sent < MOST_BYTES


@pytest.mark.parametrize(
    "answer",
    [hostile.drip_body, hostile.drip_chunks, hostile.send_without_length, hostile.promise_more],
    ids=lambda answer: answer.__name__,
)
def test_a_download_that_ends_leaves_no_thread_that_reads_on(
    answer: Callable[[Server], None], state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "answer", answer, raising=False)
    with pytest.raises((ModelError, ConnectionError)):
        download("toy")
    assert not state.is_over.is_set()
    assert_downloads_end()


def test_what_follows_the_file_is_not_read(state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_more_than_promised(server: Server) -> None:
        server.head(Content_Length=len(CONTENT))
        server.send(CONTENT)
        server.flood()

    monkeypatch.setattr(Server, "answer", send_more_than_promised, raising=False)
    assert download("toy").read_bytes() == CONTENT
    assert names_in(state.cache) == ["toy.onnx"]


def test_a_redirect_is_followed_whatever_its_body(state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def redirect_once(server: Server) -> None:
        if server.path == "/toy.onnx":
            hostile.redirect_with_an_endless_body(server)
        assert server.path == "/elsewhere.onnx"
        server.head(Content_Length=len(CONTENT))
        server.send(CONTENT)

    monkeypatch.setattr(Server, "answer", redirect_once, raising=False)
    assert download("toy").read_bytes() == CONTENT
    assert state.requests == 2
    assert state.sent < MOST_BYTES


@pytest.mark.parametrize(
    "answer", [hostile.send_without_length, hostile.compress, hostile.promise_less], ids=lambda answer: answer.__name__
)
def test_a_wrong_file_is_not_asked_for_again(
    answer: Callable[[Server], None], state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yoloxfast.download._RETRIES", 5)
    monkeypatch.setattr(Server, "answer", answer, raising=False)
    with pytest.raises(ModelError):
        download("toy")
    assert state.requests == 1


def test_retries_share_one_deadline(state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_late(server: Server) -> None:
        server.state.is_over.wait(0.1)

    monkeypatch.setattr("yoloxfast.download._RETRIES", 20)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    monkeypatch.setattr(Server, "answer", leave_late, raising=False)
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="within"):
        download("toy")
    assert time.monotonic() - start < 1
    assert 1 < state.requests < 6


def test_a_connection_that_breaks_is_tried_again(state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def work_at_last(server: Server) -> None:
        if server.state.requests < 3:
            return hostile.leave_halfway(server)
        server.head(Content_Length=len(CONTENT))
        return server.send(CONTENT)

    monkeypatch.setattr("yoloxfast.download._RETRIES", 2)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    monkeypatch.setattr(Server, "answer", work_at_last, raising=False)
    assert download("toy").read_bytes() == CONTENT
    assert state.requests == 3


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(
    "answer", [hostile.say_nothing, hostile.drip_body, hostile.drip_a_header], ids=lambda answer: answer.__name__
)
def test_a_download_can_be_interrupted(
    answer: Callable[[Server], None], state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yoloxfast.download.MAX_STALL_SECONDS", 60)
    monkeypatch.setattr(Server, "answer", answer, raising=False)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        timer.start()
        download("toy")
    assert time.monotonic() - start < MOST_SECONDS
    assert names_in(state.cache) == []


def test_a_model_in_the_cache_survives_a_download_that_fails(
    state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.cache.mkdir()
    (state.cache / "toy.onnx").write_bytes(b"spoilt")
    monkeypatch.setattr(Server, "answer", hostile.leave_halfway, raising=False)
    with pytest.raises(ConnectionError):
        download("toy")
    assert names_in(state.cache) == ["toy.onnx"]
    assert (state.cache / "toy.onnx").read_bytes() == b"spoilt"
