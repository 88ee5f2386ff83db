"""Batches and streams of engines: several runs in flight, each on a stream of its own, and nothing left behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import toy_network
from onnx_engine import PROFILE, engine_of
from pretend_driver import LAUNCH_FAILED, OUT_OF_MEMORY
from spans import most_in_flight
from yoloxfast import Detector, EngineError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pretend_machine import World

    Images = list[NDArray[np.uint8]]


def engine_with(tmp_path: Path, profiles: str | None) -> Path:
    if profiles is None:
        return engine_of(toy_network.build(tmp_path / "one.onnx"), tmp_path / "one.engine")
    model = toy_network.build(tmp_path / "any.onnx", batch="batch", metadata={PROFILE: profiles})
    return engine_of(model, tmp_path / "any.engine")


@pytest.mark.parametrize("cuda_graphs", [False, True])
@pytest.mark.parametrize("profiles", [None, "4:4:4", "1:4:8", "1:1:1 8:8:8"])
def test_streams_and_batches_from_four_threads(
    world: World, tmp_path: Path, images: Images, profiles: str | None, cuda_graphs: bool
) -> None:
    with Detector(engine_with(tmp_path, profiles), cuda_graphs=cuda_graphs) as detector:
        alone = [detector.detect(image) for image in images]
        assert all(len(found) > 3 for found in alone)
        assert detector.network.for_streams() is detector.network

        def work(number: int) -> Any:
            way: Any = detector.stream if number % 2 else detector.detect_batch
            return list(way(images * 3))

        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(work, range(8)):
                assert found == alone * 3
    world.check()


@pytest.mark.parametrize(("in_flight", "runs"), [(None, 4), (1, 1), (2, 2), (3, 3)])
def test_runs_are_in_flight_on_streams_of_their_own(
    world: World, engine: Path, images: Images, in_flight: int | None, runs: int
) -> None:
    world.set("delay=20000")  # so that no run ends before the next ones are started
    with Detector(engine) as detector:
        world.forget_log()
        assert len(list(detector.stream(images, in_flight=in_flight))) == len(images)
        assert most_in_flight(world.log) == runs
        world.forget_log()
        detector.detect_batch(images)
        assert most_in_flight(world.log) == 3
    world.check()


def test_frames_run_in_the_batch_of_the_profile(world: World, tmp_path: Path, images: Images) -> None:
    with Detector(engine_with(tmp_path, "1:4:8")) as detector:
        world.forget_log()
        stream = detector.stream(images)
        assert stream.in_flight == 8
        assert len(list(stream)) == 11
        assert [span.what for span in world.log].count("copy to device") == 3
    world.check()


def test_a_broken_stream_leaves_nothing(world: World, engine: Path, images: Images) -> None:
    with Detector(engine) as detector:
        alone = [detector.detect(image) for image in images]
        for number in range(20):
            for found, _ in enumerate(detector.stream(images)):
                if found == number % 7:
                    break
        assert len(detector.network._live) <= 5  # noqa: SLF001
        assert list(detector.stream(images)) == alone
    world.check()


def test_a_gpu_that_fails_is_named_with_its_frame(world: World, engine: Path, images: Images) -> None:
    with Detector(engine) as detector:
        alone = [detector.detect(image) for image in images]
        stream = detector.stream(images)
        found = [next(stream), next(stream)]
        world.fail("cuStreamSynchronize", LAUNCH_FAILED, times=1)
        with pytest.raises(EngineError, match=r"^frame 2: CUDA failed: .*unspecified launch failure"):
            found.extend(stream)
        assert found == alone[:2]
        assert list(detector.stream(images)) == alone
    world.check()


def test_a_gpu_without_memory_for_another_run_ends_the_stream_there(world: World, engine: Path, images: Images) -> None:
    with Detector(engine) as detector:
        found = [detector.detect(images[0])]
        world.fail("cuMemHostAlloc", OUT_OF_MEMORY)
        stream = detector.stream(images)
        assert [next(stream)] == found
        with pytest.raises(EngineError, match=r"^frame 1: out of memory: .* bytes were asked for"):
            next(stream)
        world.mend("cuMemHostAlloc")
        assert len(list(detector.stream(images))) == len(images)
    world.check()


def test_a_detector_closed_under_a_stream_frees_everything(world: World, engine: Path, images: Images) -> None:
    detector = Detector(engine)
    stream = detector.stream(images)
    next(stream)
    detector.close()
    with pytest.raises(EngineError, match=r"frame \d+: the detector is closed"):
        list(stream)
    world.check()
