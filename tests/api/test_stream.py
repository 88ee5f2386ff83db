"""Streams: in order, lazy, bounded; errors when their turn comes; nothing left behind."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from thread_counts import assert_threads_end, running_threads
from yoloxfast import ALL_CLASSES, Detections, Detector, EngineError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Images = list[NDArray[np.uint8]]

BACKENDS = ("onnxruntime", "openvino")
BATCHES: tuple[Any, ...] = (1, 4, "batch")


@pytest.fixture
def images(image: NDArray[np.uint8]) -> Images:
    """Eleven different images of different sizes."""
    return [np.roll(image, 20 * number, axis=1)[: 120 - 3 * number, : 180 - 5 * number] for number in range(11)]


@pytest.fixture(params=[(backend, batch) for backend in BACKENDS for batch in BATCHES], ids=str)
def detector(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Detector]:
    backend, batch = request.param
    pytest.importorskip(backend)
    model = toy_network.build(tmp_path / "model.onnx", batch=batch)
    with Detector(model, backend=backend, score_threshold=0.3) as detector:
        yield detector


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    with suppress(ImportError):
        import_module("openvino")  # which has a thread of its own
    before = running_threads()
    yield
    assert_threads_end(before)


def all_idle(detector: Detector) -> bool:
    network = detector.network.for_streams()
    return set(network._idle) == network._live  # noqa: SLF001


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


@pytest.mark.parametrize("place", [0, 1, 6, 10])
@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (None, TypeError, "frame {} is None: cv2.imread returns None for a file that it cannot read"),
        (np.zeros((4, 4, 3)), TypeError, "frame {} must be uint8 with values 0..255, got float64"),
        (np.zeros((4, 4), np.uint8), ValueError, r"frame {} must be \(height, width, 3\), got grey \(4, 4\)"),
        (np.zeros((4, 4, 3), np.uint8)[..., ::-1], ValueError, "frame {} is a view that reverses its channels"),
        ("frame.jpg", TypeError, "frame {} must be a NumPy array, got str"),
    ],
    ids=["None", "float64", "grey", "reversed", "str"],
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

        def run_until_the_seventh(*arguments: Any) -> Detections:
            if next(calls) == 6:
                raise ModelError("anchor 5 has a score of 2")
            return run(*arguments)

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


def fail_at_first(stream: Iterator[Detections]) -> None:
    for _ in stream:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", ["break", "close", "with", "garbage", "error", "never begun"])
def test_streams_that_are_broken_off_leave_nothing(detector: Detector, images: Images, way: str) -> None:
    before = running_threads()
    for number in range(20):
        stream = detector.stream(images * 3)
        if way == "break":
            for found, _ in enumerate(stream):
                if found == number % 7:
                    break
            del stream
        elif way == "close":
            next(stream)
            stream.close()
            stream.close()
            assert list(stream) == []
        elif way == "with":
            with stream:
                next(stream)
        elif way == "garbage":
            next(stream)
            cycle: list[Any] = [stream]
            cycle.append(cycle)
            del stream, cycle
            gc.collect()
        elif way == "error":
            with pytest.raises(ZeroDivisionError):
                fail_at_first(stream)
            del stream
        assert_threads_end(before)
        assert all_idle(detector)
    assert len(detector.network.for_streams()._live) <= 9  # noqa: SLF001


def test_another_thread_may_collect_or_close_a_stream(detector: Detector, images: Images) -> None:
    stream = detector.stream(images * 3)
    next(stream)
    watched = weakref.ref(stream)
    holder = [stream]
    del stream
    thread = threading.Thread(target=holder.clear)
    thread.start()
    thread.join()
    assert watched() is None
    alone = [detector.detect(image) for image in images]
    assert list(detector.stream(images)) == alone

    go_on = threading.Event()

    def frames() -> Iterator[NDArray[np.uint8]]:
        for image in images * 3:
            yield image
            go_on.wait()

    stream = detector.stream(frames())
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(list, stream)
        time.sleep(0.05)
        with pytest.raises(
            RuntimeError, match="this stream is being read already, by another thread or by its own source"
        ):
            next(stream)
        stream.close()
        go_on.set()
        assert len(reading.result()) < len(images) * 3
    assert all_idle(detector)


def test_streams_of_several_threads_do_not_meet(detector: Detector, images: Images) -> None:
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: list(detector.stream(images * 4)), range(4)):
            assert found == alone * 4
    assert all_idle(detector)


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


def test_an_error_keeps_no_stream_alive(toy_detector: Detector, images: Images) -> None:
    """Nor one that is still to be raised: without help of the garbage collector."""

    def frames() -> Iterator[NDArray[np.uint8]]:
        yield images[0]
        raise ConnectionResetError

    gc.collect()
    gc.disable()
    try:
        bad_frames: tuple[Any, ...] = (images[0][..., ::-1], None)
        for bad in bad_frames:
            stream: Any = toy_detector.stream([images[0], bad])
            watched = weakref.ref(stream)
            next(stream)
            del stream
            assert watched() is None
            assert all_idle(toy_detector)
        stream = toy_detector.stream(frames())
        watched = weakref.ref(stream)
        next(stream)
        stream.close()
        del stream
        assert watched() is None
        stream = toy_detector.stream(frames())
        watched = weakref.ref(stream)
        with suppress(ConnectionResetError):
            list(stream)
        del stream
        assert watched() is None
    finally:
        gc.enable()


def test_a_closed_detector_frees_its_contexts_at_once(toy_model: Path, images: Images) -> None:
    gc.collect()
    gc.disable()
    try:
        detector = Detector(toy_model, threads=1)
        list(detector.stream(images))
        watched = [weakref.ref(context) for context in detector.network._idle]  # noqa: SLF001
        assert watched
        detector.close()
        assert [context() for context in watched] == [None] * len(watched)
    finally:
        gc.enable()


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

        def fail_at_the_third(*arguments: Any) -> Detections:
            if next(calls) == 2:
                raise ModelError("anchor 5 has a score of 2")
            return run(*arguments)

        monkeypatch.setattr(detector._post, "run", fail_at_the_third)  # noqa: SLF001
        with pytest.raises(ModelError, match="frame 2"):
            list(detector.stream(images))
        assert detector.statistics.count == 2


INTERRUPTED = """
import os, signal, sys, threading, time
import yoloxfast
from thread_counts import assert_threads_end, running_threads
from yoloxfast.demo import draw_scene
detector = yoloxfast.Detector("demo", backend=sys.argv[1])
image = draw_scene(3).image
alone = detector.detect(image)
assert list(detector.stream([image])) == [alone]
threads = running_threads()
def frames():
    while True:
        yield image
