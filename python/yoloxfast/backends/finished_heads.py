"""Heads whose boxes are suppressed in the network: lists of detections, which are taken as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import SCORE_LIMIT
from yoloxfast.backends.head import Head, Reading
from yoloxfast.backends.row_heads import FLOATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends.head import Probe

    Arrange = Callable[[Sequence[NDArray[Any]], int], list[NDArray[np.float32]]]

__all__ = ["readings"]

_SUPPRESSED_COLUMNS = 7


def readings(probe: Probe) -> list[Reading]:
    """Return what the outputs together can be read as, by their number, shapes and dtypes."""
    found = []
    for name, output in probe.outputs.items():
        if output.ndim == 2 and output.shape[1] == _SUPPRESSED_COLUMNS and output.dtype in FLOATS:  # noqa: PLR2004
            found.append(_reading(probe, [name], _suppressed_rows))
    match sorted(probe.outputs.items(), key=lambda item: _role(item[1], probe.batch)):
        case [(boxes, first), (labels, second)] if _roles(probe, first, second) == ["boxes and scores", "numbers"]:
            if first.shape[1] == second.shape[1]:
                found.append(_reading(probe, [boxes, labels], _boxes_and_labels))
        case [(boxes, a), (count, b), *others] if _roles(probe, a, b, *(array for _, array in others)) == [
            "boxes",
            "count",
            "numbers",
            "numbers",
        ] and all(array.shape[1] == a.shape[1] for _, array in others):
            names = sorted((name for name, _ in others), key=lambda name: probe.outputs[name].dtype in FLOATS)
            if probe.outputs[names[0]].dtype in FLOATS:  # both are floats: names tell
                names.sort(key=lambda name: "class" not in name and "label" not in name)
            found.append(_reading(probe, [count, boxes, names[1], names[0]], _efficient_nms))
    return found


def _role(array: NDArray[Any], batch: int) -> str:
    """Say what an output of detections may be; sorted, boxes come first."""
    is_float = array.dtype in FLOATS
    match array.shape:
        case (images, _, 4) if images == batch and is_float:
            return "boxes"
        case (images, _, 5) if images == batch and is_float:
            return "boxes and scores"
        case (images, 1) | (images,) if images == batch and not is_float:
            return "count"
        case (images, _) if images == batch:
            return "numbers"
    return "unknown"


def _roles(probe: Probe, *arrays: NDArray[Any]) -> list[str]:
    return [_role(array, probe.batch) for array in arrays]


def _reading(probe: Probe, names: Sequence[str], arrange: Arrange) -> Reading:
    num_classes, problem = probe.hints.num_classes or probe.hints.num_names, ""
    if num_classes is None:
        problem = f"{', '.join(names)} are detections of a number of classes that they do not say: pass num_classes"
    rows = np.concatenate(arrange([probe.outputs[name] for name in names], probe.batch))
    problem = _problem_of(rows[np.isfinite(rows).all(axis=1) & (rows[:, 4] != 0)]) or problem
    head = Head(probe.input_size, (8, 16, 32), num_classes or 1, tuple(names), layout="finished", arrange=arrange)
    return Reading(head, problem)


def _problem_of(rows: NDArray[np.float32]) -> str:
    """Say why rows of corners, score and class id cannot be detections; there may be none."""
    corners, scores, labels = rows[:, :4], rows[:, 4], rows[:, 5]
    is_one = (corners[:, 2:] >= corners[:, :2]).all(axis=1) & (scores > 0) & (scores <= SCORE_LIMIT)
    is_one &= (labels >= 0) & (labels % 1 == 0)
    if not is_one.all():
        x1, y1, x2, y2, score, label = rows[np.argmin(is_one)]
        return (
            "its outputs have the shapes of detections, but not their numbers: found corners"
            f" {x1:.4g}, {y1:.4g}, {x2:.4g}, {y2:.4g}, score {score:.4g}, class id {label:.4g}"
        )
    if len(rows) and np.abs(corners).max() <= 1:
        return "the boxes of its detections are fractions of the input, expected pixels"
    return ""


def _suppressed_rows(arrays: Sequence[NDArray[Any]], images: int) -> list[NDArray[np.float32]]:
    """Of a NonMaxSuppression head: rows of image, class id, score and corners, of all images."""
    (rows,) = arrays
    rows = rows.astype(np.float32, copy=False)
    in_order = rows[:, [3, 4, 5, 6, 2, 1]]
    return [in_order[rows[:, 0] == image] for image in range(images)]


def _boxes_and_labels(arrays: Sequence[NDArray[Any]], images: int) -> list[NDArray[np.float32]]:
    """As mmdeploy exports: corners and score, and class ids, filled up with zeros."""
    boxes, labels = arrays
    rows = np.concatenate([boxes[:images], labels[:images, :, np.newaxis]], axis=2, dtype=np.float32)
    return list(rows)


def _efficient_nms(arrays: Sequence[NDArray[Any]], images: int) -> list[NDArray[np.float32]]:
    """Of TensorRT's EfficientNMS: how many there are, corners, scores and class ids."""
    counts, boxes, scores, class_ids = arrays
    columns = (boxes, scores[..., np.newaxis], class_ids[..., np.newaxis])
    rows = np.concatenate([column[:images] for column in columns], axis=2, dtype=np.float32)
    return [of_image[: int(count)] for of_image, count in zip(rows, counts.reshape(-1)[:images], strict=True)]
