"""How networks want their images: which number lies where, and what it says of a pixel."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import numpy as np

from yoloxfast import _core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

__all__ = ["Color", "InputLayout", "Numbers", "PixelOptions", "layouts_of", "pixel_format"]

Color = Literal["bgr", "rgb"]
Numbers: TypeAlias = "float | Sequence[float] | NDArray[np.floating[Any]]"

_COLORS = 3
_PATCHES = 12
_BYTES = np.arange(256, dtype=np.float32)

_Steps: TypeAlias = "tuple[tuple[float, ...], ...]"  # scale, mean and std of three channels
_NO_STEPS: _Steps = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_LEGACY: _Steps = ((1 / 255,) * _COLORS, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class InputLayout(NamedTuple):
    """How one image lies in an input.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels.
    channels : int
        3, or 1 for grey.
    interleaved : bool
        Whether the channels of a pixel lie side by side, and not in planes.
    patches : bool
        Whether each of four groups of planes holds every other pixel of every other row: what YOLOX's `Focus` makes
        of its input, for networks that begin after it.
    """

    size: tuple[int, int]
    channels: int
    interleaved: bool = False
    patches: bool = False


@lru_cache(maxsize=64)
def layouts_of(shape: tuple[int, ...]) -> tuple[InputLayout, ...]:
    """Return what the shape of one image of an input may mean, the likeliest first; nothing if it is not an image."""
    match shape:
        case (first, second, third):
            meanings = [
                (first == _COLORS, InputLayout((second, third), _COLORS)),
                (third == _COLORS, InputLayout((first, second), _COLORS, interleaved=True)),
                (first == 1, InputLayout((second, third), 1)),
                (third == 1, InputLayout((first, second), 1, interleaved=True)),
                (first == _PATCHES, InputLayout((2 * second, 2 * third), _COLORS, patches=True)),
            ]
            return tuple(layout for fits, layout in meanings if fits)
    return ()


class PixelOptions(TypedDict, total=False):
    """What is said about pixels: see `letterbox`."""

    color: Color
    legacy: bool
    mean: Numbers | None
    std: Numbers | None
    scale: Numbers | None
    input_color: Color | None


def pixel_format(
    dtype: np.dtype[Any],
    channels: int,
    *,
    color: Color = "bgr",
    legacy: bool = False,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    scale: Numbers | None = None,
    input_color: Color | None = None,
    single_precision: bool = False,
) -> _core.PixelFormat:
    """Return how a network wants its pixels, once for the same options.

    A value is computed in float64 and rounded to float32 three times: times the scale, minus the mean, divided by the
    deviation. Since pixels are bytes, that is done for 256 of them, and the core looks them up.

    Parameters
    ----------
    dtype : dtype
        Of the network's input.
    channels : int
        3, or 1 for grey.
    color, legacy, mean, std, scale, input_color : optional
        As for `letterbox`.
    single_precision : bool, default False
        Whether the letterbox's scale, and the size that follows from it, is computed in float32, as YOLOX's demos in
        C++ do it.

    Raises
    ------
    TypeError, ValueError
        Not such options, or contradicting ones, or values that such an input cannot hold.
    """
    _check_color(color, "color")
    if input_color is not None:
        _check_color(input_color, "input_color")
    if channels == 1 and (legacy or input_color is not None):
        raise ValueError(
            f"{'legacy' if legacy else 'input_color'} is for networks of three channels, this one takes grey images"
        )
    if legacy:
        if not (mean is std is scale is None) or input_color == "bgr":
            raise ValueError("legacy sets mean, std, scale and input_color itself: pass legacy or these, not both")
        steps, input_color = _LEGACY, "rgb"
    elif mean is std is scale is None:
        steps = _NO_STEPS
    else:
        steps = (
            _numbers(scale, "scale", channels, 1.0, above=0.0),
            _numbers(mean, "mean", channels, 0.0),
            _numbers(std, "std", channels, 1.0, above=0.0),
        )
    if steps != _NO_STEPS and dtype == np.uint8:
        what = "legacy values" if legacy else "values of mean, std and scale"
        raise ValueError(f"uint8 cannot hold {what}, which are fractions: expected float32 or float16")
    return _made(color != (input_color or "bgr"), steps, dtype.char, single_precision)


@lru_cache(maxsize=64)
def _made(reverses: bool, steps: _Steps, dtype: str, single_precision: bool) -> _core.PixelFormat:
    if steps == _NO_STEPS:
        return _core.PixelFormat(reverses, None, single_precision)
    scale, mean, std = (np.array(numbers)[:, None] for numbers in steps)
    values = np.tile(_BYTES, (_COLORS, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        values *= scale
        values -= mean
        values /= std
        if not np.isfinite(values.astype(dtype)).all():
            raise ValueError(f"mean, std and scale give values that {np.dtype(dtype)} cannot hold")
    return _core.PixelFormat(reverses, values, single_precision)


def _check_color(color: Any, name: str) -> None:
    if not isinstance(color, str) or color not in ("bgr", "rgb"):
        raise ValueError(f"{name} is {color!r}, expected 'bgr' or 'rgb'")


def _numbers(value: Any, name: str, channels: int, default: float, *, above: float = -math.inf) -> tuple[float, ...]:
    """Return one number for each of three channels."""
    if value is None:
        return (default,) * _COLORS
    try:
        numbers = (value,) if isinstance(value, Real) else tuple(islice(value, _COLORS + 1))
    except TypeError:
        numbers = ()
    if not numbers or not all(isinstance(number, Real) for number in numbers):
        raise TypeError(f"{name} must be a number, or one for each channel, got {value!r}")
    if len(numbers) not in (1, channels):
        for_each = "" if channels == 1 else f", or one for each of the network's {channels} channels"
        raise ValueError(f"{name} is {value!r}, expected one number{for_each}")
    try:
        floats = tuple(map(float, numbers))
    except OverflowError:
        floats = (math.inf,)
    if not all(above < number < math.inf for number in floats):
        kind = "finite numbers" if above < 0 else "finite numbers above 0"
        raise ValueError(f"{name} is {value!r}, expected {kind}")
    return floats * (_COLORS // len(floats))
