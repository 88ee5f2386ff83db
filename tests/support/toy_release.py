"""A release of one model, "toy", on a server of this machine, in place of the official ones."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from yoloxfast import models
from yoloxfast.models import OfficialModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    import pytest


@contextmanager
def toy_release(
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    handler: Callable[..., BaseHTTPRequestHandler],
    cache: Callable[[], Path],
) -> Iterator[None]:
    """Serve by that handler; downloads go to the cache, and are tried once."""

    def cache_of(_name: str) -> Path:
        return cache()

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    toy = OfficialModel("toy.onnx", len(content), hashlib.sha256(content).hexdigest())
    values: dict[Any, Any] = {"OFFICIAL_MODELS": {"toy": toy}, "BASE_URL": f"http://127.0.0.1:{server.server_port}"}
    for name, value in values.items():
        monkeypatch.setattr(models, name, value)
    monkeypatch.setattr("yoloxfast.download._RETRIES", 0)
    monkeypatch.setattr("pooch.os_cache", cache_of)
    monkeypatch.delenv(models.MODELS_VARIABLE, raising=False)
    yield
    server.shutdown()
    server.server_close()


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []
