from __future__ import annotations

import gc
import re
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest

import toy_network
from specification import expected
from yoloxfast import Detections, Detector, EngineError, MissingDependencyError
from yoloxfast.backends.onnxruntime import OnnxRuntimeBackend
from yoloxfast.errors import how_to_install

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def test_a_detector_finds_what_the_reference_finds(
    toy_detector: Detector, toy_model: Path, image: NDArray[np.uint8]
) -> None:
    found = toy_detector.detect(image)
    assert len(found) > 5
    options: Any = {"score_threshold": 0.25, "iou_threshold": 0.45}
    assert found == expected(toy_model, image, toy_network.SIZE, **options)


def test_a_detector_reads_the_model(toy_detector: Detector) -> None:
    assert toy_detector.input_size == (64, 96)
    assert toy_detector.num_classes == 3
    assert toy_detector.names == ("class 0", "class 1", "class 2")
    assert toy_detector.backend.name == "onnxruntime"
    assert repr(toy_detector) == "<Detector of 3 classes at 64x96, onnxruntime>"
    assert toy_detector.network.describe()["input"] == "image (1, 3, 64, 96) float32"


@pytest.mark.parametrize(
    "variant",
    [
        {"size": (96, 64)},
        {"num_classes": 1},
        {"num_classes": 80},
        {"dtype": np.float16},
        {"input_dtype": np.uint8},
        {"input_dtype": np.uint8, "channels_last": True},
        {"dtype": np.float16, "channels_last": True},
        {"channels_last": True, "batch": 4},
        {"batch": "batch"},
        {"batch": 4},
        {"size": (128, 192), "strides": (8, 16, 32, 64)},
    ],
    ids=str,
)
def test_a_detector_takes_models_as_they_come(tmp_path: Path, variant: Any, image: NDArray[np.uint8]) -> None:
    model = toy_network.build(tmp_path / "model.onnx", **variant)
    with Detector(model, score_threshold=0.1) as detector:
        size = variant.get("size", toy_network.SIZE)
        assert detector.input_size == size
        assert detector.num_classes == variant.get("num_classes", toy_network.NUM_CLASSES)
        found = detector.detect(image)
        assert len(found) > 0
        assert found == expected(model, image, size, score_threshold=0.1)


@pytest.mark.parametrize("options", [{"color": "rgb"}, {"legacy": True}, {"color": "rgb", "legacy": True}], ids=str)
def test_a_detector_takes_rgb_images_and_legacy_models(
    toy_model: Path, image: NDArray[np.uint8], options: dict[str, Any]
) -> None:
    found = Detector(toy_model, **options).detect(image)
    assert len(found) > 0
    assert found == expected(toy_model, image, toy_network.SIZE, **options)
    assert found != Detector(toy_model).detect(image)


def test_a_legacy_model_takes_no_bytes(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", input_dtype=np.uint8)
    with pytest.raises(ValueError, match="cannot hold legacy values"):
        Detector(model, legacy=True)


def test_nothing_is_left_of_the_image_before(toy_detector: Detector, toy_model: Path, image: NDArray[np.uint8]) -> None:
    for shape in [(64, 96), (90, 20), (20, 90), (20, 90), (64, 96), (1, 1)]:
        part = image[: shape[0], : shape[1]]
        assert toy_detector.detect(part) == expected(toy_model, part, toy_network.SIZE)


def test_options_of_the_detector_and_of_one_call(toy_model: Path, image: NDArray[np.uint8]) -> None:
    options: Any = {"score_threshold": 0.4, "iou_threshold": 0.2, "class_agnostic": True, "max_detections": 7}
    with Detector(toy_model, classes=[0, 2], **options) as detector:
        found = detector.detect(image)
        assert found == expected(toy_model, image, toy_network.SIZE, classes=[0, 2], **options)
        assert len(found) == 7
        other = detector.detect(image, score_threshold=0.5, iou_threshold=0.9, classes=["class 1"])
        options |= {"score_threshold": 0.5, "iou_threshold": 0.9}
        assert other == expected(toy_model, image, toy_network.SIZE, classes=[1], **options)
        assert detector.detect(image) == found
        zero = detector.detect(image, score_threshold=0, iou_threshold=0)
        options |= {"score_threshold": 0, "iou_threshold": 0}
        assert zero == expected(toy_model, image, toy_network.SIZE, classes=[0, 2], **options)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (2000, 1, 3), (3, 5, 3)])
def test_images_of_extreme_shapes(toy_detector: Detector, toy_model: Path, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert toy_detector.detect(image) == expected(toy_model, image, toy_network.SIZE)


def test_results_outlive_the_next_call(toy_detector: Detector, image: NDArray[np.uint8]) -> None:
    first = toy_detector.detect(image)
    before = (first.xyxy.copy(), first.scores.copy(), first.class_ids.copy())
    toy_detector.detect(255 - image)
    assert first == Detections(*before, first.names)


def test_a_smaller_image_leaves_nothing_of_a_larger_one(toy_detector: Detector, image: NDArray[np.uint8]) -> None:
    wide, tall = image[:40], image[:, :20]
    alone = toy_detector.detect(tall)
    toy_detector.detect(wide)
    assert toy_detector.detect(tall) == alone


def test_threads_share_a_detector(toy_detector: Detector, image: NDArray[np.uint8]) -> None:
    images = [np.roll(image, shift, axis=1) for shift in range(0, 160, 10)]
    alone = [toy_detector.detect(image) for image in images]
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for round_ in range(20):
            index = (number + round_) % len(images)
            assert toy_detector.detect(images[index]) == alone[index]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, number) for number in range(8)]:
            done.result()


