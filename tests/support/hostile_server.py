"""A server that answers in ways that no server should."""

from __future__ import annotations

import gzip
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

CONTENT = bytes(range(256)) * 1200
ENDLESS = 1 << 28
"""Bytes that stand for no end: so a test that fails does end."""


class Server(BaseHTTPRequestHandler):
    """Answers in the way that a test has set; knows what it has sent and when the test is over."""

    answer: Callable[[Server], None]
    state: SimpleNamespace

    def do_GET(self) -> None:
        type(self).state.requests += 1
        with suppress(OSError):  # a client that leaves
            type(self).answer(self)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.state.sent += len(content)

    def flood(self, block: bytes = bytes(1 << 16)) -> None:
        while self.state.sent < ENDLESS and not self.state.is_over.is_set():
            self.send(block)

    def drip(self, block: bytes = b"x", every: float = 0.02) -> None:
        end = time.monotonic() + 4
        while time.monotonic() < end and not self.state.is_over.wait(every):
            self.send(block)


def redirect_for_ever(server: Server) -> None:
    server.head(302, Location=f"/{server.state.requests}.onnx", Content_Length=0)


def redirect_with_an_endless_body(server: Server) -> None:
    server.head(302, Location="/elsewhere.onnx")
    server.flood()


def redirect_out_of_the_web(server: Server) -> None:
    server.head(302, Location="file:///etc/passwd", Content_Length=0)


def send_without_length(server: Server) -> None:
    server.head()
    server.flood()


def send_chunks(server: Server) -> None:
    server.head(Transfer_Encoding="chunked")
    server.flood(b"10000\r\n" + bytes(1 << 16) + b"\r\n")


def promise_less(server: Server) -> None:
    server.head(Content_Length=1000)
    server.send(CONTENT[:1000])


def promise_more(server: Server) -> None:
    server.head(Content_Length=ENDLESS)
    server.flood()


def promise_nonsense(server: Server) -> None:
    server.head(Content_Length="-1")
    server.flood()


def compress(server: Server) -> None:
    bomb = gzip.compress(bytes(1 << 20)) * 256
    server.head(Content_Encoding="gzip", Content_Length=len(bomb))
    server.send(bomb)


def compress_to_the_right_length(server: Server) -> None:
    server.head(Content_Encoding="gzip", Content_Length=len(CONTENT))
    server.send((gzip.compress(bytes(1 << 20)) * 300)[: len(CONTENT)])


def leave_at_once(_server: Server) -> None:
    pass


def leave_halfway(server: Server) -> None:
    server.head(Content_Length=len(CONTENT))
    server.send(CONTENT[: len(CONTENT) // 2])


def leave_halfway_without_length(server: Server) -> None:
    server.head()
    server.send(CONTENT[: len(CONTENT) // 2])


def be_out_of_order(server: Server) -> None:
    server.head(503)
    server.flood()


def send_nothing(server: Server) -> None:
    server.head(204)


def send_a_part(server: Server) -> None:
    server.head(206, Content_Length=len(CONTENT))
    server.send(CONTENT)


def talk_gibberish(server: Server) -> None:
    server.send(b"\x1b[2J\x07" * 5000 + b"\r\n\r\n")


def say_nothing(server: Server) -> None:
    server.drip(b"")


def drip_body(server: Server) -> None:
    server.head(Content_Length=len(CONTENT))
    server.drip()


def drip_body_without_length(server: Server) -> None:
    server.head()
    server.drip()


def drip_chunks(server: Server) -> None:
    server.head(Transfer_Encoding="chunked")
    server.drip(b"1\r\nx\r\n")


def drip_a_header(server: Server) -> None:
    server.send(b"HTTP/1.1 200 OK\r\nX: ")
    server.drip()


def continue_for_ever(server: Server) -> None:
    server.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_redirects(server: Server) -> None:
    server.state.is_over.wait(0.1)
    redirect_for_ever(server)
