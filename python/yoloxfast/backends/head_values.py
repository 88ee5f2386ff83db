"""What the numbers of a head say: whether boxes are decoded, and whether scores have gone through a sigmoid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast._core import BOX_COLUMNS, SCORE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends.head import Hints

__all__ = ["Cells", "Columns", "Meaning", "cells_of", "coarse_step", "columns_of", "meaning_of", "read_boxes"]

_LARGEST_LOG_SIZE = 20.0
"""exp(20) strides are more pixels than any image has."""

_LARGEST_LOGIT = 50.0
"""The sigmoid of it is 1 in any precision."""

_NEAR = 4.0
"""Strides that the centre of a decoded box lies from its cell at most, on an image without anything to be seen."""

_INT8_LEVELS, _LEAST_LEVELS = 256, 16
_SAMPLE = 4096
"""Values that show what nearly all networks are: not of INT8. All of them take 10 ms for 640x640."""

_FINE_STEP = 1 / 128
"""INT8 outputs that hold nothing but scores have steps of 1 / 255."""

_EVEN = 1e-3
"""Of a step, what rounding may add to a multiple of it."""

_MOST = 0.9
"""Share of the anchors that tells."""

_OTHERS = {
    84: "80 classes without objectness, as YOLOv8 has",
    144: "80 classes and sides of boxes in 64 numbers, as YOLOv8 has",
    255: "80 classes for each of three anchors in a cell, as YOLOv5 has",
}
"""What columns of other networks for COCO are, by their number."""


class Cells(NamedTuple):
    """The cells of all anchors.

    Attributes
    ----------
    centres : ndarray, (anchors, 2)
        x and y in network pixels.
    strides : ndarray, (anchors, 1)
    """

    centres: NDArray[np.float64]
    strides: NDArray[np.float64]


def cells_of(input_size: tuple[int, int], strides: Sequence[int]) -> Cells:
    """Return the cells of levels, in the order of their strides."""
    height, width = input_size
    centres, of_anchors = [], []
    for stride in strides:
        x, y = np.meshgrid(np.arange(-(-width // stride)), np.arange(-(-height // stride)))
        centres.append((np.stack((x, y), axis=2).reshape(-1, 2) + 0.5) * stride)
        of_anchors.append(np.full((x.size, 1), float(stride)))
    return Cells(np.concatenate(centres), np.concatenate(of_anchors))


class Meaning(NamedTuple):
    """What the columns of rows mean.

    Attributes
    ----------
    decoded, logits : bool
    problem : str
        Why they are not those of a YOLOX head; empty if they are.
    """

    decoded: bool
    logits: bool
    problem: str


class Columns(NamedTuple):
    """How many columns there are, of which kind."""

    num_classes: int
    extra: int
    problem: str


def columns_of(columns: int, hints: Hints) -> Columns:
    """Tell the columns of classes from others behind them."""
    after_objectness = columns - BOX_COLUMNS
    if hints.num_classes is None:
        problem = ""
        if hints.num_names is not None and not hints.user_names and hints.num_names < after_objectness:
            problem = (
                f"it has {after_objectness} columns behind the objectness, but {hints.num_names} names of classes: pass"
                f" num_classes={hints.num_names} if the others are something else, else num_classes={after_objectness}"
            )
        elif hints.num_names != after_objectness and columns in _OTHERS:
            problem = (
                f"not a YOLOX head: its {columns} columns are {_OTHERS[columns]}; if it is a YOLOX, pass"
                f" num_classes={after_objectness}"
            )
        return Columns(after_objectness, 0, problem)
    extra = after_objectness - hints.num_classes
    problem = f"num_classes is {hints.num_classes}, but the network has {after_objectness} columns for classes"
    return Columns(hints.num_classes, max(extra, 0), problem if extra < 0 else "")


def meaning_of(rows: NDArray[Any], cells: Cells, columns: Columns, hints: Hints) -> Meaning:
    """Read what rows mean, (batch, anchors, 5 + classes + others), on an image without anything to be seen."""
    scores = rows[..., 4 : BOX_COLUMNS + columns.num_classes]
    logits, score_problem = _read_scores(scores)
    decoded, box_problem = read_boxes(rows[..., :4], cells)
    if hints.decoded is not None and hints.decoded != decoded and not box_problem:
        box_problem = f"decoded is {hints.decoded}, but its boxes are {'' if decoded else 'not '}decoded"
    elif hints.decoded is None and not box_problem and _are_like_scores(rows[..., :4]):
        box_problem = (
            "not a YOLOX head: where boxes should be, all numbers are from 0 to 1, as scores are; if it is a YOLOX,"
            " pass decoded=False"
        )
    return Meaning(decoded, logits, columns.problem or score_problem or box_problem)


def _read_scores(scores: NDArray[Any]) -> tuple[bool, str]:
    """Tell whether scores are logits, and what is wrong with them if they are neither."""
    finite = np.isfinite(scores)
    of_columns = np.where(finite, scores, np.nan).reshape(-1, scores.shape[-1]).astype(np.float64)
    of_columns = of_columns[:, np.isfinite(of_columns).any(axis=0)]
    if of_columns.size == 0:
        return False, ""
    least, most = np.nanmin(of_columns, axis=0), np.nanmax(of_columns, axis=0)
    fits = (least >= 1 - SCORE_LIMIT) & (most <= SCORE_LIMIT)
    if fits.all():
        problem = "not a YOLOX head: its objectness is 1 everywhere, as in YOLOv6"
        return False, problem if (scores[..., 0] == 1).all() else ""
    if (np.nanmedian(of_columns, axis=0) < 0).all() and max(most.max(), -least.min()) <= _LARGEST_LOGIT:
        return True, ""
    problem = (
        f"not the scores of a YOLOX head: found {least.min():.4g} to {most.max():.4g}, expected 0 to 1, or logits of"
        " objectness and all classes"
    )
    first = int(np.argmin(fits))
    if first > 1:  # objectness and some classes are scores
        problem += f"; if it is a YOLOX of {first - 1} classes with other columns behind, pass num_classes={first - 1}"
    return False, problem


def _are_like_scores(boxes: NDArray[Any]) -> bool:
    """Tell whether boxes may be scores, which other networks give as outputs of their own."""
    finite = boxes[np.isfinite(boxes)]
    return bool(finite.any() and finite.min() >= 0 and finite.max() <= 1)


def read_boxes(boxes: NDArray[Any], cells: Cells) -> tuple[bool, str]:
    """Tell whether boxes are decoded, and what is wrong with them if they are neither."""
    boxes = boxes.reshape(-1, *boxes.shape[-2:]).astype(np.float64)
    finite = np.asarray(np.isfinite(boxes).all(axis=-1))
    if not finite.any():
        return False, ""
    with np.errstate(invalid="ignore"):
        starts, ends = boxes[..., :2], boxes[..., 2:]
        raw = float(np.median(np.abs(starts - 0.5).max(axis=-1)[finite]))
        decoded = corners = np.inf
        if (ends[finite] >= 0).all():
            decoded = _distance(starts, cells, finite)
            if (ends >= starts)[finite].all():
                corners = _distance((starts + ends) / 2, cells, finite)
            extent = (cells.centres + cells.strides / 2).max(axis=0)
            if np.isfinite(_distance(starts * extent, cells, finite)) and np.isinf(decoded):
                return False, "its boxes are fractions of the input, expected pixels: export it as YOLOX does"
    if corners < min(decoded, raw):
        return False, "its boxes are corners, expected centres and sizes: export it as YOLOX does"
    if decoded < raw:
        return True, ""
    values = boxes[finite]
    if raw > _LARGEST_LOG_SIZE or values[:, 2:].max() > _LARGEST_LOG_SIZE:
        return False, (
            f"not the boxes of a YOLOX head: found widths and heights up to {values[:, 2:].max():.4g} and centres up to"
            f" {values[:, :2].max():.4g}, which neither are logarithms and parts of cells, nor lie in the cells of"
            f" strides {', '.join(f'{s:g}' for s in np.unique(cells.strides))}"
        )
    return False, ""


def coarse_step(values: NDArray[Any]) -> float | None:
    """Return the step between values if they are as few as INT8 has, evenly spaced, and far apart for scores."""
    if np.unique(values[:_SAMPLE]).size > _INT8_LEVELS + 1:  # one may be NaN
        return None
    found = np.unique(values[np.isfinite(values)].astype(np.float64))
    if not _LEAST_LEVELS <= found.size <= _INT8_LEVELS < values.size:
        return None
    step = float(np.diff(found).min())
    is_even = np.abs(found / step - np.round(found / step)).max() < _EVEN
    return step if is_even and step > _FINE_STEP else None


def _distance(centres: NDArray[Any], cells: Cells, counted: NDArray[np.bool_]) -> float:
    """Return how many strides from their cells the centres lie in the median; infinity if they do not belong there."""
    strides = (np.abs(centres - cells.centres) / cells.strides).max(axis=-1)[counted]
    return float(np.median(strides)) if (strides <= _NEAR).mean() > _MOST else np.inf