def test_a_closed_detector_says_so(toy_model: Path, image: NDArray[np.uint8]) -> None:
    with Detector(toy_model) as detector:
        detector.warmup(2)
        with pytest.raises(ValueError, match="n is 0"):
            detector.warmup(0)
        assert len(detector.detect(image)) > 0
    detector.close()
    with pytest.raises(EngineError, match="closed"):
        detector.detect(image)
    with pytest.raises(EngineError, match="closed"):
        detector.warmup()


def test_a_call_under_way_survives_close(toy_model: Path, image: NDArray[np.uint8]) -> None:
    detector = Detector(toy_model)
    alone = detector.detect(image)
    with detector.network.lend() as context:
        detector.close()
        context.letterboxes[0](image)
        raw = context.run().copy()
    with Detector(toy_model) as other:
        assert other.detect(image) == alone
        with other.network.lend() as context:
            context.letterboxes[0](image)
            np.testing.assert_array_equal(context.run(), raw)


def test_contexts_are_reused_and_let_go(toy_model: Path, image: NDArray[np.uint8]) -> None:
    with Detector(toy_model) as detector:
        with detector.network.lend() as first, detector.network.lend() as second:
            assert first is not second
        buffers = {id(first), id(second)}
        for _ in range(3):
            detector.detect(image)
            with detector.network.lend() as again:
                assert id(again) in buffers
        watched = weakref.ref(first)
    del first, second, again
    gc.collect()
    assert watched() is None


def test_threads_and_warmup_reach_the_runtime(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    runs: list[NDArray[Any]] = []
    session_type = ort.InferenceSession

    def session(path: Path, options: Any, **rest: Any) -> Any:
        made.append(options.intra_op_num_threads)
        return session_type(path, options, **rest)

    monkeypatch.setattr(ort, "InferenceSession", session)
    detector = Detector(toy_model, threads=2)
    Detector(toy_model)
    assert made == [2, 0]
    with detector.network.lend() as context:
        run = context.run

        def counted_run() -> NDArray[Any]:
            runs.append(run().copy())
            return runs[-1]

        monkeypatch.setattr(context, "run", counted_run)
    detector.warmup(3)
    assert len(runs) == 3


def test_a_bad_option_lets_go_of_the_model(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    monkeypatch.setattr(OnnxRuntimeBackend, "close", lambda backend: closed.append(backend))  # noqa: PLW0108
    with pytest.raises(ValueError, match="unknown class id 9"):
        Detector(toy_model, classes=[9])
    assert len(closed) == 1


def test_a_bad_image_harms_no_later_one(toy_detector: Detector, image: NDArray[np.uint8]) -> None:
    alone = toy_detector.detect(image)
    bad_images: list[Any] = [None, "photo.jpg", image[..., :2], image.astype(np.float32), image[:0]]
    for bad in bad_images:
        with pytest.raises((TypeError, ValueError, FileNotFoundError)):
            toy_detector.detect(bad)
    with pytest.raises(ValueError, match="score_threshold"):
        toy_detector.detect(image, score_threshold=7)
    assert toy_detector.detect(image) == alone


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"score_threshold": 2}, ValueError, "score_threshold is 2"),
        ({"iou_threshold": float("nan")}, ValueError, "iou_threshold is NaN"),
        ({"max_detections": 0}, ValueError, "max_detections is 0"),
        ({"classes": ["cat"]}, ValueError, "unknown class 'cat', perhaps you meant 'class 0'"),
        ({"classes": [3]}, ValueError, "unknown class id 3"),
        ({"names": ["a"]}, ValueError, "the number of names must be 3, one for each class, got 1"),
        ({"threads": 0}, ValueError, "threads is 0, expected 1 to 1024"),
        ({"threads": 1.5}, TypeError, "threads must be a whole number, got 1.5"),
        ({"color": "RGB"}, ValueError, "color is 'RGB', expected 'bgr' or 'rgb'"),
        ({"device": 1}, ValueError, "device is 1"),
        ({"backend": "ncnn"}, ValueError, "unknown backend 'ncnn', expected 'onnxruntime', 'openvino', 'tensorrt'"),
    ],
)
def test_bad_options_are_refused_at_once(toy_model: Path, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Detector(toy_model, **options)


def test_the_runtime_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, toy_model: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "yoloxfast.backends.onnxruntime", raising=False)
    with pytest.raises(MissingDependencyError, match=re.escape(how_to_install("cpu"))):
        Detector(toy_model)


def test_a_failing_run_is_an_engine_error(toy_detector: Detector) -> None:
    class Broken:
        def run_with_iobinding(self, _: object) -> None:
            raise RuntimeError("out of memory")

    with toy_detector.network.lend() as context:
        context._session = Broken()  # type: ignore[attr-defined]  # noqa: SLF001
        with pytest.raises(EngineError, match="could not run the model: out of memory"):
            context.run()
