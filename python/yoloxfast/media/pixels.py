"""Whatever people hold an image in, as the array that the letterbox reads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.arguments import check_image
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    import PIL.Image
    from numpy.typing import NDArray

    from yoloxfast.input_format import Color

    ImageLike: TypeAlias = str | os.PathLike[str] | NDArray[Any] | PIL.Image.Image

__all__ = ["pixels_of"]

_MODES = ("1", "CMYK", "HSV", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
"""Of PIL images: those that Pillow converts to RGB without a guess at their range."""

_GREY_DIMENSIONS = 2

_REMEDIES = {
    "bytes": "decode them, with cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)",
    "list": "pass np.array(image, np.uint8) if it is one image, or several to detect_batch",
    "Tensor": "pass image.permute(1, 2, 0).cpu().numpy() if it is uint8 of shape (3, height, width)",
}
"""What to do with objects of other types, by the type's name."""


def pixels_of(image: Any, color: Color, name: str = "image") -> NDArray[Any]:
    """Return an image that a detector got as an array (height, width, 3) of uint8, its channels in that order.

    Nothing is copied here: the letterbox copies views that it cannot read where they are.

    Parameters
    ----------
    image : str, path, PIL image or ndarray
        As `Detector.detect` takes it.
    color : {"bgr", "rgb"}
        Order of the channels in arrays, which is kept; files and PIL images are brought into it.
    name : str
        What messages call the image.

    Raises
    ------
    TypeError, ValueError
        Not an image, or one that can be understood in several ways; says what to do.
    OSError, ValueError, MemoryError, MissingDependencyError
        A file that cannot be read; see `read_image`.
    """
    if isinstance(image, np.ndarray):
        pixels = image if image.ndim != _GREY_DIMENSIONS else np.broadcast_to(image[..., None], (*image.shape, 3))
    elif isinstance(image, (str, os.PathLike)):
        pixels = _ordered(_read(image, name), "bgr", color)
    elif _is_pil(image):
        pixels = _ordered(_decoded(image, name), "rgb", color)
    elif image is None:
        raise TypeError(f"{name} is None: cv2.imread returns None for a file that it cannot read")
    else:
        kind = type(image).__name__
        remedy = f": {_REMEDIES[kind]}" if kind in _REMEDIES else ""
        raise TypeError(f"{name} must be a path, a PIL image or a NumPy array, got {kind}{remedy}")
    check_image(pixels, name)
    return pixels


def _ordered(pixels: NDArray[Any], order: Color, wanted: Color) -> NDArray[Any]:
    return pixels if order == wanted else pixels[..., ::-1]


def _read(file: str | os.PathLike[str], name: str) -> NDArray[Any]:
    path = os.fspath(file)
    if not isinstance(path, str):
        raise TypeError(f"{name} is a path of bytes, expected one of str: os.fsdecode(path)")
    if not path:
        raise ValueError(f"{name} is '', expected the path of a file")
    try:
        return read_image(path)
    except OSError as error:  # its own kind again, which Python finds by the number
        raise OSError(error.errno, f"{name} cannot be read: {error.strerror}", path) from None
    except (ValueError, MemoryError) as error:
        kind = ValueError if isinstance(error, ValueError) else MemoryError
        raise kind(f"{name} is {path!r}: {error}") from None


def _is_pil(image: object) -> TypeGuard[PIL.Image.Image]:
    """Tell without importing Pillow: who holds an image of it has imported it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _decoded(image: PIL.Image.Image, name: str) -> NDArray[Any]:
    """Return a PIL image as RGB, in the way that `read_image` reads a file: upright, transparency dropped."""
    from PIL import ImageOps

    if image.mode not in _MODES:
        raise TypeError(
            f"{name} is a PIL image of mode {image.mode}, which becomes RGB only by a guess: pass an array of uint8, as"
            " (np.asarray(image) >> 8).astype(np.uint8) for 16 bits"
        )
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "P":  # whose transparency Pillow drops with a warning, unless by way of RGBA
            upright = upright.convert("RGBA")
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # its file is read only now
        raise ValueError(f"{name} is a PIL image that Pillow cannot decode: {error}") from error
