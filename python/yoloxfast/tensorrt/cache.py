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
    from yoloxfast.tensorrt.building import EngineBuilder
    from yoloxfast.tensorrt.recipe import Recipe

__all__ = ["ENGINES_VARIABLE", "cached_engine", "engines_folder"]

ENGINES_VARIABLE = "YOLOXFAST_ENGINES"
"""Environment variable: the folder that engines are kept in, instead of one in the user's cache."""


def engines_folder() -> Path:
    """Return the folder of engines that were built, and of TensorRT's timings."""
    return Path(os.environ.get(ENGINES_VARIABLE) or Path(pooch.os_cache("yoloxfast"), "engines"))


def cached_engine(model: Path, builder: EngineBuilder, recipe: Recipe, *, rebuild: bool = False) -> Path:
    """Return the engine file of an ONNX file; build it if there is none that fits, or if `rebuild`.

    Its name is a hash of all that it depends on. Of processes that want the same one, the first builds it.
    """
    identity = builder.identity(model, recipe)
    digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    engine = engines_folder() / f"{model.stem}-{digest[:16]}.engine"
    if not rebuild and _is_of(engine, identity):
        return engine
    engine.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(engine.with_suffix(".lock")):
        if rebuild or not _is_of(engine, identity):
            builder.build(model, engine, recipe)
    return engine


def _is_of(engine: Path, identity: dict[str, str]) -> bool:
    try:
        metadata = read_engine(engine).metadata
    except (FileNotFoundError, ModelError):
        return False
    return identity.items() <= metadata.items()
