"""How others do it, each in its best honest form, on one thread."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from yoloxfast import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]
    Scores = NDArray[np.float32]
    ClassIds = NDArray[np.int64]
    Found = tuple[Boxes, Scores, ClassIds]
    Indices = NDArray[np.int64]
    Shape = tuple[int, int]
    Out = NDArray[Any]
    Write = Callable[[NDArray[np.uint8]], NDArray[Any]]

try:
    import torch
    import torchvision

    torch.set_num_threads(1)
except ImportError:
    torch = None

try:
    import powerboxes
except ImportError:
    powerboxes = None

cv2.setNumThreads(1)


def numpy_reference(raw: NDArray[np.float32], size: tuple[int, int], score: float, iou: float) -> Found:
    """YOLOX's own NumPy flow."""
    found = reference.postprocess(raw, size, score_threshold=score, iou_threshold=iou)
    return found.xyxy, found.scores, found.class_ids


@cache
def _grid(size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return cell and stride of each anchor; computed once."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        x, y = np.meshgrid(np.arange(-(-size[1] // stride)), np.arange(-(-size[0] // stride)))
        cells.append(np.stack((x, y), axis=2).reshape(-1, 2))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _filter(raw: NDArray[np.float32], size: tuple[int, int], score: float) -> Found:
    """Gate by objectness first, then decode only what passes."""
    rows = np.flatnonzero(raw[:, 4] >= score)
    class_ids = raw[rows, 5:].argmax(axis=1)
    scores = raw[rows, 4] * raw[rows, 5 + class_ids]
    passing = scores >= np.float32(score)
    rows, class_ids, scores = rows[passing], class_ids[passing], scores[passing]
    cells, strides = _grid(size)
    centers = (raw[rows, :2] + cells[rows]) * strides[rows]
    halves = np.exp(raw[rows, 2:4]) * (strides[rows] / 2)
    return np.concatenate((centers - halves, centers + halves), axis=1), scores, class_ids


def careful_numpy(raw: NDArray[np.float32], size: tuple[int, int], score: float, iou: float) -> Found:
    """Filter first, and one NMS over boxes that are moved apart by class."""
    boxes, scores, class_ids = _filter(raw, size, score)
    kept = _numpy_nms(_apart(boxes, class_ids), scores, iou)
    return boxes[kept], scores[kept], class_ids[kept]


def _apart(boxes: Boxes, class_ids: ClassIds) -> Boxes:
    distance = boxes.max(initial=0) - boxes.min(initial=0) + 1
    apart: Boxes = boxes + (class_ids * distance)[:, None].astype(np.float32)
    return apart


def _numpy_nms(boxes: Boxes, scores: Scores, iou: float) -> Indices:
    order, kept = np.argsort(-scores, kind="stable"), []
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1) * (y2 - y1)
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        width = np.maximum(np.minimum(x2[best], x2[order]) - np.maximum(x1[best], x1[order]), 0)
        intersection = width * np.maximum(np.minimum(y2[best], y2[order]) - np.maximum(y1[best], y1[order]), 0)
        order = order[intersection <= iou * (areas[best] + areas[order] - intersection)]
    return np.array(kept, np.int64)


def numpy_and_cv2(raw: NDArray[np.float32], size: tuple[int, int], score: float, iou: float) -> Found:
    """Filter in NumPy, NMS in OpenCV."""
    boxes, scores, class_ids = _filter(raw, size, score)
    kept = cv2_nms_batched(boxes, scores, class_ids, iou)
    return boxes[kept], scores[kept], class_ids[kept]


def yolox_torch(raw: NDArray[np.float32], size: tuple[int, int], score: float, iou: float) -> Found:
    """YOLOX's `boxes.postprocess` in torch, on a grid that is computed once."""
    cells, strides = map(torch.from_numpy, _grid(size))
    prediction = torch.from_numpy(raw)
    centers = (prediction[:, :2] + cells) * strides
    halves = torch.exp(prediction[:, 2:4]) * strides / 2
    boxes = torch.cat((centers - halves, centers + halves), 1)
    best, class_ids = prediction[:, 5:].max(1)
    scores = prediction[:, 4] * best
    passing = scores >= score
    boxes, scores, class_ids = boxes[passing], scores[passing], class_ids[passing]
    kept = torchvision.ops.batched_nms(boxes, scores, class_ids, iou)
    return boxes[kept].numpy(), scores[kept].numpy(), class_ids[kept].numpy()


def cv2_nms_batched(boxes: Boxes, scores: Scores, class_ids: ClassIds, iou: float) -> Indices:
    if not len(boxes):
        return np.zeros(0, np.int64)
    xywh = boxes.copy()
    xywh[:, 2:] -= xywh[:, :2]
    arguments: Any = (xywh, scores, class_ids.astype(np.int32), 0.0, iou)
    kept = cv2.dnn.NMSBoxesBatched(*arguments)
    return np.asarray(kept, np.int64).ravel()


def powerboxes_nms(boxes: Boxes, scores: Scores, class_ids: ClassIds | None, iou: float) -> Indices:
    boxes = boxes if class_ids is None else _apart(boxes, class_ids)
    return np.asarray(powerboxes.nms(boxes, scores.astype(np.float64), iou, 0.0), np.int64)


