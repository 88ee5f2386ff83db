"""The same functions in plain NumPy and OpenCV: specification, test oracle and baseline of the benchmarks.

Written as YOLOX's own Python is (`yolox/utils/demo_utils.py`, `yolox/utils/boxes.py`), for reading, not for speed: the
grid is built on every call, every anchor is decoded, classes are suppressed one after the other. Arguments are not
checked. Only rows that are not finite, which YOLOX does not consider, and scores that no sigmoid gives are treated
beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import SCORE_LIMIT
from yoloxfast.classes import default_names, resolve_classes
from yoloxfast.detections import Detections
from yoloxfast.errors import ModelError
from yoloxfast.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from yoloxfast.classes import Classes
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
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    if class_ids is None:
        class_ids = np.zeros(len(boxes), np.int64)
    kept = [
        _nms_one_class(boxes, scores, np.flatnonzero(finite & (class_ids == class_id)), iou_threshold)
        for class_id in np.unique(class_ids)
    ]
    indices = np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))
    return indices[np.argsort(-scores[indices], kind="stable")]


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _nms_one_class(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], indices: NDArray[np.int64], iou_threshold: float
) -> NDArray[np.int64]:
    x1, y1, x2, y2 = boxes.T
    order = indices[np.argsort(-scores[indices], kind="stable")]
    kept = []
    areas = (x2 - x1) * (y2 - y1)
    while order.size > 0:
        best, others = order[0], order[1:]
        kept.append(best)
        width = np.maximum(np.minimum(x2[best], x2[others]) - np.maximum(x1[best], x1[others]), 0)
        height = np.maximum(np.minimum(y2[best], y2[others]) - np.maximum(y1[best], y1[others]), 0)
        intersection = width * height
        iou = intersection / (areas[best] + areas[others] - intersection)
        order = others[~(iou > np.float32(iou_threshold))]
    return np.array(kept, np.int64)


@np.errstate(over="ignore", invalid="ignore")
def postprocess(
    raw: NDArray[Any],
    input_size: tuple[int, int],
    strides: Sequence[int] = (8, 16, 32),
    *,
    names: Sequence[str] | None = None,
    scale: float = 1.0,
    score_threshold: float = 0.25,
    iou_threshold: float = 0.45,
    class_agnostic: bool = False,
    classes: Classes | None = None,
    max_detections: int | None = None,
) -> Detections:
    """Find the detections of one image: specification of calling a `yoloxfast.PostProcessor`."""
    decoded = decode(raw, input_size, strides)
    names = default_names(raw.shape[1] - 5) if names is None else tuple(names)

    boxes = np.empty((len(decoded), 4), np.float32)
    boxes[:, 0] = decoded[:, 0] - decoded[:, 2] / 2
    boxes[:, 1] = decoded[:, 1] - decoded[:, 3] / 2
    boxes[:, 2] = decoded[:, 0] + decoded[:, 2] / 2
    boxes[:, 3] = decoded[:, 1] + decoded[:, 3] / 2
    boxes_in_image = boxes / np.float32(scale)

    class_ids = decoded[:, 5:].argmax(axis=1)
    objectness, class_scores = decoded[:, 4], decoded[np.arange(len(decoded)), 5 + class_ids]
    scores = objectness * class_scores
    passes, finite = scores >= np.float32(score_threshold), np.isfinite(raw).all(axis=1)
    class_is_above = class_scores > SCORE_LIMIT
    passes &= ~class_is_above | (objectness * np.float32(SCORE_LIMIT) >= np.float32(score_threshold))
    above = np.flatnonzero(finite & ((objectness > SCORE_LIMIT) | (class_is_above & passes)))
    if above.size > 0:
        score = max(objectness[above[0]], class_scores[above[0]])
        raise ModelError(f"anchor {above[0]} has a score of {score}, YOLOX scores lie in 0..1")
    candidates = np.flatnonzero(passes & finite & np.isfinite(boxes_in_image).all(axis=1))
    wanted = resolve_classes(classes, names)
    if wanted is not None:
        candidates = candidates[np.isin(class_ids[candidates], wanted)]

    groups = None if class_agnostic else class_ids[candidates]
    kept = nms(boxes[candidates], scores[candidates], groups, iou_threshold=iou_threshold)
    best = candidates[kept][:max_detections]
    return Detections(boxes_in_image[best], scores[best], class_ids[best], names)
