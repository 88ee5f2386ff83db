from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from random_raw import ANCHORS, NOT_FINITE, SEMANTICS, SIZE, STRIDES, outcome, raw_outputs, thresholds
from synthetic import synthetic_raw
from yoloxfast import Detections, EngineError, ModelError, PostProcessor, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast.forms import Semantics


def processor(raw: NDArray[Any]) -> PostProcessor:
    return PostProcessor(SIZE, raw.shape[1] - 5, STRIDES)


@given(
    raw_outputs(),
    st.floats(0.01, 10),
    thresholds,
    thresholds,
    st.booleans(),
    st.none() | st.just([0]),
    st.none() | st.integers(1, 5),
    st.sampled_from(SEMANTICS),
)
def test_postprocessing_equals_reference(
    raw: NDArray[Any],
    scale: float,
    score_threshold: float,
    iou_threshold: float,
    class_agnostic: bool,
    classes: list[int] | None,
    max_detections: int | None,
    semantics: Semantics,
) -> None:
    options: Any = {
        "scale": scale,
        "image_size": (30, 50),
        "score_threshold": score_threshold,
        "iou_threshold": iou_threshold,
        "class_agnostic": class_agnostic and semantics != "onnx-demo-aware",
        "classes": classes,
        "max_detections": max_detections,
    }
    before = raw.copy()
    post = PostProcessor(SIZE, raw.shape[1] - 5, STRIDES, semantics=semantics)
    found = outcome(lambda: post(raw, **options))
    np.testing.assert_array_equal(raw, before)
    assert found == outcome(lambda: reference.postprocess(raw, SIZE, STRIDES, semantics=semantics, **options))
    if isinstance(found, Detections):
        assert np.isfinite(found.xyxy).all()
        key = found.class_ids if semantics == "onnx-demo-aware" else -found.scores
        assert (np.diff(key) >= 0).all()


@given(raw_outputs())
def test_decode_equals_reference(raw: NDArray[Any]) -> None:
    before = raw.copy()
    decoded = processor(raw).decode(raw)
    np.testing.assert_array_equal(decoded, reference.decode(raw, SIZE, STRIDES))
    np.testing.assert_array_equal(raw, before)
    assert decoded.dtype == np.float32


@pytest.mark.parametrize("thresholds", [(0.3, 0.45), (0.01, 0.65), (0.001, 0.65)])
@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("size", [(640, 640), (384, 640), (240, 320)])
def test_real_sizes_equal_reference(
    size: tuple[int, int], class_agnostic: bool, thresholds: tuple[float, float]
) -> None:
    raw = synthetic_raw(size, seed=sum(size), objects=12)
    score_threshold, iou_threshold = thresholds
    options: Any = {
        "score_threshold": score_threshold,
        "iou_threshold": iou_threshold,
        "class_agnostic": class_agnostic,
        "scale": 0.7,
    }
    found = PostProcessor(size)(raw, **options)
    assert len(found) > 5
    assert found == reference.postprocess(raw, size, **options)


def test_a_detection_by_hand() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[9] = (0.5, 0.25, np.log(2), np.log(3), 0.8, 0.25, 0.5)  # cell (1, 1) of stride 8
    found = PostProcessor(SIZE, 2, names=("cat", "dog"))(raw, scale=0.5)
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy, [[8, -4, 40, 44]], rtol=1e-6)
    assert found.scores == pytest.approx(0.4)
    assert found.class_ids.tolist() == [1]
    assert found.names == ("cat", "dog")
    assert found.xyxy.dtype == np.float32
    assert found.scores.dtype == np.float32
    assert found.class_ids.dtype == np.int64


def test_equal_scores_come_in_the_order_of_anchors_and_equal_classes_in_that_of_classes() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[[3, 30, 17], 4:] = (0.5, 0.75, 0.75)
    found = PostProcessor(SIZE, 2)(raw)
    assert found.class_ids.tolist() == [0, 0, 0]
    assert (found.xyxy == reference.postprocess(raw, SIZE).xyxy).all()
    assert found.xyxy[0].tolist() == [3 * 8 - 4, -4, 3 * 8 + 4, 4]


def test_nothing_found_is_empty() -> None:
    found = PostProcessor(SIZE, 2)(np.zeros((ANCHORS, 7), np.float32))
    assert len(found) == 0
    assert found.xyxy.shape == (0, 4)
    assert found == Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), ("class 0", "class 1")
    )


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("column", range(7))
def test_a_value_that_is_not_finite_takes_out_its_anchor_alone(column: int, value: float) -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[[3, 30], 4:] = (0.9, 0.8, 0.7)
    post = PostProcessor(SIZE, 2)
    whole = post(raw)
    assert len(whole) == 2
    raw[3, column] = value
    assert post(raw) == whole[1:]


