"""The demo network: a trained YOLOX in every clone."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from average_precision import average_precision
from golden import assert_same, options_of, report
from locations import DEMO_GOLDEN
from specification import expected
from store_golden import FIRST_SEED, LEAST_GAP, MODES, SCENES, SIZE
from yoloxfast import Detector
from yoloxfast.demo import CLASSES, draw_scene
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yoloxfast.demo import Scene

GOLDEN: dict[str, Any] = json.loads(DEMO_GOLDEN.read_text())


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    with Detector("demo") as detector:
        yield detector


def coco_truth(scenes: list[Scene]) -> dict[str, Any]:
    """Describe scenes in COCO's instances format."""
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes):
        for (x1, y1, x2, y2), class_id in zip(scene.xyxy.tolist(), scene.class_ids.tolist(), strict=True):
            width, height = x2 - x1, y2 - y1
            shape = {"bbox": [x1, y1, width, height], "area": width * height, "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, "category_id": class_id, **shape})
    images = [{"id": image_id} for image_id in range(len(scenes))]
    categories = [{"id": class_id, "name": name} for class_id, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_the_network_is_small_and_says_what_it_is(detector: Detector) -> None:
    assert DEMO_MODEL.stat().st_size <= 1_500_000
    assert detector.names == CLASSES
    assert detector.input_size == SIZE
    assert detector.network.head.strides == (8, 16, 32)
    assert detector.backend.metadata["license"] == "Apache-2.0"


def test_average_precision_on_200_scenes(detector: Detector) -> None:
    scenes = [draw_scene(FIRST_SEED + number) for number in range(200)]
    results: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes):
        results += detector.detect(scene.image, score_threshold=0.001, iou_threshold=0.65).to_coco(image_id)
    found = average_precision(coco_truth(scenes), results)
    print(found)
    assert found.ap >= 0.80


def test_the_golden_detections_are_those_of_this_network() -> None:
    assert sha256(DEMO_MODEL.read_bytes()).hexdigest() == GOLDEN["network"], "run tests/store_golden.py"
    assert len(GOLDEN["scenes"]) == SCENES


@pytest.mark.parametrize("mode", MODES)
def test_detections_are_those_that_the_specification_found(mode: str) -> None:
    differences = []
    with Detector("demo", **options_of(mode)) as detector:
        for seed, golden in GOLDEN["scenes"].items():
            image = draw_scene(int(seed)).image
            assert sha256(image.tobytes()).hexdigest() == golden["sha256"], f"scene {seed} is drawn differently"
            differences.append(assert_same(detector.detect(image), golden[mode], pixels=0.01, score=LEAST_GAP))
    count = sum(len(golden[mode]) for golden in GOLDEN["scenes"].values())
    assert count > 4 * SCENES
    report(f"{mode} on demo scenes, {count} detections", differences)


@pytest.mark.parametrize("seed", range(2000, 2020))
def test_detections_are_those_that_the_specification_finds(seed: int) -> None:
    image = draw_scene(seed).image
    for mode in (
        "eval_0.25_0.45",
        "eval_0.001_0.65",
        "onnx_demo_0.1_0.45",
        "onnx_demo_aware_0.1_0.45",
        "cpp_demo_0.3_0.45",
    ):
        options = options_of(mode)
        found = expected(DEMO_MODEL, image, SIZE, names=CLASSES, **options)
        assert len(found) > 0
        with Detector("demo", **options) as detector:
            assert detector.detect(image) == found


def test_views_give_what_copies_give(detector: Detector) -> None:
    image = draw_scene(5).image
    for view in (image[::-1], image[:, ::-1], image[20:-30, 10:-40], image[::2, ::2]):
        assert detector.detect(view) == detector.detect(np.ascontiguousarray(view))
