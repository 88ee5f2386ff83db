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

__all__ = ["EngineFile", "read_engine", "version_in", "write_engine"]

_MAGIC = b"\nyoloxfast engine 1\n"
_LENGTH = struct.Struct("<Q")
_PLAN_DIGEST = "plan sha256"

_HEADER = b"ptrt"
_HEADER_WITHIN = 512
_VERSION_OFFSETS = (24, 20)
"""From the header on; of TensorRT 7, and of TensorRT-RTX 1.7."""
_FIELD = struct.Struct("<HHB")
"""What kind of number, how many bytes it has, and the number, if it is one byte."""


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


def version_in(plan: memoryview) -> str | None:
    """Read the version that wrote a plan from its header: four numbers of one kind. None if they are not there."""
    start = bytes(plan[:_HEADER_WITHIN]).find(_HEADER)
    for offset in _VERSION_OFFSETS:
        fields = plan[start + offset : start + offset + 4 * _FIELD.size]
        if start < 0 or len(fields) < 4 * _FIELD.size:
            break
        kinds, sizes, numbers = zip(*_FIELD.iter_unpack(fields), strict=True)
        if len(set(kinds)) == 1 and set(sizes) == {1}:
            return ".".join(map(str, numbers))
    return None
