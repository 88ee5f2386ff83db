"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["replacing"]

_numbers = count()


@contextmanager
def replacing(path: Path, *, survives_power_cut: bool = False) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` when it is complete, and not before: an atomic write."""
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{os.getpid()}-{next(_numbers)}.part")
    try:
        with part.open("wb") as file:
            yield file
            if survives_power_cut:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(part)):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            part.unlink()
