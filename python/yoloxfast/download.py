"""Downloads that always end: with the file that was wanted, or with an error, in bounded time, memory and disk space.

What a server sends is counted here, and it is read by a thread of its own, so that the caller stops waiting at the
deadline, whatever requests and pooch are waiting for: a server that sends one byte now and then never lets a read time
out.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from http.client import responses
from pathlib import Path, PurePosixPath
from queue import Empty, Queue
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from yoloxfast.errors import ModelError, missing
from yoloxfast.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

__all__ = ["fetch"]

MAX_STALL_SECONDS = 60
MIN_BYTES_PER_SECOND = 50_000
"""A download may take `MAX_STALL_SECONDS`, and as long as its bytes take at this rate; retries included."""

MAX_REDIRECTS = 5

_TIMEOUT_SECONDS = 30
_RETRIES = 2
_CHUNK_BYTES = 1 << 16
_MAX_CHUNKS_AHEAD = 16
_MAX_REASON = 400
_NOT_AT_ONCE = 1e-9
"""Any delay keeps tqdm from showing an empty bar before the server has answered."""


class _WrongFileError(Exception):
    """The server has another file; not a `ValueError`, for which pooch would try again."""


class _TooSlowError(Exception):
    """The deadline has passed; no error for which pooch would try again."""


def fetch(url: str, size: int, sha256: str) -> Path:
    """Return a file of the user's cache, downloading it if it is not there or spoilt.

    A download is complete and verified before it takes its place in the cache.

    Raises
    ------
    ModelError
        The file has another size or SHA-256.
    ConnectionError
        It could not be downloaded, or not in time.
    MissingDependencyError
        pooch or tqdm is not installed.
    """
    try:
        import pooch
        import requests  # pooch depends on it
        import tqdm
    except ImportError as error:
        raise missing(error.name or "pooch", error, extra="download") from error

    seconds = MAX_STALL_SECONDS + size / MIN_BYTES_PER_SECOND
    deadline = monotonic() + seconds

    def download_once(url: str, part: str, _cache: pooch.Pooch) -> None:
        progress = tqdm.tqdm(total=size, unit="B", unit_scale=True, ncols=79, delay=_NOT_AT_ONCE)
        try:
            with replacing(Path(part)) as file, closing(_Transfer(url, size)) as transfer:
                for chunk in transfer.chunks(deadline):
                    file.write(chunk)
                    progress.update(len(chunk))
        finally:
            progress.disable = progress.n == 0
            progress.close()

    name = PurePosixPath(url).name
    cache = pooch.create(
        path=pooch.os_cache("yoloxfast"),
        base_url=url.removesuffix(name),
        registry={name: f"sha256:{sha256}"},
        retry_if_failed=_RETRIES,
    )
    try:
        return Path(cache.fetch(name, downloader=download_once))
    except _TooSlowError:
        raise ConnectionError(f"{url} could not be read within {seconds:.1f} seconds") from None
    except requests.RequestException as error:
        raise ConnectionError(f"{url} could not be read: {_reason(error)}") from None
    except (_WrongFileError, ValueError) as error:
        raise ModelError(f"{url} is not the official {name}: {_reason(error)}") from None


class _Transfer:
    """The body of a response, read in the background.

    The thread is a daemon: while a server sends endless headers, nothing ends it but the process.
    """

    def __init__(self, url: str, size: int) -> None:
        self._size = size
        self._chunks: Queue[bytes | BaseException | None] = Queue(_MAX_CHUNKS_AHEAD)
        self._response: Response | None = None
        self._is_closed = False
        threading.Thread(target=self._read, args=(url,), name="yoloxfast download", daemon=True).start()

    def chunks(self, deadline: float) -> Iterator[bytes]:
        """Yield all bytes of the file, and never more than its size."""
        from requests import ConnectionError as RequestsConnectionError

        count = 0
        while (chunk := self._next(deadline)) is not None:
            count += len(chunk)
            if count > self._size:
                raise _WrongFileError(f"the server sends more than its {self._size} bytes")
            yield chunk
        if count < self._size:
            raise RequestsConnectionError(f"the connection ended after {count} of {self._size} bytes")

    def _next(self, deadline: float) -> bytes | None:
        seconds = deadline - monotonic()
        if seconds <= 0:
            raise _TooSlowError
        try:
            chunk = self._chunks.get(timeout=seconds)
        except Empty:
            raise _TooSlowError from None
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def _read(self, url: str) -> None:
        try:
            with _open(url, self._size) as self._response:
                if self._is_closed:
                    return
                for chunk in self._response.iter_content(_CHUNK_BYTES):
                    self._chunks.put(chunk)
                    if self._is_closed:
                        return
        except BaseException as error:  # noqa: BLE001  # it belongs to the thread that waits
            self._chunks.put(error)
        else:
            self._chunks.put(None)

    def close(self) -> None:
        """End the thread, also while it waits for the server."""
        self._is_closed = True
        with suppress(Empty):  # the thread may be waiting for room
            while True:
                self._chunks.get_nowait()
        if self._response is not None:
            with suppress(AttributeError, OSError, RuntimeError, ValueError):  # urllib3 before 2.3, or at its end
                self._response.raw.shutdown()


def _open(url: str, size: int) -> Response:
    """Return the response of a server that has a file of that size, before any of it is read."""
    import requests

    class Session(requests.Session):
        """Leaves redirects to us: requests would read their bodies, however long, into memory."""

        def get_redirect_target(self, _resp: Response) -> None:
            return None

    session = Session()
    for _ in range(1 + MAX_REDIRECTS):
        response = session.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=_TIMEOUT_SECONDS)
        if not response.is_redirect:
            try:
                _check_response(response, size)
            except BaseException:
                response.close()
                raise
            return response
        response.close()
        location = response.headers["Location"]
        try:
            url = urljoin(url, location)
        except ValueError:
            raise requests.exceptions.InvalidURL(f"the server redirects to {location}, which is not a URL") from None
    raise requests.TooManyRedirects(f"the server redirects more than {MAX_REDIRECTS} times")


def _check_response(response: Response, size: int) -> None:
    from requests import HTTPError

    status = response.status_code
    if status != 200:  # noqa: PLR2004  # OK
        raise HTTPError(f"the server answers {status} {responses.get(status, '')}".rstrip())
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):  # its size would be known only after decompression
        raise _WrongFileError(f"the server sends it compressed, with Content-Encoding {encoding!r}")
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) != size:
        raise _WrongFileError(f"the server says that it has {length} bytes, expected {size}")


def _reason(error: BaseException) -> str:
    """Return the first cause in one short line: part of it may be what the server has sent."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    text = "".join(character if character.isprintable() else " " for character in str(error))
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
