"""Options that are checked once, and used for many calls."""

from __future__ import annotations

import pickle
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import yoloxfast
from synthetic import synthetic_raw
from yoloxfast import ALL_CLASSES, Detections, PostProcessor, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE, NUM_CLASSES = (64, 96), 7
POST = PostProcessor(SIZE, NUM_CLASSES)
RAW = synthetic_raw(SIZE, NUM_CLASSES, objects=6)
CHOICES: tuple[dict[str, Any], ...] = (
    {},
    {"score_threshold": 0.1, "iou_threshold": 0.6},
    {"score_threshold": 0.1, "class_agnostic": True},
    {"score_threshold": 0.1, "classes": [0, 2, "class 5"]},
    {"score_threshold": 0.1, "classes": (number for number in (1, 3))},
    {"score_threshold": 0.1, "classes": ALL_CLASSES},
    {"score_threshold": 0.05, "max_detections": 3},
)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_options_are_used_again_and_again(choice: dict[str, Any]) -> None:
    choice = {
        name: list(value) if name == "classes" and value is not ALL_CLASSES else value for name, value in choice.items()
    }
    options = POST.options(**choice)
    wanted = reference.postprocess(RAW, SIZE, scale=0.5, names=POST.names, **choice)
    for _ in range(3):
        assert POST.run(RAW, 0.5, options) == POST(RAW, scale=0.5, **choice) == wanted
    batch = np.stack([RAW, RAW[::-1], RAW])
    assert POST.run_batch(batch, None, options, threads=2) == POST.batch(batch, **choice)


def test_options_fit_every_model_of_as_many_classes() -> None:
    options = POST.options(score_threshold=0.1)
    other = PostProcessor((64, 64), NUM_CLASSES)
    raw = synthetic_raw((64, 64), NUM_CLASSES)
    assert other.run(raw, 1.0, options) == other(raw, score_threshold=0.1)
    with pytest.raises(ValueError, match=r"7 classes.* 8|8 classes.* 7"):
        PostProcessor(SIZE, 8).run(synthetic_raw(SIZE, 8), 1.0, options)


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"score_threshold": 1.5}, ValueError, "score_threshold is 1.5, expected a number from 0 to 1"),
        ({"iou_threshold": float("nan")}, ValueError, "iou_threshold is NaN"),
        ({"score_threshold": "high"}, TypeError, "score_threshold must be a number, got 'high'"),
        ({"max_detections": 0}, ValueError, "max_detections is 0, expected at least 1"),
        ({"max_detections": 1.5}, TypeError, "max_detections must be a whole number, got 1.5"),
        ({"classes": ["unicorn"]}, ValueError, "unknown class 'unicorn'"),
        ({"classes": [7]}, ValueError, "unknown class id 7"),
        ({"classes": 1.5}, TypeError, "classes must be ids or names, got 1.5"),
    ],
)
def test_options_are_checked_when_they_are_made(choice: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        POST.options(**choice)


def test_what_is_not_options_is_refused() -> None:
    bad: Any = {"score_threshold": 0.5}
    with pytest.raises(TypeError, match=r"Options"):
        POST.run(RAW, 1.0, bad)


def test_options_cannot_be_changed() -> None:
    options: Any = POST.options()
    with pytest.raises(AttributeError):
        options.score_threshold = 0.5


def test_all_classes_are_one_object_everywhere() -> None:
    assert pickle.loads(pickle.dumps(ALL_CLASSES)) is ALL_CLASSES
    assert repr(ALL_CLASSES) == "yoloxfast.ALL_CLASSES"
    assert POST(RAW, classes=ALL_CLASSES) == POST(RAW)


def post_there(pickled: bytes, raw: NDArray[np.float32]) -> Detections:
    post: PostProcessor = pickle.loads(pickled)
    return post(raw, score_threshold=0.1)


def test_a_post_processor_can_be_pickled() -> None:
    names = [f"name {number}" for number in range(NUM_CLASSES)]
    post = PostProcessor(SIZE, NUM_CLASSES, names=names)
    again = pickle.loads(pickle.dumps(post))
    assert (again, again.names) == (post, tuple(names))
    assert again != POST
    with get_context("spawn").Pool(1) as processes:
        found = processes.apply(post_there, (pickle.dumps(post), RAW))
    assert found == post(RAW, score_threshold=0.1)
    assert len(found) > 0


def test_yoloxfast_names_them() -> None:
    assert "ALL_CLASSES" in yoloxfast.__all__
