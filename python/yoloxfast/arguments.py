"""Arguments that several functions take."""

from __future__ import annotations

import operator
from itertools import islice
from typing import Any

import numpy as np

from yoloxfast._core import MAX_SIDE, MAX_STRIDES

_MAX_PIXELS = 2**30
_THREADS = range(1, 1025)

__all__ = ["check_image", "checked_size", "checked_strides", "checked_threads", "checked_whole"]


def check_image(image: Any, name: str = "image") -> None:
    """Raise `TypeError` or `ValueError`, saying what to do, unless this is a colour image."""
    if image is None:
        raise TypeError(f"{name} is None: cv2.imread returns None for a file that it cannot read")
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(image).__name__}: read files with cv2.imread")
    if image.dtype != np.uint8:
        remedy = "(image * 255).round().astype(np.uint8) if 1 is white" if image.dtype.kind == "f" else "convert it"
        raise TypeError(f"{name} must be uint8 with values 0..255, got {image.dtype}: {remedy}")
    expected = f"{name} must be (height, width, 3)"
    if image.ndim == 2:  # noqa: PLR2004
        raise ValueError(f"{expected}, got grey {image.shape}: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)")
    if image.ndim == 3 and image.shape[2] == 4:  # noqa: PLR2004
        raise ValueError(f"{expected}, got four channels {image.shape}: cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)")
    if image.ndim != 3 or image.shape[2] != 3:  # noqa: PLR2004
        raise ValueError(f"{expected}, got {_described(image.shape)}")
    if image.size == 0:
        raise ValueError(f"{name} is empty: {image.shape}")
    height, width, _ = image.shape
    if max(height, width) > MAX_SIDE or height * width > _MAX_PIXELS:
        raise ValueError(f"{name} is too large for OpenCV, 2**20 a side and 2**30 pixels: {image.shape}")


def _described(shape: tuple[int, ...]) -> str:
    match shape:
        case (_, _, 1):
            return f"one channel {shape}: np.repeat(image, 3, axis=2)"
        case (3, _, _):
            return f"channels first {shape}: image.transpose(1, 2, 0)"
        case (_, _, _, _):
            return f"{shape}: pass one image, image[0]"
    return str(shape)


def checked_size(size: Any, name: str = "size") -> tuple[int, int]:
    """Return a size as two ints if it is a height and a width in pixels, else raise `TypeError` or `ValueError`."""
    try:
        sides = tuple(operator.index(side) for side in islice(size, 3))  # it may never end
    except TypeError:
        raise TypeError(f"{name} must be (height, width) in whole pixels, got {size!r}") from None
    if len(sides) != 2 or min(sides) < 1:  # noqa: PLR2004
        raise ValueError(f"{name} must be (height, width) in pixels, both at least 1, got {size!r}")
    height, width = sides
    return height, width


def checked_whole(number: Any, name: str) -> int:
    """Return a whole number as an int, else raise `TypeError`."""
    try:
        return int(operator.index(number))  # True becomes 1
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {number!r}") from None


def checked_strides(strides: Any) -> tuple[int, ...]:
    """Return strides as ints, else raise `TypeError`; how many and how large they may be, the core knows."""
    try:
        several = tuple(islice(strides, MAX_STRIDES + 1))  # it may never end
    except TypeError:
        raise TypeError(f"strides must be whole numbers, got {strides!r}") from None
    return tuple(checked_whole(stride, "stride") for stride in several)


def checked_threads(threads: Any) -> int:
    """Return a number of a runtime's threads as an int, else raise `TypeError` or `ValueError`."""
    number = checked_whole(threads, "threads")
    if number not in _THREADS:
        raise ValueError(f"threads is {number}, expected {_THREADS[0]} to {_THREADS[-1]}, or None for one per core")
    return number
