"""The detections of the original YOLOX code, on real photos and real outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from average_precision import AveragePrecision, average_precision
from golden import assert_same, in_order_of, options_of, report
from specification import expected
from yoloxfast import Detector, PostProcessor, reference
from yoloxfast.classes import COCO_CATEGORY_IDS, COCO_NAMES
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast import Detections
    from yoloxfast.forms import Semantics


def golden_file(data: Path, file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((data / "golden" / file).read_text())
    return content


MODES = (
    "eval_0.3_0.45",
    "eval_0.01_0.65",
    "agnostic_0.3_0.45",
    "onnx_demo_0.1_0.45",
    "onnx_demo_aware_0.1_0.45",
    "cpp_demo_0.3_0.45",
)


@pytest.mark.parametrize("mode", MODES)
def test_detections_on_coco_val_are_those_of_yolox(data: Path, mode: str) -> None:
    photos = golden_file(data, "yolox_nano_416.json")
    assert len(photos) == 100
    with Detector(data / "models/yolox_nano.onnx", **options_of(mode)) as detector:
        differences = []
        for name, golden in photos.items():
            found = detector.detect(read_image(data / "coco_val/images" / name))
            found = in_order_of(found, golden[mode], score=1e-6)
            differences.append(assert_same(found, golden[mode], pixels=0.01, score=1e-5))
    report(f"{mode} on coco_val, {sum(len(golden[mode]) for golden in photos.values())} detections", differences)


def find(raw: NDArray[Any], size: tuple[int, int], *, semantics: Semantics, **options: Any) -> Detections:
    return PostProcessor(size, semantics=semantics)(raw, **options)


@pytest.mark.parametrize("size", [416, 640])
def test_detections_from_raw_outputs_are_those_of_yolox(data: Path, size: int) -> None:
    photos = golden_file(data, f"yolox_nano_{size}.json")
    differences = []
    with np.load(data / f"golden/raw_{size}.npz") as raws:
        assert len(raws.files) > 2
        for name in raws.files:
            raw, golden = raws[name], photos[f"{name}.jpg"]
            height, width = read_image(data / f"coco_val/images/{name}.jpg").shape[:2]
            for mode in golden.keys() - {"ratio"}:
                options = {"scale": golden["ratio"], "image_size": (height, width), **options_of(mode)}
                found = find(raw, (size, size), **options)
                assert found == reference.postprocess(raw, (size, size), **options)
                found = in_order_of(found, golden[mode], score=1e-6)
                differences.append(assert_same(found, golden[mode], pixels=1e-3, score=1e-6))
    report(f"raw outputs at {size}", differences)


def test_average_precision_on_coco_val(data: Path) -> None:
    truth = json.loads((data / "coco_val/annotations.json").read_text())
    results: list[dict[str, Any]] = []
    with Detector(data / "models/yolox_nano.onnx", score_threshold=0.001, iou_threshold=0.65) as detector:
        for photo in truth["images"]:
            image = read_image(data / "coco_val/images" / photo["file_name"])
            results += detector.detect(image).to_coco(photo["id"])
    found = average_precision(truth, results)
    print(found)
    assert found == pytest.approx(AveragePrecision(ap=0.3636, ap50=0.5327, ap75=0.3891), abs=5e-4)


@pytest.mark.parametrize(
    ("model", "size", "num_classes"), [("yolox_nano_384x640", (384, 640), 80), ("fish_nano", (416, 416), 1)]
)
def test_networks_of_other_shapes_need_no_option(
    data: Path, model: str, size: tuple[int, int], num_classes: int
) -> None:
    path = data / f"models/{model}.onnx"
    with Detector(path) as detector:
        assert detector.input_size == size
        assert detector.num_classes == num_classes
        for name in ("dog.jpg", "derived_panorama_3840x200.png", "exif_landscape_6.jpg"):
            image = read_image(data / "images" / name)
            found = detector.detect(image, score_threshold=0.01)
            assert len(found) > 0
            assert found == expected(path, image, size, score_threshold=0.01)


def test_a_network_that_is_not_square_finds_what_the_square_one_finds(data: Path) -> None:
    image = read_image(data / "images/dog.jpg")
    square = Detector(data / "models/yolox_nano.onnx").detect(image)
    wide = Detector(data / "models/yolox_nano_384x640.onnx").detect(image)
    for name in ("dog", "car"):
        best, *_ = (found.xyxy for found in square if found.name == name)
        assert any(np.allclose(best, found.xyxy, rtol=0, atol=25) for found in wide if found.name == name)


def test_names_and_category_ids_are_those_of_coco(data: Path) -> None:
    annotations = json.loads((data / "coco_val/annotations.json").read_text())
    categories = {category["id"]: category["name"] for category in annotations["categories"]}
    assert dict(zip(COCO_CATEGORY_IDS, COCO_NAMES, strict=True)) == categories
