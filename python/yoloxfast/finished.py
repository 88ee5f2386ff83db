"""Detections of a network that suppresses boxes itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from yoloxfast.forms import RawOutput

__all__ = ["KeptScores", "images_and_scales"]

_ENOUGH_BOXES = 100
_ROOM = 0.02
"""Of 100 boxes, one has a score this close above the network's own threshold."""


def images_and_scales(raw: RawOutput, scales: Iterable[float] | None) -> list[tuple[RawOutput, float]]:
    """Return the detections of each image, with its scale, else raise `TypeError` or `ValueError`."""
    if not isinstance(raw, (Sequence, np.ndarray)):
        raise TypeError(f"raw output is {raw!r}, expected an array (detections, 6) for each image")
    if scales is None:
        return [(image, 1.0) for image in raw]
    fits = list(islice(scales, len(raw) + 1))  # it may never end
    if len(fits) != len(raw):
        raise ValueError(f"expected {len(raw)} scales, one for each image, got {len(fits)} or more")
    return list(zip(raw, fits, strict=True))


class KeptScores:
    """The scores seen so far; says once if a lower threshold is asked for than the network's own.

    Threads may disturb one another: then it is said later.
    """

    def __init__(self) -> None:
        self._count, self._least, self._is_said = 0, 1.0, False

    def compare(self, scores: NDArray[Any], score_threshold: float) -> None:
        """Take note of the scores of an image, 0 for none."""
        if self._is_said:
            return
        kept = scores[scores > 0]
        self._count += len(kept)
        self._least = min(self._least, float(kept.min(initial=1)))
        if self._count >= _ENOUGH_BOXES and self._least > score_threshold + _ROOM:
            self._is_said = True
            warnings.warn(
                f"of {self._count} boxes that the network gave, none has a score below {self._least:.2g}: it drops them"
                f" itself, so score_threshold={score_threshold:.2g} finds no more; export it with a lower threshold",
                stacklevel=5,
            )
