"""Any number of images at once, in the network's own batches."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from converted import prepare
from golden import assert_same, options_of
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Images = list[NDArray[np.uint8]]

BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name)
    return name


@pytest.mark.parametrize("threads", [None, 1])
@pytest.mark.parametrize("batch", [1, 4, "batch"])
def test_a_batch_gives_what_each_image_gives_alone(
    tmp_path: Path, backend: str, images: Images, batch: int | str, threads: int | None
) -> None:
    model = toy_network.build(tmp_path / "model.onnx", batch=batch)
    before = threading.active_count()
    with Detector(model, backend=backend, threads=threads) as detector:
        alone = [detector.detect(image) for image in images]
        for count in (0, 1, 3, 4, 5, 8, 11, 1):
            assert detector.detect_batch(images[:count]) == alone[:count]
        assert detector.detect_batch(iter(images)) == alone
        assert detector.detect_batch(np.stack([images[0], images[0]])) == alone[:1] * 2
        assert set(detector.network._idle) == detector.network._live  # noqa: SLF001
    if backend == "onnxruntime":
        assert threading.active_count() == before


def test_sizes_change_from_batch_to_batch(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    """The border of each place fits the image that is there."""
    shapes = [(64, 96), (90, 20), (20, 90), (20, 90), (64, 96), (1, 1), (90, 20), (64, 96), (20, 90)]
    images = [image[:height, :width] for height, width in shapes]
    with Detector(toy_network.build(tmp_path / "model.onnx", batch=3), score_threshold=0.1) as detector:
        alone = [Detector(detector.network.path, score_threshold=0.1).detect(image) for image in images]
        for shift in range(9):
            order = [(shift * 4 + number) % 9 for number in range(9)]
            assert detector.detect_batch([images[number] for number in order]) == [alone[number] for number in order]
            assert detector.detect(images[shift]) == alone[shift]


def test_a_batch_takes_the_options_of_a_call(toy_detector: Detector, images: Images) -> None:
    options: Any = {"score_threshold": 0.5, "iou_threshold": 0.9, "classes": [1]}
    alone = [toy_detector.detect(image, **options) for image in images]
    assert toy_detector.detect_batch(images, **options) == alone


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), ValueError, r"images is one image, \(4, 4, 3\), expected several: pass \[im"),
        (np.zeros((4, 4), np.uint8), ValueError, r"images is one image, \(4, 4\), expected several: pass \[image\]"),
        (None, TypeError, "images must be several images, got NoneType"),
        ("photo.jpg", TypeError, "images must be several images, got str"),
        ([None], TypeError, "image 0 is None: cv2.imread returns None for a file that it cannot read"),
        ([np.zeros((4, 4, 1), np.uint8)], ValueError, r"image 0 must be \(height, width, 3\), got one channel"),
        (["missing.jpg"], FileNotFoundError, "image 0 cannot be read: No such file or directory: 'missing.jpg'"),
    ],
    ids=["array", "grey", "None", "str", "None in the list", "channel in the list", "no file in the list"],
)
def test_what_are_no_images_is_refused(
    toy_detector: Detector, images: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        toy_detector.detect_batch(images)


@pytest.mark.parametrize("place", [0, 5, 10])
def test_no_image_runs_if_one_of_them_is_none(
    toy_detector: Detector, images: Images, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_detector.network, "acquire", lambda _: pytest.fail("the network ran"))
    damaged: Any = [*images[:place], images[0][..., :2], *images[place + 1 :]]
    with pytest.raises(ValueError, match=f"image {place} must be .*height, width, 3"):
        toy_detector.detect_batch(damaged)


def test_errors_say_at_which_images(tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(toy_network.build(tmp_path / "model.onnx", batch=4))
    run_batch = detector._post.run_batch  # noqa: SLF001

    def fail_at_two(raw: NDArray[Any], *arguments: Any, **options: Any) -> Any:
        if len(raw) == 3:
            raise ModelError("anchor 5 has a score of 2")
        return run_batch(raw, *arguments, **options)

    monkeypatch.setattr(detector._post, "run_batch", fail_at_two)  # noqa: SLF001
    with pytest.raises(ModelError, match=r"^images 8 to 10: anchor 5 has a score of 2$"):
        detector.detect_batch(images)
    assert set(detector.network._idle) == detector.network._live  # noqa: SLF001
    detector.close()
    with pytest.raises(EngineError, match=r"^the detector is closed$"):
        detector.detect_batch(images)
    assert detector.detect_batch([]) == []


def test_threads_may_share_a_detector(tmp_path: Path, backend: str, images: Images) -> None:
    with Detector(toy_network.build(tmp_path / "model.onnx", batch="batch"), backend=backend) as detector:
        alone = [detector.detect(image) for image in images]
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(lambda _: detector.detect_batch(images * 3), range(8)):
                assert found == alone * 3


@pytest.mark.parametrize("batch", [4, None])
def test_batches_and_streams_of_photos_find_what_each_finds_alone(
    data: Path, tmp_path: Path, backend: str, batch: int | None
) -> None:
    """Of YOLOX-Nano: 37 photos, boxes by at most 0.01 pixels and scores by 1e-4."""
    onnx_file = tmp_path / "nano.onnx"
    onnx_file.write_bytes(prepare(data / "models/yolox_nano.onnx", batch=batch))
    photos = [read_image(path) for path in sorted((data / "coco_val/images").iterdir())[:37]]
    options = options_of("eval_0.01_0.65")
    with Detector(data / "models/yolox_nano.onnx", backend=backend, **options) as detector:
        alone = [detector.detect(photo) for photo in photos]
    with Detector(onnx_file, backend=backend, **options) as detector:
        for found in (detector.detect_batch(photos), list(detector.stream(photos))):
            assert len(found) == 37
            differences = [
                assert_same(each, np.c_[one.xyxy, one.scores, one.class_ids].tolist(), pixels=0.01, score=1e-4)
                for each, one in zip(found, alone, strict=True)
            ]
            print(f"{backend}, batch {batch}: at most {np.max(differences, axis=0)}")
