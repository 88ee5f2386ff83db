"""The same functions in plain NumPy and OpenCV: specification, test oracle and baseline of the benchmarks.

Written as YOLOX's own Python is (`yolox/utils/demo_utils.py`, `yolox/utils/boxes.py`), for reading, not for speed: the
grid is built on every call, every anchor is decoded, classes are suppressed one after the other. Arguments are not
checked. Only what YOLOX does not consider is treated beyond it: rows that are not finite, scores that no sigmoid gives,
boxes that are decoded already.
"""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from yoloxfast._core import LOG_SIZE_LIMIT, SCORE_LIMIT
from yoloxfast.classes import resolve_classes
from yoloxfast.detections import Detections
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.names import class_names, read_names
from yoloxfast.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from yoloxfast.classes import Classes
    from yoloxfast.forms import Layout, Semantics
    from yoloxfast.input_format import Color, Numbers

__all__ = ["decode", "letterbox", "nms", "postprocess"]


def letterbox(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    out: NDArray[Any] | None = None,
    color: Color = "bgr",
    legacy: bool = False,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    scale: Numbers | None = None,
    input_color: Color | None = None,
    single_precision: bool = False,
) -> tuple[NDArray[Any], float]:
    """Fit an image into the input of a network: specification of `yoloxfast.letterbox`.

    `single_precision` computes the ratio of the sizes as YOLOX's demos in C++ do (`demo/TensorRT/cpp/yolox.cpp`).
    """
    if legacy:
        mean, std, scale, input_color = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255, "rgb"
    height, width = size
    source: NDArray[Any] = image
    if out is not None and out.shape in ((1, height, width), (height, width, 1)):
        source = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if color == "bgr" else cv2.COLOR_RGB2GRAY)[..., None]
    elif color != (input_color or "bgr"):
        source = image[..., ::-1]
    number = np.float32 if single_precision else np.float64
    ratio = number(min(height / image.shape[0], width / image.shape[1]))
    rows, columns = (max(1, int(number(side) * ratio)) for side in image.shape[:2])
    tensor = np.full((height, width, source.shape[2]), 114, np.float32)
    resized = cv2.resize(source, (columns, rows), interpolation=cv2.INTER_LINEAR)
    tensor[:rows, :columns] = resized.reshape(rows, columns, -1)  # OpenCV drops a single channel
    # In float64, and rounded to float32 each time.
    tensor *= np.array(1.0 if scale is None else scale, np.float64, ndmin=1)
    tensor -= np.array(0.0 if mean is None else mean, np.float64, ndmin=1)
    tensor /= np.array(1.0 if std is None else std, np.float64, ndmin=1)
    planes = np.ascontiguousarray(tensor.transpose(2, 0, 1))
    if out is None:
        return planes, float(ratio)
    if out.shape == planes.shape:
        out[...] = planes
    elif out.shape == tensor.shape:
        out[...] = tensor
    else:  # as the Focus of `yolox/models/network_blocks.py`
        out[...] = np.concatenate(
            (planes[:, ::2, ::2], planes[:, 1::2, ::2], planes[:, ::2, 1::2], planes[:, 1::2, 1::2])
        )
    return out, float(ratio)


