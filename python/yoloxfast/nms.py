"""Non-maximum suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nms"]


def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.integer[Any]] | None = None,
    *,
    iou_threshold: float = 0.45,
) -> NDArray[np.int64]:
    """Suppress boxes that overlap a better one: exact greedy non-maximum suppression.

    Parameters
    ----------
    boxes : ndarray of float32, (N, 4)
        `x1, y1, x2, y2`.
    scores : ndarray of float32, (N,)
    class_ids : ndarray of integers, (N,), optional
        Boxes suppress only boxes of the same class; without, all suppress one another.
    iou_threshold : float, default 0.45
        From 0 to 1; a box is suppressed if its IoU with a better one that was kept is above.

    Returns
    -------
    ndarray of int64, (M,)
        Indices of the boxes that are kept, best score first; equal scores: lower index first. A box whose corners or
        score are not finite is not kept.

    Raises
    ------
    TypeError
        Not arrays, or of other dtypes.
    ValueError
        Other shapes, or a threshold out of range.
    """
    groups: Any = class_ids
    if isinstance(class_ids, np.ndarray) and np.issubdtype(class_ids.dtype, np.integer):
        groups = class_ids.astype(np.int64, copy=False)
    return _core.nms(boxes, scores, groups, iou_threshold)
