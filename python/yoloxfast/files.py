"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_kind", "replacing"]

_KINDS = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PERMISSIONS = 0o777
_LESS_UMASK = 0o666


@contextmanager
def replacing(path: Path, *, survives_power_cut: bool = False) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` when it is complete, and not before: an atomic write.

    A file that is replaced keeps its permissions; a new one gets those of any new file. A symbolic link stays one: the
    file that it leads to is replaced.
    """
    path = Path(os.path.realpath(path))
    permissions = _permissions_of(path)
    part = path.with_name(f".{secrets.token_hex(16)}.part")
    try:
        with _created(part, permissions) as file:
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


def check_kind(status: os.stat_result, path: Path) -> None:
    """Raise `OSError` unless this is a regular file: others may wait forever, or do anything, and are not replaced."""
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(number, f"this is {_KINDS.get(kind, 'something else')}, expected a regular file", str(path))


def _permissions_of(path: Path) -> int | None:
    """Return the permissions of the file to be replaced, None if it does not exist; refuse all but regular files."""
    try:
        status = path.stat()
    except OSError:
        return None
    check_kind(status, path)
    return status.st_mode & _PERMISSIONS


def _created(part: Path, permissions: int | None) -> BinaryIO:
    """Open a file that was not there before. Its name cannot be guessed, and a link of its name is not followed."""

    def create(name: str, flags: int) -> int:
        return os.open(name, flags | _NO_FOLLOW, _LESS_UMASK if permissions is None else permissions)

    file = open(part, "xb", opener=create)  # noqa: SIM115  # Path.open has no opener; the caller closes it
    if permissions is not None and os.name == "posix":
        with suppress(OSError):  # not every file system has permissions
            os.fchmod(file.fileno(), permissions)
    return file
