"""A detector opens its model again where it is loaded: in a spawned process, in Ray, in Dask."""

from __future__ import annotations

import copy
import pickle
import shutil
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

import yoloxfast
from yoloxfast import Detections, Detector, ModelError
from yoloxfast.demo import draw_scene

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

BACKENDS = ("onnxruntime", "openvino")


def detect_there(pickled: bytes, image: NDArray[np.uint8]) -> Detections:
    with pickle.loads(pickled) as detector:
        found: Detections = detector.detect(image)
        return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_spawned_process_finds_the_same_boxes(
    toy_model: Path, image: NDArray[np.uint8], tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(toy_model, tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    options: Any = {
        "backend": backend,
        "score_threshold": 0.3,
        "iou_threshold": 0.4,
        "classes": (name for name in ("b", "c")),
        "max_detections": 5,
        "names": {0: "a", 1: "b", 2: "c"},
        "color": "rgb",
        "threads": 1,
    }
    with Detector("model.onnx", **options) as detector:
        found = detector.detect(image)
        pickled = pickle.dumps(detector)
    monkeypatch.chdir("/")
    assert len(found) == 5
    with get_context("spawn").Pool(1) as processes:
        assert processes.apply(detect_there, (pickled, image)) == found
    assert detect_there(pickled, image) == found


def test_a_model_with_a_name_keeps_it() -> None:
    with Detector("demo") as detector:
        assert b"shapes.onnx" not in pickle.dumps(detector)
        with pickle.loads(pickle.dumps(detector)) as again, copy.copy(detector) as copied:
            scene = draw_scene(1).image
            assert again.detect(scene) == copied.detect(scene) == detector.detect(scene)
            assert again.network is not detector.network


class Counting(Detector):
    """A detector of somebody else."""


def test_a_subclass_stays_one(toy_model: Path) -> None:
    assert type(pickle.loads(pickle.dumps(Counting(toy_model)))) is Counting


def test_a_file_that_is_gone_or_replaced_is_not_opened(toy_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(toy_model, path)
    detector = Detector(path)
    pickled = pickle.dumps(detector)
    pickle.loads(pickled).close()

    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ModelError, match=r"model.onnx is not the file that the pickled detector had open: make a new"):
        pickle.loads(pickled)
    with pytest.raises(ModelError, match=r"model.onnx has been replaced since it was opened: make a new detector"):
        pickle.dumps(detector)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no model file .*model.onnx"):
        pickle.loads(pickled)
    with pytest.raises(FileNotFoundError, match=r"no model file .*model.onnx"):
        pickle.dumps(detector)


def test_a_closed_detector_is_open_again_where_it_is_loaded(toy_model: Path, image: NDArray[np.uint8]) -> None:
    detector = Detector(toy_model)
    found = detector.detect(image)
    detector.close()
    assert pickle.loads(pickle.dumps(detector)).detect(image) == found


@pytest.mark.usefixtures("world")
def test_an_engine_is_opened_again(engine: Path, image: NDArray[np.uint8]) -> None:
    with Detector(engine) as detector, pickle.loads(pickle.dumps(detector)) as again:
        assert again.backend.name == "tensorrt"
        assert again.detect(image) == detector.detect(image)


def test_all_classes_can_be_asked_for_again(toy_model: Path, image: NDArray[np.uint8]) -> None:
    with Detector(toy_model, classes=[1]) as detector, Detector(toy_model) as unrestricted:
        assert {found.class_id for found in detector.detect(image)} == {1}
        assert detector.detect(image, classes=yoloxfast.ALL_CLASSES) == unrestricted.detect(image)
        assert {found.class_id for found in detector.detect(image)} == {1}
    with Detector(toy_model, classes=yoloxfast.ALL_CLASSES) as detector:
        assert detector.detect(image) == unrestricted_of(toy_model, image)
        again = pickle.loads(pickle.dumps(detector))
        assert again.detect(image) == detector.detect(image)


def unrestricted_of(model: Path, image: NDArray[np.uint8]) -> Detections:
    with Detector(model) as detector:
        return detector.detect(image)
