"""Which boxes of one list are those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["iou_matrix", "match"]

_LEAST_IOU = 0.5


def iou_matrix(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the IoU of each box with each other box, (boxes, others); 0 where both are points."""
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)  # areas may be more than float32 holds
    overlap = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
    intersection = overlap.clip(0).prod(axis=2)
    areas, other_areas = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (boxes, others))
    union = areas[:, None] + other_areas - intersection
    iou: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return iou


def match(ious: NDArray[np.float64]) -> dict[int, int]:
    """Give each of the others, in order, the free box that it overlaps most, if their IoU is 0.5 or more.

    Returns
    -------
    dict of int to int
        For each box that was given, the number of the other that has it.
    """
    found: dict[int, int] = {}
    for index, overlaps in enumerate(ious.T):
        free = [box for box in np.flatnonzero(overlaps >= _LEAST_IOU).tolist() if box not in found]
        if free:
            found[max(free, key=overlaps.__getitem__)] = index
    return found
