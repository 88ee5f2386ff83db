"""Engines that were built for `Detector("model.onnx", backend="tensorrt")`, kept for the next time."""

from __future__ import annotations

import json
import os
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

__all__ = ["ENGINES_VARIABLE", "cached_engine", "engines_folder"]

ENGINES_VARIABLE = "YOLOXFAST_ENGINES"
"""Environment variable: the folder that engines are kept in, instead of one in the user's cache."""


def engines_folder() -> Path:
    """Return the folder of engines that were built, and of TensorRT's timings."""
    return Path(os.environ.get(ENGINES_VARIABLE) or Path(pooch.os_cache("yoloxfast"), "engines"))


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
    """
    digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    engine = engines_folder() / f"{name}-{digest[:16]}.engine"
    if not rebuild and _is_of(engine, identity):
        return engine
    engine.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(engine.with_suffix(".lock")):
        if rebuild or not _is_of(engine, identity):
            build(engine)
    return engine


def _is_of(engine: Path, identity: Mapping[str, str]) -> bool:
    try:
        metadata = read_engine(engine).metadata
    except (FileNotFoundError, ModelError):
        return False
    return identity.items() <= metadata.items()
