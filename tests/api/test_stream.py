"""Streams: in order, lazy, bounded."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from leftovers import all_idle
from yoloxfast import ALL_CLASSES, Detector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Images = list[NDArray[np.uint8]]

pytestmark = pytest.mark.usefixtures("_no_thread_is_left")


@pytest.mark.parametrize("in_flight", [None, 1, 2, 3, 5, 100])
def test_a_stream_gives_what_each_frame_gives_alone(detector: Detector, images: Images, in_flight: int | None) -> None:
    alone = [detector.detect(image) for image in images]
    assert all(len(found) > 3 for found in alone)
    found = list(detector.stream(iter(images), in_flight=in_flight))
    assert found == alone
    assert all_idle(detector)


def test_a_stream_takes_the_options_of_a_call(toy_model: Path, images: Images) -> None:
    with Detector(toy_model, classes=[0]) as detector:
        options: Any = {"score_threshold": 0.5, "iou_threshold": 0.9, "classes": ALL_CLASSES}
        alone = [detector.detect(image, **options) for image in images]
        assert list(detector.stream(images, **options)) == alone
        assert alone != [detector.detect(image) for image in images]


def test_an_empty_stream_gives_nothing(detector: Detector) -> None:
    stream = detector.stream([])
    assert list(stream) == []
    with pytest.raises(StopIteration):
        next(stream)


@pytest.mark.parametrize("in_flight", [None, 1, 3])
def test_frames_are_taken_when_results_are_asked_for(detector: Detector, images: Images, in_flight: int | None) -> None:
    taken = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for image in images * 5:
            taken += 1
            yield image

    stream = detector.stream(frames(), in_flight=in_flight)
    assert taken == 0
    assert stream.in_flight == (in_flight or stream.in_flight) <= 8
    for given, _ in enumerate(stream, 1):
        assert given <= taken <= given - 1 + stream.in_flight
    assert given == taken == len(images) * 5


def test_with_one_in_flight_a_result_comes_before_the_next_frame_is_taken(detector: Detector, images: Images) -> None:
    events = []

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number, image in enumerate(images):
            events.append(("frame", number))
            yield image

    for number, _ in enumerate(detector.stream(frames(), in_flight=1)):
        events.append(("result", number))
    assert events == [(what, number) for number in range(len(images)) for what in ("frame", "result")]


def test_a_source_may_write_into_the_same_memory(detector: Detector, image: NDArray[np.uint8]) -> None:
    different = [np.roll(image, 20 * number, axis=1) for number in range(11)]

    def frames() -> Iterator[NDArray[np.uint8]]:
        frame = np.empty_like(image)
        for picture in different:
            frame[:] = picture
            yield frame
            frame[:] = 0

    assert list(detector.stream(frames())) == [detector.detect(picture) for picture in different]


def test_a_slow_source_does_not_hold_results_back(detector: Detector, images: Images) -> None:
    """While the second frame is waited for, the first is done, and comes before a third is taken."""
    taken = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for image in images:
            time.sleep(0.05)
            taken += 1
            yield image

    batch = detector.network.batches.best
    stream = detector.stream(frames(), in_flight=8)
    next(stream)
    assert taken <= batch + 2
    stream.close()


def test_results_belong_to_the_caller(detector: Detector, images: Images) -> None:
    found = list(detector.stream(images))
    before = [(each.xyxy.copy(), each.scores.copy(), each.class_ids.copy()) for each in found]
    for each in detector.stream([255 - image for image in images]):
        each.xyxy[:] = -1
    for each, (xyxy, scores, class_ids) in zip(found, before, strict=True):
        np.testing.assert_array_equal(each.xyxy, xyxy)
        np.testing.assert_array_equal(each.scores, scores)
        np.testing.assert_array_equal(each.class_ids, class_ids)


def test_streams_of_several_threads_do_not_meet(detector: Detector, images: Images) -> None:
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: list(detector.stream(images * 4)), range(4)):
            assert found == alone * 4
    assert all_idle(detector)


def test_the_model_is_opened_again_only_for_streams_of_single_threads(toy_model: Path, images: Images) -> None:
    one = Detector(toy_model, threads=1)
    assert one.network.for_streams() is one.network
    several = Detector(toy_model)
    assert several.network.backend.options_for_streams
    with ThreadPoolExecutor(4) as threads:
        streams = list(threads.map(lambda _: several.stream(images), range(4)))
    networks = {id(stream._pipeline.network) for stream in streams}  # noqa: SLF001
    assert networks == {id(several.network.for_streams())}
    assert several.network.for_streams() is not several.network
    several.close()
    assert several.network._for_streams[0].is_closed  # noqa: SLF001


def test_a_model_that_was_replaced_is_not_mixed_with_the_old_one(tmp_path: Path, images: Images) -> None:
    model = toy_network.build(tmp_path / "model.onnx")
    detector = Detector(model)
    alone = [detector.detect(image) for image in images]
    toy_network.build(model, num_classes=7)
    with pytest.warns(UserWarning, match=r"has been replaced since it was opened: make a new detector; .* run slower"):
        stream = detector.stream(images)
    assert list(stream) == alone
    assert detector.detect_batch(images) == alone  # and no second warning
    model = toy_network.build(tmp_path / "other.onnx")
    detector = Detector(model)
    model.unlink()
    with pytest.warns(UserWarning, match=r"no model file .*other\.onnx.*; streams and batches run slower"):
        assert detector.detect_batch(images) == alone


def test_a_source_may_count_as_false(toy_detector: Detector, images: Images) -> None:
    class Camera:
        def __init__(self) -> None:
            self.frames = iter(images)

        def __len__(self) -> int:
            return 0

        def __iter__(self) -> Camera:
            return self

        def __next__(self) -> NDArray[np.uint8]:
            return next(self.frames)

    class EmptyError(Exception):
        def __len__(self) -> int:
            return 0

    assert len(list(toy_detector.stream(Camera()))) == len(images)

    def frames() -> Iterator[NDArray[np.uint8]]:
        yield images[0]
        raise EmptyError

    with pytest.raises(EmptyError):
        list(toy_detector.stream(frames()))
