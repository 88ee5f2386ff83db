"""Memory that a network reads, and writing letterboxes into it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast import _core
from yoloxfast.arguments import check_image
from yoloxfast.input_format import layouts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from yoloxfast.input_format import InputLayout

_process = os.getpid()
_CHANNELS = 3
_PATCHES = ((0, 0), (1, 0), (0, 1), (1, 1))
"""First row and column of each, in the order of YOLOX's `Focus` (`yolox/models/network_blocks.py`)."""
_MAX_OVERLAP_WORK = 100_000
"""To find out exactly whether two views overlap can take NumPy minutes; after milliseconds it says that they may."""
_IMAGE_DIMENSIONS = (2, 3)  # grey, colour

__all__ = [
    "NetworkInput",
    "check_are_several",
    "check_buffer",
    "check_source",
    "checked_images",
    "fill",
]


class NetworkInput:
    """A batch that images are written into again and again.

    The border of a place is written once for each size of images, and how to resize images of a size is computed once,
    for the last few sizes. Threads take turns. A signal handler may write too, and so may a process that was forked
    while another thread was writing.

    Parameters
    ----------
    batch : ndarray, C-contiguous
        Of float32, float16 or uint8, and a shape that is a batch of a `InputLayout`.
    """

    def __init__(self, batch: NDArray[Any]) -> None:
        self.batch = batch
        self.layout, *_ = layouts_of(batch.shape[1:])
        self._bordered_for: list[object] = [None] * len(batch)
        self._plans = _core.Plans()
        self._lock = RLock()  # a signal handler may run in the thread that holds it
        self._process = os.getpid()
        self._last_write: object = None

    def write(
        self, first: int, images: Sequence[NDArray[Any]], pixels: _core.PixelFormat, *, threads: int
    ) -> list[float]:
        """Write images, which have been checked, into the places from the first on, in one call of the core.

        Returns
        -------
        list of float
            Network pixels per image pixel, for each image.
        """
        places = slice(first, first + len(images))
        out = self.batch if len(images) == len(self.batch) else self.batch[places]
        wanted = [(image.shape, pixels) for image in images]
        unknown = [None] * len(images)
        if os.getpid() != self._process:
            self._take_over()
        with self._lock:
            self._last_write = None
            while self._last_write is not wanted:  # else a signal handler has written another image meanwhile
                self._last_write = wanted
                border = self._bordered_for[places] != wanted
                self._bordered_for[places] = unknown
                scales = fill(images, out, self.layout, pixels, threads, border=border, plans=self._plans)
            self._bordered_for[places] = wanted
            if self._last_write is not wanted:  # and now after this one
                self._bordered_for[places] = unknown
        return scales

    def _take_over(self) -> None:
        """Make it this process's: in a fork, threads that held the lock at that moment are gone."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = RLock()
            self._bordered_for = [None] * len(self.batch)
        self._process = os.getpid()


def fill(
    images: Sequence[NDArray[Any]],
    out: NDArray[Any],
    layout: InputLayout,
    pixels: _core.PixelFormat,
    threads: int,
    *,
    border: bool = True,
    plans: _core.Plans | None = None,
) -> list[float]:
    """Write the letterbox of each image into `out`; the images have been checked, and shape and dtype of `out`."""
    images = [_readable(image, out, name) for image, name in zip(images, _names(images), strict=True)]
    if layout.patches:
        planes = np.empty((len(out), _CHANNELS, *layout.size), out.dtype)
        scales = _core.letterbox(images, planes, False, pixels, True, threads, plans)
        for number, (row, column) in enumerate(_PATCHES):
            out[:, _CHANNELS * number : _CHANNELS * (number + 1)] = planes[..., row::2, column::2]
        return scales
    if out.flags.c_contiguous and out.flags.aligned:
        try:
            return _core.letterbox(images, out, layout.interleaved, pixels, border, threads, plans)
        except ValueError:
            if os.getpid() == _process:
                raise  # else it may be in use by a thread that a fork has left behind
    dense = np.empty(out.shape, out.dtype)
    scales = _core.letterbox(images, dense, layout.interleaved, pixels, True, threads, plans)
    out[...] = dense
    return scales


def _names(images: Sequence[NDArray[Any]]) -> list[str]:
    return ["image"] if len(images) == 1 else [f"image {number}" for number in range(len(images))]


def checked_images(images: Any) -> list[NDArray[Any]]:
    """Return several images as a list, each checked by `check_source`, else raise `TypeError` or `ValueError`."""
    check_are_several(images, "images")
    checked = list(images)
    for number, image in enumerate(checked):
        check_source(image, f"image {number}")
    return checked


def check_are_several(images: Any, name: str) -> None:
    """Raise `TypeError` or `ValueError` unless this is an iterable, and not one image."""
    if isinstance(images, np.ndarray) and images.ndim in _IMAGE_DIMENSIONS:
        raise ValueError(f"{name} is one image, {images.shape}, expected several: pass [image]")
    if not isinstance(images, Iterable) or isinstance(images, (str, bytes)):
        raise TypeError(f"{name} must be several images, got {type(images).__name__}")


def check_source(image: Any, name: str = "image") -> None:
    """Raise `TypeError` or `ValueError`, saying what to do, unless this is an image that can be letterboxed."""
    check_image(image, name)
    if image.strides[2] < 0:
        raise ValueError(
            f"{name} is a view that reverses its channels: pass np.ascontiguousarray(image), or the original with its"
            " own order as color='bgr' or color='rgb'"
        )


def _readable(image: NDArray[Any], out: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the image if its pixels lie one after the other in each row, or else a copy."""
    if np.may_share_memory(image, out, max_work=_MAX_OVERLAP_WORK):  # type: ignore[arg-type]  # any limit
        raise ValueError(f"out may share memory with {name}, which would be overwritten while it is read: pass a copy")
    return image if image.strides[1:] == (3, 1) else _copied(image)


def _copied(image: NDArray[Any]) -> NDArray[Any]:
    """Copy channel by channel, which takes a third of the time: NumPy alone would loop over three bytes at a time."""
    copy = np.empty(image.shape, np.uint8)
    for channel in range(_CHANNELS):
        copy[..., channel] = image[..., channel]
    return copy


def check_buffer(out: Any) -> None:
    """Raise `TypeError` or `ValueError` unless a letterbox can be written into this."""
    if not isinstance(out, np.ndarray) or out.dtype not in (np.float32, np.float16, np.uint8):
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be an array of float32, float16 or uint8, got {kind}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
