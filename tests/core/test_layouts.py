"""Every layout gives what its specification in NumPy does, whatever the numbers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from random_raw import ANCHORS, NOT_FINITE, SEMANTICS, SIZE, STRIDES, outcome, raw_outputs, thresholds
from synthetic import synthetic_raw
from yoloxfast import PostProcessor, forms, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast.forms import Layout, RawOutput, Semantics

LEVELS = ((5, 8), (3, 4), (2, 2))
WHOLE: tuple[Layout, ...] = ("rows", "channels-first", "maps", "pixel-maps", "split-maps")
LABELS = 4


def laid_out(rows: NDArray[Any], layout: Layout) -> RawOutput:
    """Return rows in a layout that has all their columns."""
    ends = np.cumsum([height * width for height, width in LEVELS])
    of_levels = [level.reshape(*size, -1) for level, size in zip(np.split(rows, ends[:-1]), LEVELS, strict=True)]
    maps = [np.ascontiguousarray(np.moveaxis(level, -1, 0)) for level in of_levels]
    match layout:
        case "channels-first":
            return np.ascontiguousarray(rows.T)
        case "maps":
            return maps
        case "pixel-maps":
            return of_levels
        case "split-maps":
            return [part for level in maps for part in (level[:4], level[4:5], level[5:])]
    return rows


@st.composite
def labelled_rows(draw: st.DrawFn, rows: st.SearchStrategy[int]) -> NDArray[Any]:
    count = draw(rows)
    corner = st.floats(-100, 100, width=16) | st.sampled_from((*NOT_FINITE, 6e4, -6e4))
    score = st.floats(-1, 1.0625, width=16) | st.sampled_from((0.0, 0.5, 1.0, *NOT_FINITE))
    corners = draw(hnp.arrays(np.float32, (count, 4), elements=corner))
    scores = draw(hnp.arrays(np.float32, (count, 1), elements=score))
    labels = draw(hnp.arrays(np.float32, (count, 1), elements=st.integers(0, LABELS - 1).map(float)))
    return np.concatenate([corners, scores, labels], axis=1, dtype=draw(st.sampled_from((np.float32, np.float16))))


options = st.fixed_dictionaries(
    {
        "scale": st.floats(0.01, 10),
        "image_size": st.just((30, 50)),
        "score_threshold": thresholds,
        "iou_threshold": thresholds,
        "classes": st.none() | st.just([0]),
        "max_detections": st.none() | st.integers(1, 5),
    }
)


@given(raw_outputs(), st.sampled_from(WHOLE), st.booleans(), st.booleans(), st.sampled_from(SEMANTICS), options)
def test_layouts_equal_reference(
    rows: NDArray[Any], layout: Layout, decoded: bool, logits: bool, semantics: Semantics, options: dict[str, Any]
) -> None:
    raw = laid_out(rows, layout)
    form: Any = {"semantics": semantics, "layout": layout, "decoded": decoded, "logits": logits}
    post = PostProcessor(SIZE, rows.shape[1] - 5, STRIDES, **form)
    found = outcome(lambda: post(raw, **options))
    assert found == outcome(lambda: reference.postprocess(raw, SIZE, STRIDES, **form, **options))


@given(raw_outputs(), st.sampled_from(WHOLE), st.integers(1, 20), st.booleans(), st.sampled_from(SEMANTICS), options)
def test_extra_columns_equal_reference(
    rows: NDArray[Any], layout: Layout, extra: int, logits: bool, semantics: Semantics, options: dict[str, Any]
) -> None:
    wider = np.pad(rows, ((0, 0), (0, extra)), constant_values=99)
    form: Any = {"semantics": semantics, "layout": layout, "logits": logits, "extra_columns": extra}
    post, raw = PostProcessor(SIZE, rows.shape[1] - 5, STRIDES, **form), laid_out(wider, layout)
    found = outcome(lambda: post(raw, **options))
    assert found == outcome(lambda: reference.postprocess(raw, SIZE, STRIDES, **form, **options))


@given(labelled_rows(st.just(ANCHORS)), st.sampled_from(("eval", "demo", "onnx-demo")), options)
def test_labelled_anchors_equal_reference(raw: NDArray[Any], semantics: Semantics, options: dict[str, Any]) -> None:
    form: Any = {"semantics": semantics, "layout": "labelled", "names": tuple("abcd")}
    post = PostProcessor(SIZE, LABELS, STRIDES, **form)
    found = outcome(lambda: post(raw, **options))
    assert found == outcome(lambda: reference.postprocess(raw, SIZE, STRIDES, **form, **options))


@pytest.mark.filterwarnings("ignore:of .* boxes that the network gave")
@given(labelled_rows(st.integers(0, 70)), options)
def test_finished_detections_equal_reference(raw: NDArray[Any], options: dict[str, Any]) -> None:
    assume(len(raw) == 0 or np.isfinite(raw[:3]).all(axis=1).any())
    form: Any = {"layout": "finished", "names": tuple("abcd")}
    post = PostProcessor(SIZE, LABELS, STRIDES, **form)
    assert post(raw, **options) == reference.postprocess(raw, SIZE, STRIDES, **form, **options)
    assert post.batch([raw, raw[:3]], scales=[options["scale"]] * 2) == [
        post(each, scale=options["scale"]) for each in (raw, raw[:3])
    ]


@pytest.mark.parametrize("layout", get_args(forms.Layout))
def test_arrays_in_any_order_of_memory_give_the_same(layout: Layout) -> None:
    rows = synthetic_raw(SIZE, num_classes=2, seed=3)
    if layout in ("labelled", "finished"):
        rows = np.column_stack([rows[:, :2], rows[:, :2] + 9, rows[:, 4], rows[:, 5] > 0.01]).astype(np.float32)
    raw = laid_out(rows, layout)
    post = PostProcessor(SIZE, 2, layout=layout)
    expected = post(raw, score_threshold=0.01)
    assert len(expected) > 0
    for other in (np.asfortranarray, lambda array: np.repeat(array, 2, axis=-1)[..., ::2], read_only):
        same = other(raw) if isinstance(raw, np.ndarray) else [other(array) for array in raw]
        assert post(same, score_threshold=0.01) == expected


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    array = array.copy()
    array.flags.writeable = False
    return array


def test_scales_of_finished_detections_are_one_for_each_image() -> None:
    post = PostProcessor(SIZE, 2, layout="finished")
    found = np.array([[1, 2, 3, 4, 0.9, 1]], np.float32)
    assert [len(each) for each in post.batch([found, found[:0]])] == [1, 0]
    for scales in ([1.0], [1.0] * 3, iter(lambda: 1.0, None)):
        with pytest.raises(ValueError, match="expected 2 scales, one for each image"):
            post.batch([found, found[:0]], scales=scales)
    with pytest.raises(TypeError, match=r"raw output is 5, expected an array \(detections, 6\) for each image"):
        post.batch(5)  # type: ignore[arg-type]


def test_the_network_alone_says_which_boxes_suppress_others() -> None:
    post = PostProcessor(SIZE, 2, layout="finished")
    with pytest.raises(ValueError, match="class_agnostic cannot be had: the network suppresses boxes itself"):
        post.options(class_agnostic=True)
