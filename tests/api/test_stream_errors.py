"""Errors of a stream come when their turn comes, with the number of the frame."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from leftovers import all_idle
from yoloxfast import Detections, Detector, EngineError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Images = list[NDArray[np.uint8]]

pytestmark = pytest.mark.usefixtures("_no_thread_is_left")


@pytest.mark.parametrize("place", [0, 1, 6, 10])
@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (None, TypeError, "frame {} is None: cv2.imread returns None for a file that it cannot read"),
        (np.zeros((4, 4, 3)), TypeError, "frame {} must be uint8 with values 0..255, got float64"),
        (np.zeros((4, 4, 1), np.uint8), ValueError, r"frame {} must be \(height, width, 3\), got one channel"),
        ("missing.jpg", FileNotFoundError, "frame {} cannot be read: No such file or directory: 'missing.jpg'"),
        (__file__, ValueError, "frame {} is '.*py': not an image that OpenCV can read"),
        (5, TypeError, "frame {} must be a path, a PIL image or a NumPy array, got int"),
    ],
    ids=["None", "float64", "one channel", "no file", "text", "int"],
)
def test_a_frame_that_is_no_image_is_named_after_the_results_before_it(
    detector: Detector, images: Images, place: int, frame: Any, error: type[Exception], message: str
) -> None:
    frames: list[Any] = list(images)
    frames[place] = frame
    stream, found = detector.stream(frames), list[Detections]()
    with pytest.raises(error, match=message.format(place)):
        found.extend(stream)
    assert found == [detector.detect(image) for image in images[:place]]
    with pytest.raises(StopIteration):
        next(stream)
    assert all_idle(detector)


@pytest.mark.parametrize("place", [0, 1, 6, 11])
def test_what_a_source_raises_comes_after_the_results_before_it(detector: Detector, images: Images, place: int) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield from images[:place]
        raise ConnectionResetError("the camera is gone")

    stream, found = detector.stream(frames()), list[Detections]()
    with pytest.raises(ConnectionResetError, match=r"^the camera is gone$"):
        found.extend(stream)
    assert found == [detector.detect(image) for image in images[:place]]
    assert all_idle(detector)


def test_an_impossible_score_is_named_with_its_frame(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Detector(toy_network.build(tmp_path / "model.onnx", batch=4)) as detector:
        alone = [detector.detect(image) for image in images]
        calls = itertools.count()
        run = detector._post.run  # noqa: SLF001

        def run_until_the_seventh(*arguments: Any, **size: Any) -> Detections:
            if next(calls) == 6:
                raise ModelError("anchor 5 has a score of 2")
            return run(*arguments, **size)

        monkeypatch.setattr(detector._post, "run", run_until_the_seventh)  # noqa: SLF001
        stream, found = detector.stream(images), list[Detections]()
        with pytest.raises(ModelError, match=r"^frame 6: anchor 5 has a score of 2$"):
            found.extend(stream)
        assert found == alone[:6]
        assert all_idle(detector)


def test_a_runtime_that_fails_is_named_with_its_frames(
    toy_model: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector(toy_model, threads=1)
    alone = [detector.detect(image) for image in images]
    runs = 0

    def call(context: Any, original: Any = None) -> None:
        nonlocal runs
        runs += 1
        if runs == 6:
            raise EngineError("the runtime broke")
        original(context)

    kind: Any = type(detector.network._idle[0])  # noqa: SLF001
    original = kind._call  # noqa: SLF001
    monkeypatch.setattr(kind, "_call", lambda context: call(context, original))
    found = list[Detections]()
    with pytest.raises(EngineError, match=r"^frame 5: the runtime broke$"):
        found.extend(detector.stream(images))
    assert found == alone[:5]
    assert list(detector.stream(images)) == alone
    detector.close()


def test_a_detector_closed_under_a_stream_ends_it(detector: Detector, images: Images) -> None:
    alone = [detector.detect(image) for image in images]
    stream = detector.stream(images * 3)
    found = [next(stream) for _ in range(3)]
    detector.close()
    with pytest.raises(EngineError, match=r"^frame \d+: the detector is closed$") as caught:
        found.extend(stream)
    assert found == (alone * 3)[: len(found)]
    assert str(caught.value) == f"frame {len(found)}: the detector is closed"
    assert detector.network._live == set()  # noqa: SLF001
    with pytest.raises(EngineError, match="the detector is closed"):
        detector.stream(images)


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), ValueError, r"frames is one image, \(4, 4, 3\), expected several: pass \[imag"),
        (None, TypeError, "frames must be several images, got NoneType"),
        ("video.mp4", TypeError, "frames must be several images, got str"),
        (5, TypeError, "frames must be several images, got int"),
    ],
    ids=["array", "None", "str", "int"],
)
def test_what_is_no_source_is_refused_at_once(
    toy_detector: Detector, frames: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        toy_detector.stream(frames)


def test_options_of_a_stream_are_checked_at_once(toy_detector: Detector) -> None:
    with pytest.raises(ValueError, match="in_flight is 0, expected at least 1 frame, or None"):
        toy_detector.stream([], in_flight=0)
    with pytest.raises(TypeError, match=r"in_flight must be a whole number, got 2\.5"):
        toy_detector.stream([], in_flight=2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="score_threshold is 2"):
        toy_detector.stream([], score_threshold=2)
    with pytest.raises(ValueError, match="unknown class 'cat'"):
        toy_detector.stream([], classes="cat")


def test_a_source_may_close_or_misuse_its_own_stream(toy_detector: Detector, images: Images) -> None:
    def closing() -> Iterator[NDArray[np.uint8]]:
        yield from images[:3]
        stream.close()
        yield images[3]

    stream = toy_detector.stream(closing())
    assert len(list(stream)) <= 3

    def reading() -> Iterator[NDArray[np.uint8]]:
        yield from images[:3]
        next(stream)

    stream = toy_detector.stream(reading())
    found = list[Detections]()
    with pytest.raises(RuntimeError, match="this stream is being read already, by another thread or by its own source"):
        found.extend(stream)
    assert len(found) == 3
    assert all_idle(toy_detector)


def test_a_run_that_cannot_be_started_is_named_with_its_frames(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Detector(toy_network.build(tmp_path / "model.onnx", batch=4), threads=1) as detector:
        alone = [detector.detect(image) for image in images]
        submissions = itertools.count()
        context: Any = type(detector.network._idle[0])  # noqa: SLF001
        start = context._start  # noqa: SLF001

        def start_once(self: Any) -> None:
            if next(submissions) == 1:
                raise EngineError("no thread can be started to run the model")
            start(self)

        monkeypatch.setattr(context, "_start", start_once)
        found = list[Detections]()
        with pytest.raises(EngineError, match=r"^frames 4 to 7: no thread can be started"):
            found.extend(detector.stream(images))
        assert found == alone[:4]
        assert all_idle(detector)
        assert list(detector.stream(images)) == alone


def test_what_was_given_out_before_an_error_is_counted(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Detector(toy_network.build(tmp_path / "model.onnx", batch=4)) as detector:
        calls, run = itertools.count(), detector._post.run  # noqa: SLF001

        def fail_at_the_third(*arguments: Any, **size: Any) -> Detections:
            if next(calls) == 2:
                raise ModelError("anchor 5 has a score of 2")
            return run(*arguments, **size)

        monkeypatch.setattr(detector._post, "run", fail_at_the_third)  # noqa: SLF001
        with pytest.raises(ModelError, match="frame 2"):
            list(detector.stream(images))
        assert detector.statistics.count == 2
