"""Boxes clipped to their image, as torchvision's `clip_boxes_to_image` and supervision's `clip_boxes` clip them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from yoloxfast import Detections

BOXES = [
    [-5, -7, 30, 40],
    [10, 20, 700, 500.5],
    [1.5, 2, 3, 4],
    [-9, 5, -3, 8],
    [650, 490, 700, 500],
    [-1, -1, 641, 481],
]
CLIPPED = [[0, 0, 30, 40], [10, 20, 640, 480], [1.5, 2, 3, 4], [0, 5, 0, 8], [640, 480, 640, 480], [0, 0, 640, 480]]


def found(boxes: Any = BOXES, dtype: Any = np.float32) -> Detections:
    count = len(boxes)
    xyxy = np.array(boxes, dtype).reshape(count, 4)
    return Detections(xyxy, np.linspace(0.9, 0.3, count, dtype=np.float32), np.arange(count), tuple("abcdef"))


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 3), [480, 640], (np.int64(480), np.int64(640))])
def test_boxes_are_clipped_and_all_else_stays(shape: Any) -> None:
    before = found()
    clipped = before.clip(shape)
    assert clipped == Detections(np.array(CLIPPED, np.float32), before.scores, before.class_ids, before.names)
    assert clipped.xyxy.dtype == np.float32
    assert before == found(), "what was clipped is as before"
    assert clipped.clip(shape) == clipped


def test_a_box_outside_stays_with_no_area_and_can_be_left_out() -> None:
    clipped = found().clip((480, 640))
    has_area: Any = (clipped.xyxy[:, 2:] > clipped.xyxy[:, :2]).all(axis=1)
    assert has_area.tolist() == [True, True, True, False, False, True]
    assert clipped[has_area].class_ids.tolist() == [0, 1, 2, 5]


def test_clipping_nothing_gives_nothing() -> None:
    assert len(found([]).clip((480, 640))) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, np.int8])
def test_boxes_keep_their_dtype(dtype: Any) -> None:
    clipped = found([[-5, -6, 100, 90]], dtype).clip((80, 3000))
    assert clipped.xyxy.dtype == dtype
    assert clipped.xyxy.tolist() == [[0, 0, 100, 80]]


def test_supervision_clips_to_the_same() -> None:
    supervision = pytest.importorskip("supervision")
    expected = supervision.clip_boxes(found().xyxy, (640, 480))
    np.testing.assert_array_equal(found().clip((480, 640)).xyxy, expected)


def test_a_crop_of_a_clipped_box_is_not_empty() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    for boxes, shape in ((found(), (0, 0, 3)), (found().clip(image.shape), (40, 30, 3))):
        x1, y1, x2, y2 = boxes.xyxy[0].astype(int)
        assert image[y1:y2, x1:x2].shape == shape


def test_supervisions_slicer_does_not_warn_of_clipped_boxes() -> None:
    supervision = pytest.importorskip("supervision")
    image = np.zeros((100, 200, 3), np.uint8)

    def slicer(clips: bool) -> Any:
        def detect(part: Any) -> Any:
            one = found([[-5, -7, 30, 400]])
            return (one.clip(part.shape) if clips else one).to_supervision()

        return supervision.InferenceSlicer(detect, slice_wh=(100, 100), overlap_wh=(0, 0))

    with pytest.warns(Warning, match="outside the slice bounds"):
        slicer(clips=False)(image)
    np.testing.assert_array_equal(slicer(clips=True)(image).xyxy[:, 1::2] % 100, 0)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        (640, TypeError, r"shape must be \(height, width\) in whole pixels, got 640"),
        ((480.0, 640.0), TypeError, r"shape must be \(height, width\) in whole pixels, got \(480.0, 640.0\)"),
        ((480,), ValueError, r"shape must be \(height, width\) in pixels, both at least 1, got \(480,\)"),
        ((0, 640, 3), ValueError, r"both at least 1, got \(0, 640\)"),
    ],
)
def test_a_shape_is_a_height_and_a_width(shape: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        found().clip(shape)