def test_an_output_without_a_finite_row_is_an_engine_error() -> None:
    for value in NOT_FINITE:
        with pytest.raises(EngineError, match="each anchor has a number that is not finite"):
            PostProcessor(SIZE, 2)(np.full((ANCHORS, 7), value, np.float32), score_threshold=0)


def test_a_box_that_overflows_is_no_detection() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[4] = (3e38, 0, 0, 0, 0.9, 0.9, 0.1)
    assert len(PostProcessor(SIZE, 2)(raw)) == 0
    raw[4] = (3e38, 0, 3e38, 0, 0.9, 0.9, 0.1)
    assert len(PostProcessor(SIZE, 2, decoded=True)(raw)) == 0


def test_boxes_that_are_decoded_already_are_refused() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[3] = (20, 4, 30, 12, 0.9, 0.9, 0.1)
    with pytest.raises(ModelError, match=r"30 as the logarithm of a width or height, .* decoded=True"):
        PostProcessor(SIZE, 2)(raw)
    found = PostProcessor(SIZE, 2, decoded=True)(raw)
    np.testing.assert_array_equal(found.xyxy, [[5, -2, 35, 10]])
    with pytest.raises(ValueError, match="only rows that are not decoded yet"):
        PostProcessor(SIZE, 2, decoded=True).decode(raw)


def test_classes_select_by_id_and_name_and_the_others_suppress_nothing() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[3, 4:] = (0.9, 0.8, 0.1)
    raw[4, :1] = -1  # the same box, of the other class
    raw[4, 4:] = (0.9, 0.1, 0.7)
    post = PostProcessor(SIZE, 2, names=("cat", "dog"))
    assert post(raw, class_agnostic=True).class_ids.tolist() == [0]
    assert post(raw, class_agnostic=True, classes=["dog"]).class_ids.tolist() == [1]
    assert post(raw, classes="dog") == post(raw, classes=1) == post(raw, classes=(np.int64(1),))
    assert post(raw, classes=["dog", 0]) == post(raw)
    both = PostProcessor(SIZE, 2, names=("pet", "pet"))
    assert both(raw, classes="pet") == both(raw)
    assert len(both(raw)) == 2


def test_boxes_of_classes_that_are_not_wanted_may_be_anything() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[3] = (0, 0, 30, 0, 0.9, 0.8, 0.1)
    raw[30, 4:] = (0.9, 0.1, 0.8)
    found = PostProcessor(SIZE, 2)(raw, classes=1)
    assert found == reference.postprocess(raw, SIZE, classes=1)
    assert found.class_ids.tolist() == [1]


@pytest.mark.parametrize("layout", ["fortran", "every second", "reversed", "unaligned", "read-only"])
def test_any_layout_gives_the_same(layout: str) -> None:
    raw = synthetic_raw(SIZE, num_classes=2, seed=3)
    if layout == "fortran":
        other = np.asfortranarray(raw)
    elif layout == "every second":
        other = np.repeat(raw, 2, axis=0)[::2]
    elif layout == "reversed":
        other = np.ascontiguousarray(raw[::-1])[::-1]
    elif layout == "unaligned":
        buffer = bytearray(raw.nbytes + 1)
        other = np.frombuffer(buffer, np.float32, offset=1, count=raw.size).reshape(raw.shape)
        other[...] = raw
        assert not other.flags.aligned
    else:
        other = raw.copy()
        other.flags.writeable = False
    post = PostProcessor(SIZE, 2)
    assert len(post(raw)) > 0
    assert post(other) == post(raw)
    np.testing.assert_array_equal(post.decode(other), post.decode(raw))


def test_a_threshold_below_that_of_a_network_which_suppresses_is_said_once() -> None:
    rows = np.zeros((60, 6), np.float32)
    rows[:, 2:4], rows[:, 4] = 8, np.linspace(0.9, 0.4, 60)
    rows[50:, 4] = 0
    post = PostProcessor(SIZE, 2, layout="finished")
    assert len(post(rows)) == 50
    with pytest.warns(
        UserWarning, match="of 100 boxes .* none has a score below 0.48: .* score_threshold=0.25 finds no"
    ):
        assert len(post(rows)) == 50
    assert len(post(rows)) == 50
    post = PostProcessor(SIZE, 2, layout="finished")
    assert [len(post(rows, score_threshold=0.5)) for _ in range(3)] == [48, 48, 48]
