"""How an engine is built."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Batch: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
    """One number of images, or the least, the best and the largest."""

__all__ = ["Precision", "Recipe"]

Precision = Literal["fp32", "fp16"]

_BATCHES = range(1, 4097)
_LEAST_WORKSPACE, _LARGEST_WORKSPACE = 0.001, 10_000


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
        if workspace is not None:
            if not isinstance(workspace, Real):
                raise TypeError(f"workspace must be a number of GiB, got {workspace!r}")
            if not _LEAST_WORKSPACE <= workspace <= _LARGEST_WORKSPACE:
                raise ValueError(f"workspace is {workspace} GiB, expected {_LEAST_WORKSPACE} to {_LARGEST_WORKSPACE}")
        return cls(precision, None if batch is None else _checked_batch(batch), bool(takes_bytes), workspace)

    def __str__(self) -> str:
        batch = "the model's batch" if self.batch is None else f"batch {':'.join(map(str, self.batch))}"
        taken = ", uint8 input" if self.takes_bytes else ""
        workspace = "" if self.workspace is None else f", workspace {self.workspace:g} GiB"
        return f"{self.precision}, {batch}{taken}{workspace}"


def _checked_batch(batch: Batch) -> tuple[int, int, int]:
    given: Any = batch if isinstance(batch, (list, tuple)) else [batch]
    try:
        images = [operator.index(number) for number in given]
    except TypeError:
        raise TypeError(f"batch must be a whole number or three of them, got {batch!r}") from None
    match images * 3 if len(images) == 1 else images:
        case [least, best, largest] if least in _BATCHES and largest in _BATCHES and least <= best <= largest:
            return least, best, largest
    raise ValueError(
        f"batch is {':'.join(map(str, images))}, expected a number of images, {_BATCHES[0]} to {_BATCHES[-1]}, or the"
        " least, the best and the largest number, in this order"
    )
