"""How an engine is built."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, SupportsIndex, get_args

if TYPE_CHECKING:
    from typing import TypeAlias

    Batch: TypeAlias = SupportsIndex | tuple[SupportsIndex, SupportsIndex, SupportsIndex]
    """One number of images, or the least, the best and the largest."""

__all__ = ["Precision", "Recipe"]

Precision = Literal["fp32", "fp16"]

_BATCHES = range(1, 4097)


@dataclass(frozen=True)
class Recipe:
    """What a user may choose.

    Attributes
    ----------
    precision : {"fp32", "fp16"}
    batch : (int, int, int), optional
        Least, best and largest number of images per run; by default what the model has.
    takes_bytes : bool
        Whether the input is uint8.
    workspace : float, optional
        GiB that layers may use while they run.
    """

    precision: Precision = "fp32"
    batch: tuple[int, int, int] | None = None
    takes_bytes: bool = False
    workspace: float | None = None

    @classmethod
    def checked(
        cls,
        *,
        precision: Precision,
        batch: Batch | None = None,
        takes_bytes: bool = False,
        workspace: float | None = None,
    ) -> Recipe:
        """Make one of what a user gave.

        Raises
        ------
        TypeError, ValueError
            A value out of range, or of another kind.
        """
        if precision not in get_args(Precision):
            raise ValueError(f"precision is {precision!r}, expected 'fp32' or 'fp16'")
        if workspace is not None and not (math.isfinite(workspace) and workspace > 0):
            raise ValueError(f"workspace is {workspace} GiB, expected more than 0")
        return cls(precision, None if batch is None else _checked_batch(batch), bool(takes_bytes), workspace)

    def __str__(self) -> str:
        batch = "the model's batch" if self.batch is None else f"batch {':'.join(map(str, self.batch))}"
        taken = ", uint8 input" if self.takes_bytes else ""
        workspace = "" if self.workspace is None else f", workspace {self.workspace:g} GiB"
        return f"{self.precision}, {batch}{taken}{workspace}"


def _checked_batch(batch: Batch) -> tuple[int, int, int]:
    try:
        images = [operator.index(number) for number in (batch if isinstance(batch, tuple) else (batch,) * 3)]
    except TypeError:
        raise TypeError(f"batch must be a whole number or three of them, got {batch!r}") from None
    match images:
        case [least, best, largest] if least in _BATCHES and largest in _BATCHES and least <= best <= largest:
            return least, best, largest
    raise ValueError(
        f"batch is {':'.join(map(str, images))}, expected the least, the best and the largest number of images,"
        f" {_BATCHES[0]} to {_BATCHES[-1]}, in this order"
    )
