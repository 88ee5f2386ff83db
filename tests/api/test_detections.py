from __future__ import annotations

import dataclasses
import json
import pickle
import re
import sys
from typing import Any

import numpy as np
import pytest

from yoloxfast import Detections, MissingDependencyError
from yoloxfast.classes import COCO_CATEGORY_IDS, COCO_NAMES
from yoloxfast.drawing import class_color, ink_on
from yoloxfast.errors import how_to_install, missing

NAMES = ("cat", "dog", "fish")


def three(names: tuple[str, ...] = NAMES) -> Detections:
    xyxy = np.array([[1.5, 2, 11.5, 22], [0.1, 0, 5, 5], [-3, 4, 700, 8]], np.float32)
    return Detections(xyxy, np.array([0.9, 0.5, 0.1], np.float32), np.array([2, 0, 2]), names)


def none() -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), NAMES)


def test_iteration_gives_one_detection_each() -> None:
    first, second, third = three()
    assert (first.name, second.name, third.name) == ("fish", "cat", "fish")
    assert (first.class_id, type(first.class_id)) == (2, int)
    assert isinstance(first.score, float)
    assert first.score == np.float32(0.9)
    x1, y1, x2, y2 = first.xyxy
    assert (x1, y1, x2, y2) == (1.5, 2, 11.5, 22)
    assert list(none()) == []


def test_indexing() -> None:
    detections = three()
    assert detections[0].name == "fish"
    assert detections[-1].xyxy.tolist() == [-3, 4, 700, 8]
    assert detections[np.int64(1)].name == "cat"
    with pytest.raises(IndexError):
        detections[3]
    fish = detections[detections.class_ids == 2]
    assert isinstance(fish, Detections)
    assert fish.scores.tolist() == detections.scores[[0, 2]].tolist()
    assert detections[[0, 2]] == fish
    assert detections[[True, False, True]] == fish
    assert detections[::2] == fish
    assert detections[np.array([2, 0])].class_ids.tolist() == [2, 2]
    assert len(detections[[]]) == len(detections[:0]) == 0
    assert len(none()[np.zeros(0, bool)]) == 0


def test_detections_are_frozen_and_compare_by_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        three().names = ()  # type: ignore[misc]
    assert three() == three()
    assert three() != three()[:2]
    assert three() != three(("a", "b", "c"))
    assert three() != "three"


def test_detections_show_the_best() -> None:
    assert repr(three()) == "<3 Detections: fish 0.90, cat 0.50, fish 0.10>"
    assert repr(three()[[0] * 9]) == "<9 Detections: fish 0.90, fish 0.90, fish 0.90, fish 0.90, fish 0.90, …>"
    assert repr(none()) == "<0 Detections>"


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected boxes \(N, 4\)"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros(3, np.int64), NAMES)
    with pytest.raises(ValueError, match=r"got \(2, 5\)"):
        Detections(np.zeros((2, 5), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64), NAMES)
    with pytest.raises(TypeError, match="expected NumPy arrays, got list"):
        Detections([[0, 0, 1, 1]], [0.5], [0], NAMES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"xyxy": np.full((2, 4), np.nan, np.float32)}, ValueError, "boxes and scores that are finite, got NaN"),
        ({"scores": np.array([0.5, np.inf], np.float32)}, ValueError, "boxes and scores that are finite"),
        ({"class_ids": np.array([0, 3])}, ValueError, "class ids from 0 to 2, as there are names, got 3"),
        ({"class_ids": np.array([-1, 0])}, ValueError, "got -1"),
        ({"class_ids": np.array([0.0, 1.0])}, TypeError, "class_ids of whole numbers, got float64"),
        ({"names": ()}, ValueError, "as there are names, got 0"),
        ({"scores": np.float32(0.5)}, TypeError, "NumPy arrays, got float32"),
        ({"scores": np.array(0.5)}, ValueError, r"got \(2, 4\), \(\) and"),
        ({"xyxy": np.ones((2, 4), complex)}, TypeError, "of real numbers, got complex128"),
    ],
)
def test_detections_that_cannot_be_drawn_or_stored_are_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    arrays = {"xyxy": np.ones((2, 4), np.float32), "scores": np.ones(2, np.float32), "class_ids": np.array([0, 2])}
    with pytest.raises(error, match=message):
        Detections(**{**arrays, "names": NAMES, **change})


