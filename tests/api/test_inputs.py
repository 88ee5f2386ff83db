"""Networks whose input is another than YOLOX's: the same network behind it finds the same."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from fronted import FRONTS, put_in_front
from specification import expected
from yoloxfast import Detections, Detector, ModelError, reference
from yoloxfast.demo import draw_scene
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIZE = (256, 256)
DTYPES = (np.float32, np.float16, np.uint8)


@pytest.fixture(scope="module")
def scene() -> NDArray[np.uint8]:
    image = draw_scene(4).image
    assert image.shape[0] > SIZE[0]
    assert image.shape[1] > SIZE[1]
    return image


@pytest.fixture(scope="module")
def plain(scene: NDArray[np.uint8]) -> Detections:
    with Detector("demo") as detector:
        found = detector.detect(scene)
    assert len(found) > 5
    return found


def assert_about_equal(found: Detections, wanted: Detections) -> None:
    np.testing.assert_array_equal(found.class_ids, wanted.class_ids)
    np.testing.assert_allclose(found.xyxy, wanted.xyxy, atol=0.01)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("front", ["pixels", "patches"])
def test_pixels_and_patches(
    tmp_path: Path, scene: NDArray[np.uint8], plain: Detections, front: str, dtype: type[np.generic]
) -> None:
    model = put_in_front(front, DEMO_MODEL, tmp_path / "model.onnx", dtype)
    with Detector(model, names=plain.names) as detector:
        assert detector.input_size == SIZE
        assert detector.detect(scene) == plain
        for small in (scene[:40, :31], scene):
            assert detector.detect(small) == expected(model, small, SIZE, names=plain.names)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("front", ["grey plane", "grey pixels"])
def test_grey_networks_see_the_image_made_grey_and_then_resized(
    tmp_path: Path, scene: NDArray[np.uint8], plain: Detections, front: str, dtype: type[np.generic]
) -> None:
    model = put_in_front(front, DEMO_MODEL, tmp_path / "model.onnx", dtype)
    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    with Detector("demo") as of_colours, Detector(model, names=plain.names) as detector:
        found = detector.detect(scene)
        assert len(found) > 0
        assert found == of_colours.detect(grey) == detector.detect(grey)
    with Detector(model, names=plain.names, color="rgb") as detector:
        assert detector.detect(scene[..., ::-1]) == found


def test_values_from_0_to_1(tmp_path: Path, scene: NDArray[np.uint8], plain: Detections) -> None:
    model = put_in_front("0 to 1", DEMO_MODEL, tmp_path / "model.onnx")
    with Detector(model, names=plain.names, scale=1 / 255) as detector:
        assert_about_equal(detector.detect(scene), plain)
        assert detector.detect(scene) == expected(model, scene, SIZE, names=plain.names, scale=1 / 255)
        [again, _] = detector.detect_batch([scene, scene])
        assert again == detector.detect(scene)


def test_normalised_values_are_in_the_order_of_the_network(
    tmp_path: Path, scene: NDArray[np.uint8], plain: Detections
) -> None:
    model = put_in_front("normalised RGB", DEMO_MODEL, tmp_path / "model.onnx")
    options: Any = {"mean": (120, 110, 100), "std": (60, 70, 80), "input_color": "rgb"}
    with Detector(model, names=plain.names, **options) as detector:
        found = detector.detect(scene)
        assert_about_equal(found, plain)
        assert found == expected(model, scene, SIZE, names=plain.names, **options)
        again = pickle.loads(pickle.dumps(detector))
        assert again.detect(scene) == found
    with Detector(model, names=plain.names, color="rgb", **options) as detector:
        assert detector.detect(scene[..., ::-1]) == found


def test_the_semantics_of_yolox_in_cpp_resize_as_that_does(scene: NDArray[np.uint8]) -> None:
    image = scene[:282, :211]
    with Detector("demo") as detector, Detector("demo", semantics="cpp-demo") as in_cpp:
        names, found = detector.names, in_cpp.detect(image)
    exact, _ = reference.letterbox(image, SIZE)
    single, _ = reference.letterbox(image, SIZE, single_precision=True)
    assert not np.array_equal(exact, single)
    assert found == expected(DEMO_MODEL, image, SIZE, names=names, semantics="cpp-demo")


@pytest.mark.parametrize(
    ("front", "options", "message"),
    [
        ("0 to 1", {"legacy": True, "scale": 2}, "legacy sets mean, std, scale and input_color itself"),
        ("0 to 1", {"std": 0}, "std is 0, expected finite numbers above 0"),
        ("0 to 1", {"input_color": "RGB"}, "input_color is 'RGB', expected 'bgr' or 'rgb'"),
        ("grey plane", {"legacy": True}, "legacy is for networks of three channels, this one takes grey images"),
        ("grey pixels", {"mean": (1, 2, 3)}, "mean is .*, expected one number"),
    ],
)
def test_options_that_do_not_fit_are_refused_at_once(tmp_path: Path, front: str, options: Any, message: str) -> None:
    model = put_in_front(front, DEMO_MODEL, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=message):
        Detector(model, **options)


def test_bytes_cannot_be_normalised(tmp_path: Path) -> None:
    model = put_in_front("pixels", DEMO_MODEL, tmp_path / "model.onnx", np.uint8)
    with pytest.raises(ValueError, match="uint8 cannot hold values of mean, std and scale"):
        Detector(model, scale=1 / 255)


def test_other_channels_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FRONTS, "five", ((1, 5, *SIZE), [("Slice", {}, [np.array([0]), np.array([3]), np.array([1])])]))
    model = put_in_front("five", DEMO_MODEL, tmp_path / "model.onnx")
    with pytest.raises(
        ModelError, match=r"found other \(1, 5, 256, 256\) float32; expected one input \(batch, 3, .*12"
    ):
        Detector(model)
