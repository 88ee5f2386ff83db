"""What the tensors of a network are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["SIDES", "Tensor", "image_size", "not_an_image"]

SIDES = range(1, 8193)
"""Heights and widths of inputs that are taken for images."""


class Tensor(NamedTuple):
    """An input or output of fixed shape."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"


def image_size(shape: Sequence[object], dtype: np.dtype[Any] | None) -> tuple[int, int] | None:
    """Return height and width of an input that takes images, whatever its batch; None if it does not."""
    match tuple(shape):
        case (_, 3, int(height), int(width)) if dtype in (np.float32, np.float16, np.uint8):
            pass
        case (_, int(height), int(width), 3) if dtype == np.uint8:
            pass
        case _:
            return None
    return (height, width) if height in SIDES and width in SIDES else None


def not_an_image(path: Path, found: str) -> ModelError:
    """Return the error for a network whose inputs, as `found` describes them, are not one batch of images."""
    return ModelError(
        f"{path}: not the input of a YOLOX: found {found}; expected one input (batch, 3, height, width) of fixed height"
        f" and width, {SIDES[0]} to {SIDES[-1]}, in float32, float16 or uint8, or (batch, height, width, 3) in uint8"
    )
