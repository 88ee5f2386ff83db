from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yoloxfast import nms, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

coordinates = st.one_of(
    st.integers(0, 12).map(float),
    st.floats(-50, 50, width=32),
    st.sampled_from((np.nan, np.inf, float(np.float32(3e38)))),
)
scores = st.one_of(st.sampled_from((0.0, -0.0, 0.5, 1.0, np.nan, np.inf)), st.floats(0, 1, width=32))


@st.composite
def candidates(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    count = draw(st.integers(0, 40))
    return (
        draw(hnp.arrays(np.float32, (count, 4), elements=coordinates)),
        draw(hnp.arrays(np.float32, count, elements=scores)),
        draw(hnp.arrays(np.int64, count, elements=st.integers(-1, 2))),
    )


@given(candidates(), st.one_of(st.sampled_from((0.0, 0.5, 1.0)), st.floats(0, 1)), st.booleans())
def test_nms_equals_reference(candidates: Any, iou_threshold: float, by_class: bool) -> None:
    boxes, scores, class_ids = candidates
    groups = class_ids if by_class else None
    kept = nms(boxes, scores, groups, iou_threshold=iou_threshold)
    assert kept.dtype == np.int64
    np.testing.assert_array_equal(kept, reference.nms(boxes, scores, groups, iou_threshold=iou_threshold))


@pytest.mark.parametrize("seed", range(5))
def test_nms_of_many_boxes_equals_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 600, (2000, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 120, (2000, 2))], axis=1).astype(np.float32)
    scores = random.random(2000, np.float32)
    class_ids = random.integers(0, 80, 2000)
    for groups in (None, class_ids, class_ids.astype(np.int32), class_ids.astype(np.uint8)):
        np.testing.assert_array_equal(nms(boxes, scores, groups), reference.nms(boxes, scores, groups))


def test_nms_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [0, 0, 10, 5]], np.float32)
    scores = np.array([0.8, 0.9, 0.1, 0.7], np.float32)
    assert nms(boxes, scores, iou_threshold=0.6).tolist() == [1, 3, 2]
    assert nms(boxes, scores, iou_threshold=0.5).tolist() == [1, 2]
    assert nms(boxes, scores, np.array([0, 1, 0, 1]), iou_threshold=0.5).tolist() == [1, 0, 2]
    assert nms(boxes, scores, iou_threshold=1).tolist() == [1, 0, 3, 2]


def test_an_iou_at_the_threshold_does_not_suppress() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(boxes, scores, iou_threshold=0.5).tolist() == [0, 1]
    assert nms(boxes, scores, iou_threshold=0.4999).tolist() == [0]


def test_boxes_that_are_not_finite_are_not_kept() -> None:
    boxes = np.array([[0, 0, np.inf, 10], [0, 0, 10, 10], [0, 0, 5, np.nan], [50, 50, 60, 60]], np.float32)
    assert nms(boxes, np.array([1, 0.5, 1, np.nan], np.float32)).tolist() == [1]


def test_nms_of_nothing_is_empty() -> None:
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((2, 4)), np.zeros(2, np.float32)), TypeError, "boxes has dtype float64, expected float32"),
        ((np.zeros((2, 4), np.float32), np.zeros(2)), TypeError, "scores has dtype float64"),
        ((np.zeros((2, 4), np.float32), [0.5, 0.5]), TypeError, "scores is a list, expected a NumPy array"),
        ((np.zeros((2, 5), np.float32), np.zeros(2, np.float32)), ValueError, "boxes have 5 columns"),
        ((np.zeros(4, np.float32), np.zeros(1, np.float32)), ValueError, r"boxes has shape \(4,\), expected 2"),
        ((np.zeros((2, 4), np.float32), np.zeros(3, np.float32)), ValueError, "scores has 3 entries for 2 boxes"),
        (
            (np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(1, np.int64)),
            ValueError,
            "class_ids has 1 entries for 2 boxes",
        ),
        (
            (np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2)),
            TypeError,
            "class_ids has dtype float64, expected int64",
        ),
    ],
)
def test_other_arrays_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nms(*arguments)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_a_threshold_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"iou_threshold is .*, expected a number from 0 to 1"):
        nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), iou_threshold=value)
