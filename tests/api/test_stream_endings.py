"""However a stream ends, nothing is left behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from leftovers import all_idle, assert_threads_end, running_threads
from yoloxfast import Detections, Detector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Images = list[NDArray[np.uint8]]

BACKENDS = ("onnxruntime", "openvino")
pytestmark = pytest.mark.usefixtures("_no_thread_is_left")


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


INTERRUPTED = """
import os, signal, sys, threading, time
import yoloxfast
from leftovers import assert_threads_end, running_threads
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
