"""Heads of one output: rows, the same channels first, or labelled rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import BOX_COLUMNS, count_anchors
from yoloxfast.backends.head import Head, Reading
from yoloxfast.backends.head_values import cells_of, columns_of, meaning_of, read_boxes
from yoloxfast.classes import COCO_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast.backends.head import Probe
    from yoloxfast.forms import Layout

__all__ = ["FLOATS", "KNOWN_STRIDES", "expected_shapes", "readings"]

KNOWN_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
"""Of YOLOX's own models, of P6 and P2 models, and of heads that were cut."""

FLOATS = (np.float32, np.float16)
_LABELLED_COLUMNS = 6


def readings(probe: Probe) -> list[Reading]:
    """Return what each output can be read as, by its shape."""
    strides_of = _strides_of(probe)
    found = []
    for name, output in probe.outputs.items():
        if output.ndim != 3 or output.shape[0] != probe.batch or output.dtype not in FLOATS:  # noqa: PLR2004
            continue
        channels_last = output.transpose(0, 2, 1)
        if output.shape[2] > BOX_COLUMNS:
            for strides in strides_of.get(output.shape[1], ()):
                labelled = _labelled(probe, name, output, strides)  # of two classes, labels look like scores
                found.append(labelled or _rows(probe, name, output, "rows", strides))
        if channels_last.shape[2] > BOX_COLUMNS:
            several = strides_of.get(channels_last.shape[1], ())
            found += [_rows(probe, name, channels_last, "channels-first", strides) for strides in several]
    return found


def expected_shapes(probe: Probe) -> str:
    """Say which shapes of one output would do."""
    shapes = [
        f"({probe.batch}, {anchors}, 5 + classes) for strides {strides}"
        for anchors, several in _strides_of(probe).items()
        for strides in several
    ]
    return " or ".join(shapes)


def _strides_of(probe: Probe) -> dict[int, list[tuple[int, ...]]]:
    """Return the strides that a number of anchors may come from."""
    strides_of: dict[int, list[tuple[int, ...]]] = {}
    for strides in KNOWN_STRIDES if probe.hints.strides is None else [probe.hints.strides]:
        strides_of.setdefault(count_anchors(*probe.input_size, strides), []).append(strides)
    return strides_of


def _rows(probe: Probe, name: str, rows: NDArray[Any], layout: Layout, strides: tuple[int, ...]) -> Reading:
    columns = columns_of(rows.shape[2], probe.hints)
    meaning = meaning_of(rows, cells_of(probe.input_size, strides), columns, probe.hints)
    head = Head(
        probe.input_size,
        strides,
        columns.num_classes,
        (name,),
        layout=layout,
        decoded=meaning.decoded,
        logits=meaning.logits,
        extra_columns=columns.extra,
    )
    problem = meaning.problem
    if not problem and not rows[..., BOX_COLUMNS:].any():
        problem = "not a YOLOX head: all its class scores are 0"
    if (
        not problem
        and layout == "channels-first"
        and meaning.decoded
        and not _knows_classes(probe, columns.num_classes)
    ):
        problem = (
            f"{name} {probe.outputs[name].shape} may be a YOLOX of {columns.num_classes} classes, or one of"
            f" {columns.num_classes + 1} without objectness, as YOLOv8: if it is a YOLOX, pass"
            f" num_classes={columns.num_classes}"
        )
    return Reading(head, problem)


def _knows_classes(probe: Probe, num_classes: int) -> bool:
    """Whether this number of classes is known from something else than the shape."""
    return num_classes in (probe.hints.num_classes, probe.hints.num_names, len(COCO_NAMES))


def _labelled(probe: Probe, name: str, rows: NDArray[Any], strides: tuple[int, ...]) -> Reading | None:
    """Read corners, score and label, if that is what the values are."""
    if rows.shape[2] != _LABELLED_COLUMNS:
        return None
    values = rows[np.isfinite(rows).all(axis=-1)].astype(np.float64)
    corners, scores, labels = values[:, :4], values[:, 4], values[:, 5]
    if not values.size or (labels % 1 != 0).any() or labels.min() < 0 or (corners[:, 2:] < corners[:, :2]).any():
        return None
    centres_and_sizes = np.concatenate([(rows[..., :2] + rows[..., 2:4]) / 2, rows[..., 2:4] - rows[..., :2]], axis=-1)
    is_decoded, _ = read_boxes(centres_and_sizes, cells_of(probe.input_size, strides))
    if not is_decoded or scores.min() < 0 or scores.max() > 1:
        return None
    num_classes, problem = probe.hints.num_classes or probe.hints.num_names, ""
    if num_classes is None:
        problem = f"{name} {rows.shape} holds corners, scores and class ids: pass num_classes, which it does not say"
    elif labels.max() >= num_classes:
        problem = f"{name} {rows.shape} holds class ids up to {labels.max():g}, but there are {num_classes} classes"
    return Reading(Head(probe.input_size, strides, num_classes or 1, (name,), layout="labelled"), problem)