def test_empty_detections_may_have_ids_of_any_kind() -> None:
    detections = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.array([]), ())
    assert len(detections[:3]) == len(detections[[]]) == len(detections[np.zeros(0, bool)]) == 0
    assert detections.class_ids.dtype == np.int64


def test_an_index_that_does_not_fit_is_refused() -> None:
    for index in (np.zeros(0, bool), np.zeros(2, bool), np.zeros((3, 4), bool), np.zeros((1, 1), int)):
        with pytest.raises(IndexError):
            three()[index]


def test_json_is_short_and_exact() -> None:
    detections = three()
    text = detections.to_json()
    assert '"xyxy": [0.1, 0.0, 5.0, 5.0], "score": 0.5, "class_id": 0, "name": "cat"' in text
    assert json.loads(text) == detections.to_dict()
    back = np.array([found["xyxy"] for found in detections.to_dict()["detections"]], np.float32)
    np.testing.assert_array_equal(back, detections.xyxy)
    assert json.loads(none().to_json()) == {"detections": []}


def test_coco_results() -> None:
    results = three().to_coco(139)
    assert results[0] == {
        "image_id": 139,
        "category_id": 2,
        "bbox": [1.5, 2.0, 10.0, 20.0],
        "score": pytest.approx(0.9),
    }
    assert [result["category_id"] for result in three().to_coco(1, category_ids=(10, 20, 30))] == [30, 10, 30]
    assert [result["category_id"] for result in three(COCO_NAMES).to_coco(1)] == [3, 1, 3]
    assert json.loads(json.dumps(results)) == results
    assert json.dumps(three().to_coco(np.int64(139), np.array([1, 2, 3])))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 1 category ids for 3 classes"):
        three().to_coco(1, [1])
    assert none().to_coco(1) == []


def test_coco_category_ids_are_those_of_the_annotation_files() -> None:
    assert len(COCO_NAMES) == len(COCO_CATEGORY_IDS) == 80
    known = {"person": 1, "stop sign": 13, "backpack": 27, "dining table": 67, "toothbrush": 90, "cell phone": 77}
    assert {name: COCO_CATEGORY_IDS[COCO_NAMES.index(name)] for name in known} == known


def test_supervision_detections() -> None:
    supervision = pytest.importorskip("supervision")
    for detections in (three(), none()):
        converted = detections.to_supervision()
        assert isinstance(converted, supervision.Detections)
        assert len(converted) == len(detections)
        np.testing.assert_array_equal(converted.xyxy, detections.xyxy)
        np.testing.assert_array_equal(converted.confidence, detections.scores)
        np.testing.assert_array_equal(converted.class_id, detections.class_ids)
        assert list(converted["class_name"]) == [detection.name for detection in detections]
    only_fish = three().to_supervision()
    assert only_fish[only_fish.class_id == 2].xyxy.shape == (2, 4)  # type: ignore[union-attr]


def test_supervision_detections_are_copies() -> None:
    pytest.importorskip("supervision")
    detections = three()
    converted = detections.to_supervision()
    converted.xyxy[:] = 0
    assert detections == three()


def test_missing_packages_survive_pickling() -> None:
    error = missing("tqdm", ImportError("broken"), extra="cpu")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, MissingDependencyError)
    assert str(again) == str(error) == f"tqdm cannot be imported (broken); to install it: {how_to_install('cpu')}"


def test_supervision_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingDependencyError, match=re.escape(how_to_install("supervision"))):
        three().to_supervision()


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (30, 20), (2000, 3000), (200, 3840)])
def test_drawing_marks_a_copy(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 128, np.uint8)
    drawn = three().draw(image)
    assert (image == 128).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (drawn != 128).any()
    np.testing.assert_array_equal(none().draw(image), image)


def test_drawing_frames_the_box_in_the_colour_of_its_class() -> None:
    xyxy = np.array([[50, 60, 150, 160]], np.float32)
    detections = Detections(xyxy, np.ones(1, np.float32), np.array([1]), NAMES)
    drawn = detections.draw(np.zeros((480, 640, 3), np.uint8))
    for x, y in ((50, 100), (150, 100), (100, 160), (145, 60)):
        np.testing.assert_allclose(drawn[y, x], class_color(1), atol=40)
    assert (drawn[70:150, 60:140] == 0).all()
    assert (drawn[200:] == 0).all()