def powerboxes_rtree_nms(boxes: Boxes, scores: Scores, class_ids: ClassIds | None, iou: float) -> Indices:
    boxes = boxes if class_ids is None else _apart(boxes, class_ids)
    return np.asarray(powerboxes.rtree_nms(boxes, scores.astype(np.float64), iou, 0.0), np.int64)


def torchvision_nms(boxes: Boxes, scores: Scores, class_ids: ClassIds | None, iou: float) -> Indices:
    tensors = torch.from_numpy(boxes), torch.from_numpy(scores)
    if class_ids is None:
        kept: Any = torchvision.ops.nms(*tensors, iou)
    else:
        kept = torchvision.ops.batched_nms(*tensors, torch.from_numpy(class_ids), iou)
    return np.asarray(kept.numpy(), np.int64)


def numpy_letterbox(_: Shape, size: tuple[int, int], __: Out) -> Write:
    """YOLOX's own `preproc`, which returns a new array."""
    return lambda image: reference.letterbox(image, size)[0]


def cv2_letterbox(shape: Shape, size: tuple[int, int], out: Out) -> Write:
    """Resize, split, widen; all memory is kept, and the border is written once."""
    rows, columns = _resized(shape, size)
    resized = np.empty((rows, columns, 3), np.uint8)
    channels = [np.empty((rows, columns), np.uint8) for _ in out]
    out[...] = 114

    def write(image: NDArray[np.uint8]) -> Out:
        pixels: Any = image
        if image.shape != resized.shape:
            pixels = cv2.resize(image, (columns, rows), dst=resized, interpolation=cv2.INTER_LINEAR)
        cv2.split(pixels, channels)
        for plane, channel in zip(out, channels, strict=True):
            plane[:rows, :columns] = channel
        return out

    return write


def cv2_pixels(shape: Shape, size: tuple[int, int], out: Out) -> Write:
    """Resize into a slice of the input, or of a canvas that is converted as a whole; the border is written once."""
    rows, columns = _resized(shape, size)
    canvas = out if out.dtype == np.uint8 else np.empty(out.shape, np.uint8)
    canvas[...] = 114

    def write(image: NDArray[np.uint8]) -> Out:
        cv2.resize(image, (columns, rows), dst=canvas[:rows, :columns], interpolation=cv2.INTER_LINEAR)
        if canvas is not out:
            out[...] = canvas
        return out

    return write


def cv2_grey(shape: Shape, size: tuple[int, int], out: Out) -> Write:
    """Make the image grey, resize it, and convert that part; the border is written once."""
    rows, columns = _resized(shape, size)
    grey, resized = np.empty(shape, np.uint8), np.empty((rows, columns), np.uint8)
    out[...] = 114

    def write(image: NDArray[np.uint8]) -> Out:
        cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, dst=grey)
        cv2.resize(grey, (columns, rows), dst=resized, interpolation=cv2.INTER_LINEAR)
        out[0, :rows, :columns] = resized
        return out

    return write


def cv2_blob(shape: Shape, size: tuple[int, int], out: Out) -> Write:
    """Resize into a slice of a kept canvas, and OpenCV's own conversion."""
    rows, columns = _resized(shape, size)
    canvas = np.full((*size, 3), 114, np.uint8)

    def write(image: NDArray[np.uint8]) -> Out:
        cv2.resize(image, (columns, rows), dst=canvas[:rows, :columns], interpolation=cv2.INTER_LINEAR)
        out[...] = cv2.dnn.blobFromImage(canvas)[0]
        return out

    return write


def cv2_resize(shape: Shape, size: tuple[int, int], _: Out) -> Write:
    """Nothing but the resizing: no letterbox."""
    rows, columns = _resized(shape, size)
    resized = np.empty((rows, columns, 3), np.uint8)

    def write(image: NDArray[np.uint8]) -> Out:
        cv2.resize(image, (columns, rows), dst=resized, interpolation=cv2.INTER_LINEAR)
        return resized

    return write


def _resized(shape: Shape, size: tuple[int, int]) -> tuple[int, int]:
    scale = min(size[0] / shape[0], size[1] / shape[1])
    return int(shape[0] * scale), int(shape[1] * scale)


LETTERBOX: dict[str, Callable[[Shape, tuple[int, int], Out], Write]] = {
    "NumPy and cv2 as in YOLOX": numpy_letterbox,
    "careful cv2": cv2_letterbox,
    "cv2.dnn.blobFromImage": cv2_blob,
    "cv2.resize alone": cv2_resize,
}
POSTPROCESSING: dict[str, Callable[..., Found]] = {
    "NumPy as in YOLOX": numpy_reference,
    "careful NumPy": careful_numpy,
    "careful NumPy and cv2": numpy_and_cv2,
    **({"torch as in YOLOX": yolox_torch} if torch else {}),
}
CLASS_AWARE_NMS: dict[str, Callable[..., Indices]] = {
    "cv2.dnn.NMSBoxesBatched": cv2_nms_batched,
    **({"powerboxes nms": powerboxes_nms, "powerboxes rtree_nms": powerboxes_rtree_nms} if powerboxes else {}),
    **({"torchvision batched_nms": torchvision_nms} if torch else {}),
}
CLASS_AGNOSTIC_NMS: dict[str, Callable[..., Indices]] = {
    **({"powerboxes nms": powerboxes_nms, "powerboxes rtree_nms": powerboxes_rtree_nms} if powerboxes else {}),
    **({"torchvision nms": torchvision_nms} if torch else {}),
}
