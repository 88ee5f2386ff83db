"""Engines that were built for `Detector("model.onnx", backend="tensorrt")`, kept for the next time.

Engines are programs. So their folder is private to this user, and only regular files of this user in it count: whoever
can put a file or a link there runs what they like. Root can anyway, and may have built engines into an image.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from yoloxfast.errors import ModelError, missing
from yoloxfast.tensorrt.engine_file import read_engine

try:
    import pooch
    from filelock import FileLock
except ImportError as error:
    raise missing(error.name or "filelock", error, extra="build") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ENGINES_VARIABLE", "cached_engine", "engines_folder", "is_own_file", "make_private", "make_way"]

ENGINES_VARIABLE = "YOLOXFAST_ENGINES"
"""Environment variable: the folder that engines are kept in, instead of one in the user's cache."""

_ROOT = 0
_OWNER_ONLY = 0o700
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def engines_folder() -> Path:
    """Return the folder of engines that were built, and of TensorRT's timings; create it if need be.

    Raises
    ------
    PermissionError
        Other users can write to it.
    OSError
        It cannot be created.
    """
    folder = Path(os.environ.get(ENGINES_VARIABLE) or Path(pooch.os_cache("yoloxfast"), "engines"))
    try:
        folder.mkdir(_OWNER_ONLY, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(
            f"{folder} is not a folder, expected one for engines: name another in {ENGINES_VARIABLE}"
        ) from None
    status = folder.stat()
    if not _is_of_this_user_or_root(status):
        raise PermissionError(
            f"{folder} belongs to another user, who could change the engines in it, and engines are programs:"
            f" name a folder of your own in {ENGINES_VARIABLE}"
        )
    if _is_writable_by_others(status):
        raise PermissionError(
            f"other users can write to {folder}, and engines are programs: run chmod 700 {shlex.quote(str(folder))},"
            f" or name another folder in {ENGINES_VARIABLE}"
        )
    return folder


def cached_engine(
    name: str, identity: Mapping[str, str], build: Callable[[Path], None], *, rebuild: bool = False
) -> Path:
    """Return the engine file of that identity; build it if it is not there, or if `rebuild`.

    Its name is `name` and a hash of its identity. Of processes that want the same one, the first builds it.

    Parameters
    ----------
    name : str
    identity : mapping of str to str
        All that the engine depends on; its metadata have these.
    build : callable
        Writes it to that file.
    rebuild : bool

    Raises
    ------
    OSError
        As `engines_folder` does; or a file in it cannot be written.
    """
    digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    engine = engines_folder() / f"{name}-{digest[:16]}.engine"
    if not rebuild and _is_of(engine, identity):
        return engine
    lock = engine.with_suffix(".lock")
    make_way(lock)
    with FileLock(lock):
        if rebuild or not _is_of(engine, identity):
            make_way(engine)
            build(engine)
            make_private(engine)
    return engine


def is_own_file(path: Path) -> bool:
    """Return whether this is a regular file, no link, pipe or folder, that only this user or root can have written."""
    try:
        status = path.lstat()
    except OSError:
        return False
    is_own = _is_of_this_user_or_root(status) and not _is_writable_by_others(status)
    return stat.S_ISREG(status.st_mode) and is_own


def make_way(path: Path) -> None:
    """Remove what is in the place of an own file: a folder, or a link, but not what it leads to."""
    if is_own_file(path):
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make_private(path: Path) -> None:
    """Let only this user read and write a file, whatever the umask is, so that it stays an own file."""
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _is_of(engine: Path, identity: Mapping[str, str]) -> bool:
    if not is_own_file(engine):
        return False
    try:
        metadata = read_engine(engine).metadata
    except (FileNotFoundError, ModelError):
        return False
    return identity.items() <= metadata.items()


def _is_of_this_user_or_root(status: os.stat_result) -> bool:
    return os.name != "posix" or status.st_uid in (_ROOT, os.geteuid())


def _is_writable_by_others(status: os.stat_result) -> bool:
    return os.name == "posix" and bool(status.st_mode & _WRITABLE_BY_OTHERS)