@np.errstate(over="ignore", invalid="ignore")
def decode(raw: NDArray[Any], input_size: tuple[int, int], strides: Sequence[int] = (8, 16, 32)) -> NDArray[np.float32]:
    """Decode every row of a raw output: specification of `yoloxfast.PostProcessor.decode`."""
    height, width = input_size
    cells, cell_strides = [], []
    for stride in strides:
        x, y = np.meshgrid(np.arange(-(-width // stride)), np.arange(-(-height // stride)))
        cells.append(np.stack((x, y), axis=2).reshape(-1, 2))
        cell_strides.append(np.full((x.size, 1), stride))
    grid = np.concatenate(cells).astype(np.float32)
    stride_of_cell = np.concatenate(cell_strides).astype(np.float32)

    decoded = raw.astype(np.float32)
    decoded[:, :2] = (decoded[:, :2] + grid) * stride_of_cell
    # The exponential is taken in float64 and rounded: unlike those in float32, all libraries agree on that.
    decoded[:, 2:4] = np.exp(decoded[:, 2:4].astype(np.float64)).astype(np.float32) * stride_of_cell
    return decoded


def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.integer[Any]] | None = None,
    *,
    iou_threshold: float = 0.45,
) -> NDArray[np.int64]:
    """Suppress boxes that overlap a better one: specification of `yoloxfast.nms`."""
    return _nms(boxes, scores, class_ids, iou_threshold, extra=0)


def _nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.integer[Any]] | None,
    iou_threshold: float,
    *,
    extra: int,
) -> NDArray[np.int64]:
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    if class_ids is None:
        class_ids = np.zeros(len(boxes), np.int64)
    kept = [
        _nms_one_class(boxes, scores, np.flatnonzero(finite & (class_ids == class_id)), iou_threshold, extra)
        for class_id in np.unique(class_ids)
    ]
    indices = np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))
    return indices[np.argsort(-scores[indices], kind="stable")]


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _nms_one_class(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    indices: NDArray[np.int64],
    iou_threshold: float,
    extra: int,
) -> NDArray[np.int64]:
    x1, y1, x2, y2 = boxes.T
    order = indices[np.argsort(-scores[indices], kind="stable")]
    kept = []
    areas = (x2 - x1 + extra) * (y2 - y1 + extra)
    while order.size > 0:
        best, others = order[0], order[1:]
        kept.append(best)
        width = np.maximum(np.minimum(x2[best], x2[others]) - np.maximum(x1[best], x1[others]) + extra, 0)
        height = np.maximum(np.minimum(y2[best], y2[others]) - np.maximum(y1[best], y1[others]) + extra, 0)
        intersection = width * height
        iou = intersection / (areas[best] + areas[others] - intersection)
        order = others[~(iou > np.float32(iou_threshold))]
    return np.array(kept, np.int64)


class _Rules(NamedTuple):
    """What counts as a detection in one of YOLOX's programs."""

    classes: Literal["best", "best product", "all"]
    passes: Callable[[Any, Any], Any]
    class_agnostic: bool = False
    counts_pixels: bool = False
    clips: bool = False
    orders_by_class: bool = False


_RULES: dict[str, _Rules] = {
    "eval": _Rules("best", operator.ge),
    "demo": _Rules("best", operator.ge, class_agnostic=True),
    "onnx-demo": _Rules("best product", operator.gt, class_agnostic=True, counts_pixels=True),
    "onnx-demo-aware": _Rules("all", operator.gt, counts_pixels=True, orders_by_class=True),
    "cpp-demo": _Rules("all", operator.gt, class_agnostic=True, clips=True),
}


def rows_of(
    raw: NDArray[Any] | Sequence[NDArray[Any]], layout: Layout = "rows", *, logits: bool = False
) -> NDArray[np.float32]:
    """Return a raw output of any layout as rows: specification of how `yoloxfast.PostProcessor` reads it."""
    match layout:
        case "channels-first":
            rows = np.transpose(raw)
        case "maps":
            rows = np.concatenate([level.reshape(len(level), -1).T for level in raw])
        case "pixel-maps":
            rows = np.concatenate([level.reshape(-1, level.shape[-1]) for level in raw])
        case "split-maps":
            parts = [part.reshape(len(part), -1).T for part in raw]
            rows = np.concatenate([np.concatenate(parts[n : n + 3], axis=1) for n in range(0, len(parts), 3)])
        case _:
            rows = np.asarray(raw)
    rows = rows.astype(np.float32, copy=logits)
    if logits:
        scores = rows[:, 4:].astype(np.float64)
        rows[:, 4:] = np.where(np.isfinite(scores), 1 / (1 + np.exp(-scores)), np.nan)
    return rows


