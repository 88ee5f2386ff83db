"""Which scores a network keeps that suppresses boxes itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KeptScores"]

_ENOUGH_BOXES = 100
_ROOM = 0.02
"""Of so many boxes, one has a score this close above the network's own threshold."""


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
