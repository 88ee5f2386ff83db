"""From an image to the input of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast import _core
from yoloxfast.arguments import checked_size
from yoloxfast.input_format import PixelOptions, layouts_of, pixel_format
from yoloxfast.network_input import NetworkInput, check_buffer, check_source, checked_images, fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from typing_extensions import Self, Unpack

    from yoloxfast.input_format import Color, InputLayout, Numbers

__all__ = ["Letterbox", "letterbox", "letterbox_batch"]


def letterbox(
    image: NDArray[Any],
    size: tuple[int, int],
    *,
    out: NDArray[Any] | None = None,
    color: Color = "bgr",
    legacy: bool = False,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    scale: Numbers | None = None,
    input_color: Color | None = None,
    threads: int = 1,
) -> tuple[NDArray[Any], float]:
    """Fit an image into the input of a network, as YOLOX does.

    The image is resized, up or down and keeping its aspect ratio, to the largest that fits, and lies in the top left
    corner; the rest is 114. The values equal those of YOLOX's `preproc` (`yolox/data/data_augment.py`), which resizes
    with OpenCV's `INTER_LINEAR`, with two exceptions: where that fails because a very long image would become 0 pixels
    wide or high, this makes it 1; and OpenCV 5.0 on ARM (KleidiCV) gives many images values up to 2 apart from these,
    which OpenCV 4.10 and 4.13 give there, and 5.0 on x86-64.

    Parameters
    ----------
    image : ndarray of uint8, (height, width, 3)
        BGR, as `cv2.imread` gives it, or RGB: see `color`. Crops, padded rows and images upside down are read where
        they are, other strided views are copied first.
    size : (int, int)
        Height and width of the network's input in pixels.
    out : ndarray, optional
        Where to write the result, such as one image of a network's input: `out=batch[0]`. Of float32, float16 or uint8,
        and one of these shapes, the first that fits. To use one again and again, make a `Letterbox` of it.

        - (3, height, width), planes; or (height, width, 3), pixels.
        - (1, height, width) or (height, width, 1): grey. The image is made grey as by `cv2.cvtColor` with
          `COLOR_BGR2GRAY`, and then resized, as in training with grey images. What `cv2.imread` makes of a file with
          `IMREAD_GRAYSCALE` differs a little, since each of its decoders has arithmetic of its own: by 0.01 on average
          for photos in JPEG.
        - (12, height / 2, width / 2): what YOLOX's `Focus` makes of three planes, for networks that begin after it.
    color : {"bgr", "rgb"}, default "bgr"
        Order of the channels in `image`; the network gets its own order.
    legacy : bool, default False
        Whether the network is of YOLOX 0.1.0 or before (`--legacy` there): the same as `scale=1 / 255, mean=(0.485,
        0.456, 0.406), std=(0.229, 0.224, 0.225), input_color="rgb"`.
    mean, std, scale : float or three floats, optional
        The network gets (value * scale - mean) / std instead of values from 0 to 255, the border too; after each of
        the three steps, which are in float64, it is rounded to float32. Three numbers are for the channels in the
        network's order. By default 0, 1 and 1.
    input_color : {"bgr", "rgb"}, default "bgr"
        Order of the channels that the network was trained with.
    threads : int, default 1
        Threads that share the rows, which pays for large images; this one is the first of them.

    Returns
    -------
    tensor : ndarray, (3, height, width)
        `out`, or a new float32 array: planes B, G, R with values 0..255, unless other ones are asked for.
    scale : float
        Network pixels per image pixel. Boxes in image pixels are boxes in network pixels divided by it.

    Raises
    ------
    TypeError
        `image` is not a uint8 array, `size` is not two ints, `out` is of no dtype that networks take, `mean`, `std` or
        `scale` are not numbers, or `threads` is not an int.
    ValueError
        `image` is not (height, width, 3), is empty, is a view that reverses its channels, or is beyond OpenCV's limits
        (2**20 a side, 2**30 pixels); `size` is not from 1 to 2**20; `out` is not of that size, is read-only, or shares
        memory with `image`; `color` or `input_color` is another word; `mean`, `std` or `scale` are not one finite
        number for each channel, or `std` or `scale` is not above 0; `legacy` is set besides these; such values are to
        be written as uint8, or a grey input is to be `legacy`; or `threads` is not 1 to 1024.
    """
    check_source(image)
    height, width = _checked_size(size)
    out, layout = _checked_out(out, (), (height, width))
    asked = PixelOptions(color=color, legacy=legacy, mean=mean, std=std, scale=scale, input_color=input_color)
    pixels = pixel_format(out.dtype, layout.channels, **asked)
    return out, fill([image], out[None], layout, pixels, threads)[0]


def letterbox_batch(
    images: Iterable[NDArray[Any]],
    size: tuple[int, int],
    *,
    out: NDArray[Any] | None = None,
    threads: int = 1,
    **options: Unpack[PixelOptions],
) -> tuple[NDArray[Any], list[float]]:
    """Fit images, each of any size, into one batch: `letterbox` of each.

    Parameters
    ----------
    images : iterable of ndarray of uint8, (height, width, 3)
    size : (int, int)
        Height and width of the network's input in pixels.
    out : ndarray, optional
        Where to write the result: a batch of what `letterbox` takes.
    threads : int, default 1
        Threads that share the rows of all images.
    **options
        `color`, `legacy`, `mean`, `std`, `scale` and `input_color`, as for one image.

    Returns
    -------
    tensor : ndarray, (batch, 3, height, width)
        `out`, or a new float32 array.
    scales : list of float
        Network pixels per image pixel, for each image: what `PostProcessor.batch` takes.

    Raises
    ------
    TypeError, ValueError
        As for one image; the message says which. Nothing has been written then.

    Examples
    --------
    >>> tensor, scales = yoloxfast.letterbox_batch(frames, (640, 640))
    >>> raw = session.run(None, {"images": tensor})[0]
    >>> results = post.batch(raw, scales=scales)
    """
    batch = checked_images(images)
    out, layout = _checked_out(out, (len(batch),), _checked_size(size))
    pixels = pixel_format(out.dtype, layout.channels, **options)
    return out, fill(batch, out, layout, pixels, threads)


class Letterbox:
    """One image of a network's input that images are written into again and again.

    The border is written once for each size of images, not with each image: nobody else may write into `out`. How to
    resize images of a size is computed once, for the last few sizes. Threads take turns.

    Parameters
    ----------
    out : ndarray, C-contiguous
        One of those that `letterbox` takes, such as one image of the page-locked buffer that an engine reads:
        `Letterbox(batch[0])`.

    Raises
    ------
    TypeError
        `out` is of no dtype that networks take.
    ValueError
        `out` has another shape, is empty, is read-only, or is not C-contiguous.

    Examples
    --------
    >>> write = yoloxfast.Letterbox(np.empty((3, 640, 640), np.float32))
    >>> scale = write(cv2.imread("street.jpg"))
    >>> raw = session.run(None, {"images": write.out[None]})[0]
    """

    def __init__(self, out: NDArray[Any]) -> None:
        check_buffer(out)
        if not layouts_of(out.shape):
            raise ValueError(_expected("(3, height, width)", "(height, width, 3)", out))
        if out.size == 0:
            raise ValueError(f"out is empty: {out.shape}")
        if not (out.flags.c_contiguous and out.flags.aligned):
            raise ValueError("out is not C-contiguous: pass np.empty(shape, dtype), or one image of a batch")
        self._input, self._place = NetworkInput(np.asarray(out)[None]), 0

    @classmethod
    def of_place(cls, network_input: NetworkInput, place: int) -> Self:
        """Return what writes into one place of a batch."""
        letterbox = cls(network_input.batch[place])
        letterbox._input, letterbox._place = network_input, place  # its own
        return letterbox

    @property
    def out(self) -> NDArray[Any]:
        """What was given, as an ndarray."""
        out: NDArray[Any] = self._input.batch[self._place]
        return out

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        return self._input.layout.size

    def __call__(self, image: NDArray[Any], *, threads: int = 1, **options: Unpack[PixelOptions]) -> float:
        """Write an image into `out`: what `letterbox` does, with the same parameters and errors.

        Returns
        -------
        scale : float
            Network pixels per image pixel.
        """
        check_source(image)
        pixels = pixel_format(self._input.batch.dtype, self._input.layout.channels, **options)
        [scale] = self._input.write(self._place, [image], pixels, threads=threads)
        return scale


def _checked_size(size: Any) -> tuple[int, int]:
    height, width = checked_size(size)
    if max(height, width) > _core.MAX_SIDE:
        raise ValueError(f"size is {height}x{width} (height x width), expected sides from 1 to {_core.MAX_SIDE}")
    return height, width


def _checked_out(out: Any, batch: tuple[int, ...], size: tuple[int, int]) -> tuple[NDArray[Any], InputLayout]:
    """Return where to write, by default a new array, and how that lies."""
    planes = (*batch, 3, *size)
    if out is None:
        out = np.empty(planes, np.float32)
    check_buffer(out)
    shape = out.shape[len(batch) :]
    layout = next((layout for layout in layouts_of(shape) if layout.size == size), None)
    if layout is None or out.shape != (*batch, *shape):
        raise ValueError(_expected(planes, (*batch, *size, 3), out))
    return out, layout


def _expected(planes: object, pixels: object, out: NDArray[Any]) -> str:
    return f"out must be {planes} or {pixels}, with 1 instead of 3 if it is grey, got {out.shape} of {out.dtype}"
