"""Every form of a YOLOX network gives the detections of the network that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from converted import prepare
from forms import AMBIGUOUS, BOX_FORMS, FORMS, LOOKALIKES, ROW_FORMS
from golden import assert_same, in_order_of
from yoloxfast import Detections, Detector, ModelError
from yoloxfast.demo import draw_scene
from yoloxfast.media.images import read_image
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forms import Form

    Image = NDArray[np.uint8]


SCENES = range(3000, 3006)
PHOTOS = ("000000000872.jpg", "000000002299.jpg", "000000002587.jpg")


def assert_same_detections(found: Detections, expected: Detections, *, pixels: float, score: float) -> None:
    rows = np.column_stack([expected.xyxy, expected.scores, expected.class_ids]).tolist()
    assert len(rows) > 0
    assert len(found) == len(rows)
    assert_same(in_order_of(found, rows, score=score), rows, pixels=pixels, score=score)


def what_it_needs(form: Form, detector: Detector) -> dict[str, Any]:
    """Return the options that a user of that form must give, as the detector of the rows has them."""
    return {option: getattr(detector, option) for option in form.needs}


def tolerance_of(form: Form, detector: Detector, image: Image) -> dict[str, float]:
    shrunk = max(side / of_input for side, of_input in zip(image.shape[:2], detector.input_size, strict=True))
    return {"pixels": form.pixels * shrunk, "score": form.score}


def check(form: Form, model: onnx.ModelProto, images: Sequence[Image], folder: Path, **options: Any) -> None:
    onnx.save(form.twin(model), folder / "twin.onnx")
    onnx.save(form.edit(model), folder / "form.onnx")
    twin = Detector(folder / "twin.onnx", **options)
    with twin, Detector(folder / "form.onnx", **options, **what_it_needs(form, twin)) as detector:
        assert detector.num_classes == twin.num_classes
        assert detector.input_size == twin.input_size
        for image, found in zip(images, detector.detect_batch(images), strict=True):
            expected, tolerance = twin.detect(image), tolerance_of(form, twin, image)
            assert_same_detections(found, expected, **tolerance)
            assert_same_detections(detector.detect(image), expected, **tolerance)


@pytest.fixture(scope="module")
def scenes() -> list[Image]:
    return [draw_scene(seed).image for seed in SCENES]


@pytest.mark.parametrize("name", FORMS)
def test_demo_network(name: str, scenes: list[Image], tmp_path: Path) -> None:
    check(FORMS[name], onnx.load(DEMO_MODEL), scenes, tmp_path)


@pytest.mark.parametrize("batch", [4, None], ids=["4", "dynamic"])
@pytest.mark.parametrize("name", [*ROW_FORMS, *BOX_FORMS])
def test_batches_of_the_demo_network(name: str, batch: int | None, scenes: list[Image], tmp_path: Path) -> None:
    check(FORMS[name], onnx.load_from_string(prepare(DEMO_MODEL, batch=batch)), scenes, tmp_path)


@pytest.mark.parametrize("name", FORMS)
def test_yolox_nano(name: str, data: Path, tmp_path: Path) -> None:
    photos = [read_image(data / "coco_val/images" / photo) for photo in PHOTOS]
    check(FORMS[name], onnx.load(data / "models/yolox_nano.onnx"), photos, tmp_path)


@pytest.mark.parametrize("name", FORMS)
def test_networks_of_one_class(name: str, data: Path, tmp_path: Path) -> None:
    photos = [read_image(data / "coco_val/images" / photo) for photo in PHOTOS]
    model = onnx.load(data / "models/fish_nano.onnx")
    check(FORMS[name], model, photos, tmp_path, score_threshold=0.1)  # the least that finished forms keep


@pytest.mark.parametrize("file", ["decoded.onnx", "three_maps.onnx"])
def test_files_of_others(file: str, data: Path) -> None:
    with Detector(data / "models/yolox_nano.onnx") as twin, Detector(data / "variants" / file) as detector:
        for photo in PHOTOS:
            image = read_image(data / "coco_val/images" / photo)
            assert_same_detections(detector.detect(image), twin.detect(image), pixels=0.02, score=1e-4)


@pytest.mark.parametrize("edit", [*AMBIGUOUS.values(), *LOOKALIKES.values()], ids=[*AMBIGUOUS, *LOOKALIKES])
def test_what_is_ambiguous_or_no_yolox_is_refused(edit: Any, tmp_path: Path) -> None:
    onnx.save(edit(onnx.load(DEMO_MODEL)), tmp_path / "model.onnx")
    with pytest.raises(ModelError):
        Detector(tmp_path / "model.onnx")