def interrupt():
    time.sleep(0.4)
    os.kill(os.getpid(), signal.SIGINT)
for way in (lambda: [None for _ in detector.stream(frames())], lambda: detector.detect_batch([image] * 2000)):
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        way()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    thread.join()
    assert_threads_end(threads)
    assert list(detector.stream([image] * 9)) == [alone] * 9
for network in (detector.network, detector.network.for_streams()):
    assert set(network._idle) == network._live
detector.close()
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_can_be_interrupted(backend: str) -> None:
    pytest.importorskip(backend)
    command = [sys.executable, "-W", "ignore", "-c", INTERRUPTED, backend]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert (done.returncode, done.stdout) == (0, "interrupted\n" * 2), done.stderr


UNENDED = """
import sys
import yoloxfast
from yoloxfast.demo import draw_scene
image = draw_scene(3).image
stream = yoloxfast.Detector("demo", backend=sys.argv[1]).stream([image] * 50)
next(stream)
print("end")
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_may_end_in_the_middle_of_a_stream(backend: str) -> None:
    pytest.importorskip(backend)
    command = [sys.executable, "-W", "ignore", "-c", UNENDED, backend]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


MEMORY = """
import sys
from pathlib import Path
import numpy as np
import toy_network, yoloxfast
detector = yoloxfast.Detector(toy_network.build(Path(sys.argv[1]), batch=1), threads=1)
frames = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3), np.uint8)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
for number, _ in enumerate(detector.stream(frames[number % 8] for number in range(int(sys.argv[2])))):
    if number == 1000:
        before = resident()
print((resident() - before) / 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_long_stream_takes_no_more_memory(tmp_path: Path) -> None:
    """Of 100,000 frames, which take half a minute: 0.7 MiB."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "model.onnx"), "12000"]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2