@np.errstate(over="ignore", invalid="ignore")
def postprocess(
    raw: NDArray[Any] | Sequence[NDArray[Any]],
    input_size: tuple[int, int],
    strides: Sequence[int] = (8, 16, 32),
    *,
    names: Sequence[str] | os.PathLike[str] | None = None,
    layout: Layout = "rows",
    decoded: bool = False,
    logits: bool = False,
    extra_columns: int = 0,
    scale: float = 1.0,
    image_size: tuple[int, int] | None = None,
    semantics: Semantics = "eval",
    score_threshold: float = 0.25,
    iou_threshold: float = 0.45,
    class_agnostic: bool = False,
    classes: Classes | None = None,
    max_detections: int | None = None,
) -> Detections:
    """Find the detections of one image: specification of calling a `yoloxfast.PostProcessor`."""
    rules = _RULES[semantics]
    rows = rows_of(raw, layout, logits=logits)
    rows, threshold = rows[:, : rows.shape[1] - extra_columns], np.float32(score_threshold)
    if isinstance(names, (str, os.PathLike)):
        names = read_names(names)
    names = class_names(None, rows.shape[1] - 5) if names is None else tuple(names)

    finite = np.asarray(np.isfinite(rows).all(axis=1))
    if len(rows) > 0 and not finite.any():
        raise EngineError("each anchor has a number that is not finite")
    is_labelled = layout in ("labelled", "finished")
    if is_labelled:
        scores, class_ids = rows[:, 4], rows[:, 5].astype(np.int64)
        found = rules.passes(scores, threshold) & ((scores > 0) | (layout != "finished"))
        anchors = np.flatnonzero(found & finite)
        scores, class_ids = scores[anchors], class_ids[anchors]
    else:
        anchors, class_ids, scores = _candidates(rows, finite, threshold, rules)
    wanted = resolve_classes(classes, names)
    if wanted is not None:
        keep = np.isin(class_ids, wanted)
        anchors, class_ids, scores = anchors[keep], class_ids[keep], scores[keep]
    boxes = rows[:, :4] if is_labelled else _corners(rows if decoded else _decoded(rows, anchors, input_size, strides))
    boxes_in_image = boxes / np.float32(scale)
    keep = np.isfinite(boxes_in_image[anchors]).all(axis=1)
    anchors, class_ids, scores = anchors[keep], class_ids[keep], scores[keep]

    if layout == "finished":
        best = np.argsort(-scores, kind="stable")
    else:
        boxes = boxes_in_image if rules.counts_pixels else boxes
        groups = None if class_agnostic or rules.class_agnostic else class_ids
        best = _nms(boxes[anchors], scores, groups, iou_threshold, extra=int(rules.counts_pixels))
    best = best[:max_detections]
    if rules.orders_by_class:
        best = best[np.argsort(class_ids[best], kind="stable")]
    xyxy = boxes_in_image[anchors[best]]
    if rules.clips and image_size is not None:
        height, width = image_size
        xyxy = np.clip(xyxy, 0, np.array((width - 1, height - 1) * 2, np.float32))
    return Detections(xyxy, scores[best], class_ids[best], names)


def _candidates(
    rows: NDArray[np.float32], finite: NDArray[np.bool_], threshold: np.float32, rules: _Rules
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return anchors, their classes and scores; with several classes, an anchor is there several times."""
    objectness, class_scores = rows[:, 4], rows[:, 5:]
    class_ids = class_scores.argmax(axis=1)
    highest = class_scores[np.arange(len(rows)), class_ids]
    scores = objectness * highest
    is_looked_at = (highest <= SCORE_LIMIT) | rules.passes(objectness * np.float32(SCORE_LIMIT), threshold)
    class_is_above = (highest > SCORE_LIMIT) & rules.passes(scores, threshold) & is_looked_at
    above = np.flatnonzero(finite & ((objectness > SCORE_LIMIT) | class_is_above))
    if above.size > 0:
        score = max(objectness[above[0]], highest[above[0]])
        raise ModelError(f"anchor {above[0]} has a score of {score}, YOLOX scores lie in 0..1")
    if rules.classes == "best":
        anchors = np.flatnonzero(rules.passes(scores, threshold) & finite & is_looked_at)
        return anchors, class_ids[anchors], scores[anchors]
    products = objectness[:, np.newaxis] * class_scores
    passing = rules.passes(products, threshold) & (finite & is_looked_at)[:, np.newaxis]
    if rules.classes == "best product":
        passing &= products.argmax(axis=1)[:, np.newaxis] == np.arange(products.shape[1])
    anchors, class_ids = np.nonzero(passing)
    return anchors, class_ids, products[anchors, class_ids]


def _decoded(
    rows: NDArray[np.float32], anchors: NDArray[np.int64], input_size: tuple[int, int], strides: Sequence[int]
) -> NDArray[np.float32]:
    log_size = rows[anchors, 2:4].max(initial=0)
    if log_size > LOG_SIZE_LIMIT:
        raise ModelError(f"a box has {log_size} as the logarithm of a width or height, the boxes are decoded already")
    return decode(rows, input_size, strides)


def _corners(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    centres, half_sizes = rows[:, :2], rows[:, 2:4] / 2
    return np.concatenate([centres - half_sizes, centres + half_sizes], axis=1)
