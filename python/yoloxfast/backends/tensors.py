"""What the tensors of a network are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast.errors import ModelError
from yoloxfast.input_format import layouts_of
from yoloxfast.limits import INPUT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ANY_BATCH", "SIDES", "BatchRange", "Batches", "Port", "Tensor", "image_input"]

SIDES = range(1, 8193)
"""Heights and widths of inputs that are taken for images."""

IMAGE_CHANNELS = frozenset((1, 3))
"""Of grey and colour images."""

_DTYPES = (np.float32, np.float16, np.uint8)


class Tensor(NamedTuple):
    """An input or output of fixed shape."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def of_batch(self, batch: int) -> Tensor:
        """Return the same tensor for that number of images."""
        return self._replace(shape=(batch, *self.shape[1:]))

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"


class Port(NamedTuple):
    """An input as a file declares it.

    Attributes
    ----------
    name : str
    shape : tuple of int or str
        A side that may vary is its name, or below 0.
    dtype : dtype or str
        What the runtime calls it, if NumPy has no such dtype.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any] | str

    def __str__(self) -> str:
        sides = ", ".join(map(str, self.shape))
        return f"{self.name} ({sides}{',' * (len(self.shape) == 1)}) {self.dtype}"


class BatchRange(NamedTuple):
    """Numbers of images that a network takes in one run, and the one that it is fastest with."""

    least: int
    best: int
    largest: int

    def __str__(self) -> str:
        if self == ANY_BATCH:
            return "any"
        return str(self.least) if self.least == self.largest else f"{self.least} to {self.largest} (best {self.best})"


ANY_BATCH = BatchRange(1, 4, 4096)
"""Of a network whose batch is dynamic. The limit keeps a wrong number from asking for all memory. In one run of two
threads, YOLOX-Nano takes 12 % less time for 4 images than 4 runs of one do; 8 images gain nothing more."""


class Batches(tuple[BatchRange, ...]):
    """All ranges of batches that a network takes: one, or as many as an engine has profiles."""

    __slots__ = ()

    @property
    def least(self) -> int:
        """The smallest batch."""
        return min(batch.least for batch in self)

    @property
    def largest(self) -> int:
        """The largest batch."""
        return max(batch.largest for batch in self)

    @property
    def best(self) -> int:
        """The batch for which it makes the most images per second."""
        return max(batch.best for batch in self)

    def fit(self, images: int) -> int:
        """Return the smallest batch that holds this number of images; the largest batch if none does."""
        fitting = [max(batch.least, images) for batch in self if images <= batch.largest]
        return min(fitting, default=self.largest)

    def range_of(self, batch: int) -> int:
        """Return the index of the range that serves this batch best."""
        fitting = [index for index, (least, _, largest) in enumerate(self) if least <= batch <= largest]
        return min(fitting, key=lambda index: abs(self[index].best - batch))

    @classmethod
    def of(cls, inputs: Sequence[Port]) -> Batches:
        """Return what the first input's shape says: one batch, or any."""
        match inputs:
            case [Port(shape=(int(batch), *_)), *_] if batch > 0:
                return cls([BatchRange(batch, batch, batch)])
        return cls([ANY_BATCH])

    def __str__(self) -> str:
        return " or ".join(map(str, self))


def image_input(
    inputs: Sequence[Port], batch: int, input_size: tuple[int, int] | None = None
) -> tuple[Tensor, tuple[int, int]]:
    """Return a network's input for that number of images, and its height and width.

    `input_size` is for networks that take any height and width.

    Raises
    ------
    ModelError
        Its inputs are not one batch of images of one size, or take more memory than `yoloxfast.limits` allow.
    """
    tensor, (height, width) = None, (0, 0)
    match inputs := [_of_size(port, input_size) for port in inputs]:
        case [Port(name, (_, int(first), int(second), int(third)), np.dtype() as dtype)] if dtype in _DTYPES:
            tensor = Tensor(name, (batch, first, second, third), dtype)
            height, width = next((layout.size for layout in layouts_of(tensor.shape[1:])), (0, 0))
    if tensor is None or height not in SIDES or width not in SIDES:
        raise ModelError(
            f"not the input of a YOLOX: found {', '.join(map(str, inputs))}; expected one input"
            f" (batch, 3, height, width) or (batch, height, width, 3) of fixed height and width, {SIDES[0]} to"
            f" {SIDES[-1]}, in float32, float16 or uint8; or the same with 1 instead of 3 for grey images; or"
            " (batch, 12, height / 2, width / 2) for a network that begins after YOLOX's Focus"
        )
    if excess := INPUT_BYTES.excess(math.prod(tensor.shape) * tensor.dtype.itemsize):
        raise ModelError(
            f"one run of it takes {batch:,} images, which have {excess}; or export it with a smaller batch"
        )
    return tensor, (height, width)


def _of_size(port: Port, input_size: tuple[int, int] | None) -> Port:
    """Give an input whose height and width vary this size; raise `ModelError` if the two do not fit."""
    if len(port.shape) != 4 or IMAGE_CHANNELS.isdisjoint((port.shape[1], port.shape[3])):  # noqa: PLR2004
        return port
    first = 1 if port.shape[3] in IMAGE_CHANNELS and port.shape[1] not in IMAGE_CHANNELS else 2
    declared = port.shape[first : first + 2]
    varies = [not isinstance(side, int) or side < 1 for side in declared]
    if input_size is None:
        if any(varies):
            raise ModelError(f"{port} takes any height and width: pass input_size=(height, width), multiples of 32")
        return port
    if any(side != asked for side, asked, is_free in zip(declared, input_size, varies, strict=True) if not is_free):
        raise ModelError(f"input_size is {input_size}, but the height and width of {port} are fixed: leave it out")
    shape: list[int | str] = list(port.shape)
    shape[first : first + 2] = input_size
    return port._replace(shape=tuple(shape))
