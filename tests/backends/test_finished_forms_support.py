"""The graphs of tests/support that find boxes find those of the specification: undone in NumPy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edited import SIZE, demo, run, scenes, with_batch
from finished_forms import Limits, efficient_nms, mmdeploy, suppressed_rows
from forms import FORMS
from yoloxfast import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from edited import Array, Outputs
    from forms import Edit

LIMITS = Limits(score=0.05, iou=0.5, max_boxes=30)


def detections(columns: Array) -> Array:
    """Sort rows of corners, score, class by score, the best first."""
    return columns[np.argsort(-columns[:, 4], kind="stable")]


def of_suppressed(outputs: Outputs, image: int) -> Array:
    (found,) = outputs.values()
    found = found[found[:, 0] == image]
    return detections(np.column_stack([found[:, 3:], found[:, 2], found[:, 1]]))


def of_mmdeploy(outputs: Outputs, image: int, empty_label: int = -1) -> Array:
    dets, labels = outputs["dets"][image], outputs["labels"][image]
    assert dets.shape == (LIMITS.max_boxes, 5)
    assert labels.dtype == np.int64
    count = np.count_nonzero(dets[:, 4])
    assert (dets[count:] == 0).all()
    assert (labels[count:] == empty_label).all()
    return np.column_stack([dets, labels])[:count]


def of_efficient_nms(outputs: Outputs, image: int) -> Array:
    number, boxes, scores, classes = (outputs[name] for name in ("num_dets", "det_boxes", "det_scores", "det_classes"))
    assert number.dtype == classes.dtype == np.int32
    assert number.shape[1:] == (1,)
    joined = np.column_stack([boxes[image], scores[image], classes[image]])
    assert joined.shape == (LIMITS.max_boxes, 6)
    assert (joined[number[image, 0] :] == 0).all()
    return joined[: number[image, 0]]


FINISHED: dict[str, tuple[Edit, Callable[[Outputs, int], Array]]] = {
    "NonMaxSuppression": (partial(suppressed_rows, limits=LIMITS), of_suppressed),
    "mmdeploy": (partial(mmdeploy, limits=LIMITS), of_mmdeploy),
    "mmdeploy, padded with label 0": (
        partial(mmdeploy, limits=LIMITS, empty_label=0),
        partial(of_mmdeploy, empty_label=0),
    ),
    "EfficientNMS": (partial(efficient_nms, limits=LIMITS), of_efficient_nms),
}


def specified(raw: Array) -> Array:
    found = reference.postprocess(raw, SIZE, score_threshold=LIMITS.score, iou_threshold=LIMITS.iou)
    return np.column_stack([found.xyxy, found.scores, found.class_ids])


@pytest.mark.parametrize("name", FINISHED)
@pytest.mark.parametrize("batch", [1, 3, "batch"])
def test_finished_detections_are_those_of_the_specification(name: str, batch: int | str) -> None:
    edit, undo = FINISHED[name]
    edited = edit(with_batch(demo(), batch))
    counts = []
    for images in scenes()[None] if batch != 1 else scenes()[:, None]:
        (raws,) = run(with_batch(demo(), batch), images).values()
        outputs = run(edited, images)
        for image, raw in enumerate(raws):
            found = undo(outputs, image)
            np.testing.assert_allclose(found, specified(raw), rtol=0, atol=1e-4)
            counts.append(len(found))
    assert min(counts[:2]) > 2
    assert counts[2] == 0


def test_finished_detections_are_at_most_so_many() -> None:
    image = scenes()[:1]
    few = Limits(score=0.05, iou=0.5, max_boxes=3)
    (raw,) = run(demo(), image).values()
    best = specified(raw[0])[:3]
    assert run(efficient_nms(demo(), few), image)["num_dets"].tolist() == [[3]]
    np.testing.assert_allclose(run(mmdeploy(demo(), few), image)["dets"][0], best[:, :5], rtol=0, atol=1e-4)


def test_corners_scores_and_labels_are_those_of_every_row() -> None:
    image = scenes()[:1]
    (raw,) = run(demo(), image).values()
    (found,) = run(FORMS["corners, score, label"].edit(demo()), image).values()
    assert found.shape == (1, 1344, 6)
    decoded = reference.decode(raw[0], SIZE)
    half = decoded[:, 2:4] / 2
    np.testing.assert_allclose(found[0, :, :2], decoded[:, :2] - half, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found[0, :, 2:4], decoded[:, :2] + half, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(found[0, :, 4], raw[0, :, 4] * raw[0, :, 5:].max(axis=1))
    np.testing.assert_array_equal(found[0, :, 5], raw[0, :, 5:].argmax(axis=1))


def test_raw_rows_of_rounded_corners_decode_to_these() -> None:
    form, image = FORMS["corners, score, label, float16"], scenes()[:1]
    (rounded,), (twin,) = (run(edit(demo()), image).values() for edit in (form.edit, form.twin))
    boxes = reference.decode(twin[0], SIZE)
    corners = np.column_stack([boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2])
    np.testing.assert_allclose(corners, rounded[0, :, :4], rtol=0, atol=1e-3)
    np.testing.assert_array_equal(twin[0, :, 4], rounded[0, :, 4])
    np.testing.assert_array_equal(twin[0, :, 5:].argmax(axis=1), rounded[0, :, 5])
    assert (np.sort(twin[0, :, 5:], axis=1)[:, -2:] == (0, 1)).all()
