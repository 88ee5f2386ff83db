"""What post-processing refuses, and what it says then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from yoloxfast import ModelError, PostProcessor

SIZE = (40, 64)
ANCHORS = 5 * 8 + 3 * 4 + 2 * 2


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (np.zeros((ANCHORS, 8), np.float32), ValueError, "has 8 columns, a model of 2 classes needs 7"),
        (np.zeros((ANCHORS - 1, 7), np.float32), ValueError, f"has {ANCHORS - 1} anchors, .* has {ANCHORS}"),
        (np.zeros((0, 7), np.float32), ValueError, "has 0 anchors"),
        (
            np.zeros((1, ANCHORS, 7), np.float32),
            ValueError,
            r"shape \(1, 56, 7\), expected \(anchors, 5 \+ classes\): .* raw\[0\]",
        ),
        (np.zeros(7, np.float32), ValueError, r"shape \(7,\)"),
        (np.zeros((ANCHORS, 7)), TypeError, "dtype float64, expected float32 or float16"),
        (np.zeros((ANCHORS, 7), ">f4"), TypeError, "dtype >f4"),
        (np.zeros((ANCHORS, 7), np.uint8), TypeError, "dtype uint8"),
        ([[0.0] * 7] * ANCHORS, TypeError, "is a list, expected a NumPy array"),
        (None, TypeError, "is a NoneType"),
    ],
)
def test_other_raw_outputs_are_refused(raw: Any, error: type[Exception], message: str) -> None:
    post = PostProcessor(SIZE, 2)
    with pytest.raises(error, match=message):
        post(raw)
    with pytest.raises(error, match=message):
        post.decode(raw)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"score_threshold": 1.5}, ValueError, "score_threshold is 1.5, expected a number from 0 to 1"),
        ({"score_threshold": -0.1}, ValueError, "score_threshold is -0.1"),
        ({"score_threshold": np.nan}, ValueError, "score_threshold is NaN"),
        ({"score_threshold": "high"}, TypeError, "score_threshold must be a number, got 'high'"),
        ({"iou_threshold": 2}, ValueError, "iou_threshold is 2"),
        ({"iou_threshold": np.inf}, ValueError, "iou_threshold is inf"),
        ({"iou_threshold": 10**400}, ValueError, "iou_threshold is too large a number"),
        ({"scale": (1, 1)}, TypeError, r"scale must be a number, got \(1, 1\)"),
        ({"scale": 0}, ValueError, "scale is 0"),
        ({"scale": np.nan}, ValueError, "scale is NaN"),
        ({"max_detections": 0}, ValueError, "max_detections is 0"),
        ({"max_detections": -1}, ValueError, "max_detections is -1, expected at least 1"),
        ({"max_detections": 2**70}, ValueError, "max_detections is 1180591620717411303424"),
        ({"max_detections": 1.5}, TypeError, "max_detections must be a whole number, got 1.5"),
        ({"classes": 1.5}, TypeError, "ids or names, got 1.5"),
        ({"classes": b"ab"}, TypeError, "ids or names, got b'ab'"),
        ({"classes": ["dgo"]}, ValueError, "unknown class 'dgo', perhaps you meant 'dog'"),
        ({"classes": [2]}, ValueError, "unknown class id 2, the model's classes are 0 to 1"),
        ({"classes": [-1]}, ValueError, "unknown class id -1"),
        ({"classes": [0.5]}, TypeError, "ids or names, got 0.5"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PostProcessor(SIZE, 2, names=("cat", "dog"))(np.zeros((ANCHORS, 7), np.float32), **options)


def test_scores_without_a_sigmoid_are_refused() -> None:
    raw = np.zeros((ANCHORS, 7), np.float32)
    raw[5, 4:] = (2.5, 0.1, 0.2)
    with pytest.raises(ModelError, match=r"anchor 5 has a score of 2.5, .* sigmoid"):
        PostProcessor(SIZE, 2)(raw)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 640),), r"size must be \(height, width\) in pixels, both at least 1, got \(0, 640\)"),
        (((-1, 640),), "both at least 1"),
        (((10**9, 10**9),), "each side must be"),
        (((32768, 32768), 80, (1,)), "1073741824 anchors"),
        (((640, 640), 0), "num_classes is 0"),
        (((640, 640), 2**62), "num_classes is 4611686018427387904, expected 1 to 65536"),
        (((640, 640), -1), "num_classes is -1"),
        (((640, 640), 2**70), "num_classes is 1180591620717411303424"),
        (((2**70, 1),), "height is 1180591620717411303424"),
        (((640, 640), 80, (8, -1)), "stride is -1"),
        (((640, 640), 80, ()), r"strides are \[\]"),
        (((640, 640), 80, (8, 0)), "stride is 0, expected at least 1"),
    ],
)
def test_impossible_models_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PostProcessor(*arguments)


def test_names_must_fit_the_classes() -> None:
    with pytest.raises(ValueError, match="the number of names must be 2, one for each class, got 1"):
        PostProcessor(SIZE, 2, names=["cat"])
    with pytest.raises(TypeError, match="sequence of strings"):
        PostProcessor(SIZE, 2, names=[1, 2])  # type: ignore[list-item]
    unordered: tuple[Any, ...] = ({"a", "b"}, {"a": 0, "b": 1}.keys(), b"ab", 7)
    for names in unordered:
        with pytest.raises(TypeError, match="sequence of strings"):
            PostProcessor(SIZE, 2, names=names)
    with pytest.raises(ValueError, match="must have the ids 0 to 1"):
        PostProcessor(SIZE, 2, names={1: "a", 2: "b"})
    assert PostProcessor(SIZE, 2, names={1: "b", 0: "a"}).names == ("a", "b")
    assert PostProcessor(SIZE, 2, names=np.array(["a", "b"])).names == ("a", "b")  # type: ignore[arg-type]
    assert PostProcessor(SIZE).names[0] == "person"
    assert PostProcessor(SIZE, 2).names == ("class 0", "class 1")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layout": 5}, ValueError, "layout is 5, expected 'rows', 'channels-first'"),
        ({"decoded": "yes"}, TypeError, "decoded must be True or False, got 'yes'"),
        ({"logits": None}, TypeError, "logits must be True or False, got None"),
        ({"extra_columns": -1}, ValueError, "extra_columns is -1, expected at least 0"),
        ({"extra_columns": 2**64 - 6}, ValueError, "extra_columns is 18446744073709551610, expected 0 to 65536"),
        ({"extra_columns": 1.5}, TypeError, "extra_columns must be a whole number, got 1.5"),
    ],
    ids=str,
)
def test_forms_of_another_kind_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PostProcessor(SIZE, 2, **options)


@pytest.mark.parametrize(
    ("size", "error"),
    [(5, TypeError), ("ab", TypeError), ((1.5, 2), TypeError), ((3,), ValueError), ((-1, 5), ValueError)],
)
def test_image_sizes_are_whole_numbers(size: Any, error: type[Exception]) -> None:
    post, raw = PostProcessor(SIZE, 2, semantics="cpp-demo"), np.zeros((ANCHORS, 7), np.float32)
    with pytest.raises(error, match=r"image_size must be \(height, width\) in whole pixels, got"):
        post(raw, image_size=size)
    with pytest.raises(error, match=r"image_size must be \(height, width\) in whole pixels, got"):
        post.batch(raw[np.newaxis], image_sizes=[size])
