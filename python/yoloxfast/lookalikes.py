"""Files that are taken for models, and what they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yoloxfast.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_beginning", "words_for_plugin"]

_BEGINNINGS = (
    (
        re.compile(rb"version https://git-lfs"),
        "a Git LFS pointer, not the model itself: get that by `git lfs pull`",
    ),
    (re.compile(rb"\s*<(!doctype\s+html|html|head|body)", re.IGNORECASE), "a web page, not the file that it links to"),
    (re.compile(rb"PK\x03\x04"), "an archive or a PyTorch checkpoint: export it to ONNX, or unpack it"),
)
_LOOKED_AT = 256
_PLUGIN = re.compile(r"\b\w*TRT\w*")


def check_beginning(path: Path) -> None:
    """Raise `ModelError` if a file is one of the kinds that are often taken for models, by how it begins."""
    with path.open("rb") as file:
        beginning = file.read(_LOOKED_AT)
    for pattern, meaning in _BEGINNINGS:
        if pattern.match(beginning):
            raise ModelError(f"{path} is {meaning}")


def words_for_plugin(path: Path | str, message: str) -> str | None:
    """Say what is wrong with a model if a runtime's message names a plugin of TensorRT, which only TensorRT has."""
    if found := _PLUGIN.search(message):
        return (
            f"{path} has the operator {found.group()}, a plugin of TensorRT: run it with backend='tensorrt', or export"
            " it without"
        )
    return None
