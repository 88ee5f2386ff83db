"""Engine files: a plan, as TensorRT serialized it, and after it what yoloxfast says of it.

The plan comes first and whole, then metadata as JSON (an object of strings), then 8 bytes that say how long the JSON is
(little-endian), and `_MAGIC`. A plan without them, as `trtexec` writes it, is an engine file too.
"""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from yoloxfast.errors import ModelError
from yoloxfast.models import read_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["EngineFile", "read_engine", "write_engine"]

_MAGIC = b"\nyoloxfast engine 1\n"
_LENGTH = struct.Struct("<Q")
_PLAN_DIGEST = "plan sha256"


class EngineFile(NamedTuple):
    """What an engine file holds; `metadata` is empty if yoloxfast did not write it."""

    plan: memoryview
    metadata: Mapping[str, str]


def write_engine(file: BinaryIO, plan: bytes, metadata: Mapping[str, str]) -> None:
    """Write a plan and its metadata."""
    text = json.dumps({**metadata, _PLAN_DIGEST: sha256(plan).hexdigest()}).encode()
    file.writelines((plan, text, _LENGTH.pack(len(text)), _MAGIC))


def read_engine(path: Path) -> EngineFile:
    """Read an engine file.

    Raises
    ------
    ModelError
        It is not a regular file, or too large; it is empty, or it was written by yoloxfast and has been damaged since.
        (Cut off, it is like one without metadata, and TensorRT refuses it.)
    """
    content = memoryview(read_model(path))
    if not content:
        raise ModelError(f"{path} is empty, expected an engine")
    ending = len(content) - len(_MAGIC) - _LENGTH.size
    if ending < 0 or content[-len(_MAGIC) :] != _MAGIC:
        return EngineFile(content, {})
    (length,) = _LENGTH.unpack_from(content, ending)
    plan = content[: max(0, ending - length)]
    try:
        metadata = json.loads(bytes(content[len(plan) : ending]))
    except (RecursionError, ValueError):
        metadata = None
    is_whole = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if not is_whole or metadata.pop(_PLAN_DIGEST, None) != sha256(plan).hexdigest():
        raise ModelError(f"{path} is damaged: it is not what yoloxfast wrote; build it again")
    return EngineFile(plan, metadata)
