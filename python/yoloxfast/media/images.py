"""Image files: read as a viewer shows them, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yoloxfast.files import replacing
from yoloxfast.limits import IMAGE_BYTES, IMAGE_PIXELS
from yoloxfast.media.headers import is_cut_off_jpeg, pixels_in
from yoloxfast.reading import read_file

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["SUFFIXES", "read_image", "write_image"]

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Names of files that a folder is searched for; a file that is named itself may have any."""


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file as BGR, whatever its suffix: rotated as its EXIF says, grey widened, transparency dropped.

    Returns
    -------
    ndarray of uint8, (height, width, 3)

    Raises
    ------
    OSError
        The file cannot be read, or is not a regular one.
    ValueError
        It is empty, truncated, or no image that OpenCV reads; or it has more bytes or pixels than `yoloxfast.limits`
        allow.
    MemoryError
        The system refuses the memory that it needs.
    MissingDependencyError
        OpenCV is not installed or cannot be loaded.
    """
    from yoloxfast.opencv import cv2

    content = read_file(Path(path), IMAGE_BYTES)
    if not content:
        raise ValueError("the file is empty")
    if is_cut_off_jpeg(content):
        raise ValueError("the JPEG file is truncated")
    if excess := IMAGE_PIXELS.excess(pixels_in(content) or 0):
        raise ValueError(f"the picture has {excess}")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        raise ValueError("OpenCV refuses it: too large, or damaged") from None
    if image is None:
        raise ValueError("not an image that OpenCV can read, or a truncated one")
    return image  # type: ignore[return-value]  # IMREAD_COLOR gives uint8


def write_image(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write an image file in the format of its suffix: the whole file or none.

    Raises
    ------
    OSError
        The file cannot be written.
    ValueError
        OpenCV knows no format of that suffix, or the image is too large for it.
    MissingDependencyError
        OpenCV is not installed or cannot be loaded.
    """
    from yoloxfast.opencv import cv2

    path = Path(path)
    height, width, *_ = image.shape
    try:
        is_encoded, content = cv2.imencode(path.suffix, image)
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        raise ValueError(
            f"OpenCV cannot write an image of {width}x{height} as {path.suffix or 'a file without suffix'}"
        )
    with replacing(path) as file:
        file.write(content.tobytes())
