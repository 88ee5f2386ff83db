"""OpenVINO: the same detections, its own files, its own options."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from golden import assert_same, in_order_of, options_of, report
from specification import expected
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.cli import main
from yoloxfast.demo import CLASSES, draw_scene
from yoloxfast.media.images import read_image
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast import Detections

ov = pytest.importorskip("openvino", reason="openvino is not installed")


def assert_close(found: Detections, wanted: Detections) -> None:
    assert len(wanted) > 0
    np.testing.assert_array_equal(found.class_ids, wanted.class_ids)
    np.testing.assert_allclose(found.xyxy, wanted.xyxy, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["eval_0.3_0.45", "eval_0.01_0.65"])
def test_detections_on_coco_val_are_those_of_yolox(data: Path, mode: str) -> None:
    photos = json.loads((data / "golden/yolox_nano_416.json").read_text())
    assert len(photos) == 100
    with Detector(data / "models/yolox_nano.onnx", backend="openvino", **options_of(mode)) as detector:
        found = [detector.detect(read_image(data / "coco_val/images" / name)) for name in photos]
    differences = [
        assert_same(in_order_of(detections, golden[mode], score=1e-5), golden[mode], pixels=0.01, score=1e-5)
        for detections, golden in zip(found, photos.values(), strict=True)
    ]
    report(f"OpenVINO, {mode} on coco_val", differences)


@pytest.mark.parametrize(
    "variant",
    [
        {"dtype": np.float16},
        {"input_dtype": np.uint8},
        {"input_dtype": np.uint8, "channels_last": True},
        {"batch": "batch"},
        {"batch": 4},
        {"num_classes": 80},
    ],
    ids=str,
)
def test_models_are_taken_as_they_come(tmp_path: Path, variant: Any, image: NDArray[np.uint8]) -> None:
    model = toy_network.build(tmp_path / "model.onnx", **variant)
    with Detector(model, backend="openvino", score_threshold=0.1) as detector:
        wanted = expected(model, image, toy_network.SIZE, score_threshold=0.1)
        found = detector.detect(image)
        if variant.get("dtype") is np.float16:
            assert len(found) > 0
        else:
            assert_close(found, wanted)


def test_its_own_files_keep_names_and_boxes(tmp_path: Path) -> None:
    path = tmp_path / "shapes.xml"
    ov.save_model(ov.Core().read_model(DEMO_MODEL), path, compress_to_fp16=False)
    image = draw_scene(3).image
    with Detector(path) as detector:
        assert detector.backend.name == "openvino"
        assert detector.names == CLASSES
        assert detector.backend.metadata["license"] == "Apache-2.0"
        assert_close(detector.detect(image), Detector("demo").detect(image))
    path.with_suffix(".bin").unlink()
    with pytest.raises((ModelError, EngineError), match=r"shapes\.xml"):
        Detector(path)


def test_info_names_the_device_and_the_precision(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "demo", "--backend", "openvino"]) == 0
    lines = capsys.readouterr().out
    assert "OpenVINO 20" in lines
    assert "(CPU), f32" in lines
    with Detector("demo", backend="openvino", threads=1) as detector:
        assert detector.backend.device["devices"] == "CPU"


def test_another_precision_is_used_only_if_it_is_asked_for() -> None:
    with Detector("demo", backend="openvino") as detector:
        assert detector.backend.device["precision"] == "f32"
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with Detector("demo", backend="openvino", precision="bf16") as detector:
            assert detector.backend.device["precision"] == "bf16"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "int8"}, ValueError, "precision is 'int8', expected 'fp32', 'fp16', 'bf16' for OpenVINO"),
        ({"device": 1}, ValueError, "device is 1, but OpenVINO's devices have names, such as 'CPU', 'GPU'"),
        ({"device": 1.5}, ValueError, "device is 1.5, but OpenVINO's devices have names"),
        ({"device": "TOASTER"}, EngineError, r"OpenVINO cannot compile .*shapes\.onnx for TOASTER, of CPU"),
        ({"threads": 0}, ValueError, "threads is 0, expected 1 to 1024"),
        ({"threads": "two"}, TypeError, "threads must be a whole number, got 'two'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Detector("demo", backend="openvino", **options)


CLOSING = """
import gc, os, signal, time
import yoloxfast
first = yoloxfast.Detector("demo", backend="openvino")
second = yoloxfast.Detector("demo", backend="openvino")
for detector in (first, second):
    detector.close()
del first, second, detector
gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_works_after_detectors_were_closed_in_any_order() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSING], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_a_failing_run_is_an_engine_error(toy_model: Path) -> None:
    class Broken:
        def infer(self) -> None:
            raise RuntimeError("Exception from src/inference.cpp:1:\nout of memory\n")

    with Detector(toy_model, backend="openvino") as detector, detector.network.lend() as context:
        context._request = Broken()  # type: ignore[attr-defined]  # noqa: SLF001
        with pytest.raises(EngineError, match="OpenVINO could not run the model: out of memory"):
            context.run()