@pytest.mark.parametrize("side", [200, 640, 3000])
def test_labels_are_as_large_as_the_image_asks_and_say_the_name(side: int) -> None:
    image, edge = np.zeros((side, side, 3), np.uint8), int(side * 0.3) - max(2, side // 300)
    xyxy = np.array([[side * 0.3, side * 0.3, side * 0.9, side * 0.9]], np.float32)
    drawn = Detections(xyxy, np.ones(1, np.float32), np.zeros(1, np.int64), ("cat",)).draw(image)
    longer = Detections(xyxy, np.ones(1, np.float32), np.zeros(1, np.int64), ("caterpillar",)).draw(image)
    above: Any = drawn[:edge].any(axis=2)
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    assert max(10, side / 60) <= len(rows) <= max(25, side / 15)
    assert len(columns) > 2 * len(rows)
    assert longer[:edge].any(axis=2).sum() > 1.5 * above.sum()
    label = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert len(np.unique(label.reshape(-1, 3), axis=0)) > 5, "letters on a ground, with smooth edges"


def test_labels_of_boxes_on_one_another_do_not_overlap() -> None:
    xyxy = np.tile(np.array([[100, 200, 400, 400]], np.float32), (3, 1))
    drawn = Detections(xyxy, np.array([0.9, 0.8, 0.7], np.float32), np.arange(3), NAMES).draw(
        np.zeros((640, 640, 3), np.uint8)
    )
    for class_id in range(3):
        of_class = (np.abs(drawn.astype(int) - class_color(class_id)).max(axis=2) < 10).sum()
        assert of_class > 500, f"the ground of the label of class {class_id} is hidden"


def test_the_best_is_drawn_on_top() -> None:
    xyxy = np.tile(np.array([[100, 200, 400, 400]], np.float32), (2, 1))
    drawn = Detections(xyxy, np.array([0.9, 0.8], np.float32), np.arange(2), NAMES).draw(
        np.zeros((640, 640, 3), np.uint8)
    )
    np.testing.assert_allclose(drawn[300, 400], class_color(0), atol=40)


def test_ink_is_readable_on_every_ground() -> None:
    for class_id in range(80):
        ground = class_color(class_id)
        luma = np.array((0.114, 0.587, 0.299))
        assert abs((np.array(ink_on(ground)) - ground) @ luma) > 100


def test_colours_of_classes_differ() -> None:
    colors = np.array([class_color(class_id) for class_id in range(80)])
    assert len(np.unique(colors, axis=0)) == 80
    neighbours = np.abs(np.diff(colors, axis=0)).max(axis=1)
    assert neighbours.min() > 100


@pytest.mark.parametrize("view", [lambda image: image[::-1, ::2], lambda image: image[..., ::-1]])
def test_drawing_on_views_and_on_boxes_far_outside(view: Any) -> None:
    xyxy = np.array([[-1e30, -1e30, 1e30, 1e30], [1e9, 5, 2e9, 9]], np.float32)
    detections = Detections(xyxy, np.ones(2, np.float32), np.array([0, 1]), NAMES)
    image = view(np.zeros((100, 200, 3), np.uint8))
    assert detections.draw(image).shape == image.shape


def test_drawing_refuses_what_is_no_image() -> None:
    with pytest.raises(ValueError, match="grey"):
        three().draw(np.zeros((5, 5), np.uint8))


def test_names_that_opencv_cannot_draw_crash_nothing() -> None:
    names = ("half \ud800", "two\nlines", "\x1b[31mred\0\u3000")
    drawn = Detections(three().xyxy, three().scores, np.arange(3), names).draw(np.zeros((640, 640, 3), np.uint8))
    plain = Detections(three().xyxy, three().scores, np.arange(3), ("half ?", "two?lines", "?[31mred?\u3000"))
    np.testing.assert_array_equal(drawn, plain.draw(np.zeros((640, 640, 3), np.uint8)))


def test_thousands_of_labels_on_a_long_picture_are_placed_in_numpy() -> None:
    """Python alone takes minutes; and letters as high as its length asks would hide the picture."""
    corners = np.random.default_rng(0).random((5000, 2)) * (19_000, 5)
    xyxy = np.concatenate((corners, corners + 5), axis=1).astype(np.float32)
    detections = Detections(xyxy, np.ones(5000, np.float32), np.zeros(5000, np.int64), NAMES)
    drawn = detections.draw(np.zeros((10, 20_000, 3), np.uint8))
    assert 0.1 < (drawn > 0).any(axis=2).mean() < 1
