"""Reading files that others made: regular files alone, opened without waiting, and no more of them than a limit."""

from __future__ import annotations

import os
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from yoloxfast.files import check_kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from yoloxfast.limits import Limit

__all__ = ["check_file", "digest_file", "opened", "read_file"]

_BLOCK = 1 << 20
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def check_file(path: Path, limit: Limit) -> None:
    """Raise as `opened` does, for a file that a library is going to open."""
    _check(path.stat(), path, limit)


@contextmanager
def opened(path: Path, limit: Limit) -> Iterator[BinaryIO]:
    """Open a regular file of no more bytes than the limit.

    Opening a pipe would wait for a writer, opening a device may do anything: so what it is comes first. It is looked at
    again when it is open, because it may have been replaced meanwhile.

    Raises
    ------
    OSError
        It cannot be opened, or is not a regular file.
    ValueError
        It is larger.
    """
    check_file(path, limit)
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        _check(os.fstat(file.fileno()), path, limit)
        yield file


def read_file(path: Path, limit: Limit) -> bytes:
    """Return the content of a file; raises as `opened` does, also if it grows beyond the limit meanwhile."""
    with opened(path, limit) as file:
        content = file.read(os.fstat(file.fileno()).st_size)
        while block := file.read(_BLOCK):
            content += block
            _check_size(len(content), limit)
    return content


def digest_file(path: Path, limit: Limit) -> str:
    """Return the SHA-256 of a file; raises as `read_file` does."""
    digest, size = sha256(), 0
    with opened(path, limit) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            _check_size(size, limit)
    return digest.hexdigest()


def _check(status: os.stat_result, path: Path, limit: Limit) -> None:
    check_kind(status, path)
    _check_size(status.st_size, limit)


def _check_size(size: int, limit: Limit) -> None:
    if excess := limit.excess(size):
        raise ValueError(f"the file has {excess}")
