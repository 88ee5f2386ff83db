"""From an image to the input of a network."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_SIDE = 2**20
_MOST_PIXELS = 2**30

__all__ = ["PADDING", "check_image", "checked_size", "letterbox"]

PADDING = 114
"""Grey level of the border, in all three channels."""


def letterbox(
    image: NDArray[Any], size: tuple[int, int], *, out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], float]:
    """Fit an image into the input of a network, as YOLOX does.

    The image is resized, up or down and keeping its aspect ratio, to the largest that fits, and lies in the top left
    corner; the rest is 114. The values equal those of YOLOX's `preproc` (`yolox/data/data_augment.py`), which resizes
    with OpenCV's `INTER_LINEAR`, with one exception: where that fails because a very long image would become 0 pixels
    wide or high, this makes it 1.

    Parameters
    ----------
    image : ndarray of uint8, (height, width, 3)
        BGR, as `cv2.imread` gives it. Crops, padded rows and images upside down are read where they are, other strided
        views are copied first.
    size : (int, int)
        Height and width of the network's input in pixels.
    out : ndarray of float32 or float16, (3, height, width), optional
        Where to write the result, such as one image of a network's input: `out=batch[0]`.

    Returns
    -------
    tensor : ndarray, (3, height, width)
        `out`, or a new float32 array: planes B, G, R with values 0..255.
    scale : float
        Network pixels per image pixel. Boxes in image pixels are boxes in network pixels divided by it.

    Raises
    ------
    TypeError
        `image` is not a uint8 array, `size` is not two ints, or `out` is of no float dtype that networks take.
    ValueError
        `image` is not (height, width, 3), is empty, is a view that reverses its channels, or is beyond OpenCV's limits
        (2**20 a side, 2**30 pixels); `size` is not from 1 to 2**20; or `out` is not of that size.
    """
    check_image(image)
    if image.strides[2] < 0:
        raise ValueError(
            "image is a view that reverses its channels; if they are in BGR order now, pass np.ascontiguousarray(image)"
        )
    height, width = checked_size(size)
    if out is None:
        out = np.empty((3, height, width), np.float32)
    else:
        _check_out(out, (3, height, width))
    if out.flags.c_contiguous and out.flags.aligned:
        return out, _core.letterbox(image, out)
    dense = np.empty(out.shape, out.dtype)
    scale = _core.letterbox(image, dense)
    out[...] = dense
    return out, scale


def check_image(image: Any) -> None:
    """Raise `TypeError` or `ValueError`, saying what to do, unless `image` is a BGR image."""
    if image is None:
        raise TypeError("image is None: cv2.imread returns None for a file that it cannot read")
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array, got {type(image).__name__}: read files with cv2.imread")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8 with values 0..255, got {image.dtype}")
    expected = "image must be (height, width, 3) in BGR order"
    if image.ndim == 2:  # noqa: PLR2004
        raise ValueError(f"{expected}, got grey {image.shape}: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)")
    if image.ndim == 3 and image.shape[2] == 4:  # noqa: PLR2004
        raise ValueError(f"{expected}, got four channels {image.shape}: cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)")
    if image.ndim != 3 or image.shape[2] != 3:  # noqa: PLR2004
        raise ValueError(f"{expected}, got {image.shape}")
    if image.size == 0:
        raise ValueError(f"image is empty: {image.shape}")
    height, width, _ = image.shape
    if max(height, width) > _LARGEST_SIDE or height * width > _MOST_PIXELS:
        raise ValueError(f"image is too large for OpenCV, 2**20 a side and 2**30 pixels: {image.shape}")


def checked_size(size: Any) -> tuple[int, int]:
    """Return `size` as two ints if it is a height and a width in pixels, else raise `TypeError` or `ValueError`."""
    try:
        sides = tuple(operator.index(side) for side in size)
    except TypeError:
        raise TypeError(f"size must be (height, width) in whole pixels, got {size!r}") from None
    if len(sides) != 2 or min(sides) < 1:  # noqa: PLR2004
        raise ValueError(f"size must be (height, width) in pixels, both at least 1, got {size!r}")
    height, width = sides
    return height, width


def _check_out(out: Any, shape: tuple[int, int, int]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype not in (np.float32, np.float16):
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be an array of float32 or float16, got {kind}")
    if out.shape != shape:
        raise ValueError(f"out must be {shape}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
