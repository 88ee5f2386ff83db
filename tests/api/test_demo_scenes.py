"""The scenes of the demo network: their truth must be true."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from yoloxfast.demo import CLASSES, draw_scene
from yoloxfast.demo.scenes import LEAST_VISIBLE, LONG_SIDE, Canvas, fill
from yoloxfast.demo.shapes import outline


def test_a_seed_names_a_scene() -> None:
    scene, again, other = draw_scene(7), draw_scene(7), draw_scene(8)
    np.testing.assert_array_equal(scene.image, again.image)
    np.testing.assert_array_equal(scene.xyxy, again.xyxy)
    np.testing.assert_array_equal(scene.class_ids, again.class_ids)
    assert scene.image.shape != other.image.shape or (scene.image != other.image).any()


def test_scenes_of_training_are_not_those_of_tests_and_demo() -> None:
    """Seeds are padded with 0: of those that are one number below 2**32, only 1 gives a scene of training, (1, 0)."""
    training = {tuple(np.random.SeedSequence((1, index)).generate_state(4)) for index in range(80_000)}
    others = {seed for seed in range(20_000) if tuple(np.random.SeedSequence(seed).generate_state(4)) in training}
    assert others == {1}


def test_scenes_are_as_described() -> None:
    scenes = [draw_scene(seed) for seed in range(100)]
    for scene in scenes:
        height, width, channels = scene.image.shape
        assert scene.image.dtype == np.uint8
        assert channels == 3
        assert LONG_SIDE[0] <= max(height, width) <= LONG_SIDE[1]
        assert scene.xyxy.dtype == np.float32
        assert scene.class_ids.dtype == np.int64
        assert len(scene.xyxy) == len(scene.class_ids)
        assert (scene.xyxy >= 0).all()
        assert (scene.xyxy <= np.array((width, height, width, height))).all()
        assert (scene.xyxy[:, 2:] - scene.xyxy[:, :2] > 4).all()
    assert set(np.concatenate([scene.class_ids for scene in scenes])) == set(range(len(CLASSES)))
    assert {scene.image.shape[0] > scene.image.shape[1] for scene in scenes} == {True, False}
    assert max(len(scene.xyxy) for scene in scenes) == 10


def test_boxes_are_those_of_the_pixels() -> None:
    """Shapes drawn with room around them reach as far as their outlines, and a smooth edge of half a pixel further."""
    rng = np.random.default_rng(0)
    differences = []
    for number in range(400):
        radius = rng.uniform(15, 60)
        contours = [points * radius + rng.uniform(70, 80, 2) for points in outline(CLASSES[number % len(CLASSES)], rng)]
        rows, columns = np.nonzero(fill(contours[:1], (150, 150)) > 127)
        drawn = np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        differences.append(drawn - np.concatenate((contours[0].min(axis=0), contours[0].max(axis=0))))
    left, top, right, bottom = np.array(differences).T
    for low, high in ((left, right), (top, bottom)):
        assert np.abs(low + high).max() / 2 <= 0.75
        assert np.abs(np.mean(low + high)) / 2 <= 0.05
        assert 0.3 <= np.mean(high - low) / 2 <= 0.7
        assert np.abs(high - low).max() / 2 <= 1.3


@pytest.mark.parametrize("seed", range(60))
def test_a_shape_changes_the_pixels_of_its_box_and_no_others(seed: int) -> None:
    canvas = Canvas(np.full((300, 400, 3), 100, np.uint8))
    rng = np.random.default_rng(seed)
    while not canvas.boxes:
        canvas.add_shape(rng)
    rows, columns = np.nonzero((canvas.image != 100).any(axis=2))
    pixels = np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    np.testing.assert_allclose(canvas.boxes[0], pixels, rtol=0, atol=1)


@pytest.mark.parametrize("seed", range(10))
def test_no_shape_is_hidden(seed: int) -> None:
    """Later shapes leave enough of each: seen by what each changes when it is drawn, without its smooth edge."""
    canvas = Canvas(np.full((200, 200, 3), 100, np.uint8))
    rng = np.random.default_rng(seed)
    shapes = []
    for _ in range(60):
        before, count = canvas.image.copy(), len(canvas.boxes)
        canvas.add_shape(rng)
        if len(canvas.boxes) > count:
            changed = (canvas.image != before).any(axis=2)
            shapes.append(cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool))
    assert len(shapes) > 5
    for index, shape in enumerate(shapes):
        visible = shape & ~np.any(shapes[index + 1 :], axis=0)
        assert np.count_nonzero(visible) >= 0.9 * LEAST_VISIBLE * np.count_nonzero(shape)


@pytest.mark.parametrize("name", CLASSES)
def test_outlines_fill_the_unit_circle_and_no_more(name: str) -> None:
    contours = outline(name, np.random.default_rng(0))
    distances = np.hypot(*np.concatenate(contours).T)
    assert distances.max() == pytest.approx(1)
    assert len(contours) == (2 if name == "ring" else 1)
    corners = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6, "star": 10, "cross": 12}
    assert len(contours[0]) == corners.get(name, 72)
    assert cv2.contourArea(contours[0].astype(np.float32)) > 0.5
