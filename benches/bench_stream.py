"""Whether the network ever waits for the host: `Detector.stream` against the runtime alone, on all cores: `make bench`.

YOLOX-Nano where that is at hand, else the demo network.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inputs import IN_TURNS
from locations import DATA
from yoloxfast import Detector
from yoloxfast.cores import count_cores
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

    Frames = Iterator[NDArray[np.uint8]]

NANO = DATA / "models/yolox_nano.onnx"
MODEL = NANO if NANO.exists() else DEMO_MODEL
FRAMES = 240 if "BENCH_TURNS" in os.environ else 24
"""A stream of 240 is so long that its start and its end do not count; 24 show that it works."""
DIFFERENT = {"from the cache": 4, "from memory": 24}
"""How many different frames take turns: 24 are more than caches hold."""


@cache
def pictures() -> NDArray[np.uint8]:
    """Return 24 pictures of 1280x720, 66 MB."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 45, 80, 3), np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def frames(count: int, different: int) -> Frames:
    for number in range(count):
        yield pictures()[number % different]


@cache
def detector_of(backend: str, threads: int | None) -> Detector:
    return Detector(MODEL, backend=backend, threads=threads)


def one_by_one(backend: str, images: Frames) -> list[Any]:
    detector = detector_of(backend, None)
    return [detector.detect(image) for image in images]


def stream(backend: str, images: Frames) -> list[Any]:
    return list(detector_of(backend, 1).stream(images))


def batch(backend: str, images: Frames) -> list[Any]:
    return detector_of(backend, 1).detect_batch(images)


def pool_of_threads(backend: str, images: Frames) -> list[Any]:
    """Do the simplest that keeps all cores busy."""
    waiting: deque[Any] = deque()
    found = []
    with ThreadPoolExecutor(count_cores()) as threads:
        for frame in images:
            waiting.append(threads.submit(detector_of(backend, 1).detect, frame))
            if len(waiting) == 2 * count_cores():
                found.append(waiting.popleft().result())
        return found + [each.result() for each in waiting]


@cache
def onnxruntime_alone() -> Callable[[], Any]:
    """Return `session.run` on as many threads as there are cores, for one input."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    (network_input,) = session.get_inputs()
    image = np.full(network_input.shape, 114, np.float32)

    def run() -> None:
        with ThreadPoolExecutor(count_cores()) as threads:
            for _ in threads.map(lambda _: session.run(None, {network_input.name: image}), range(FRAMES)):
                pass

    return run


@cache
def openvino_alone() -> Callable[[], Any]:
    """Return a loop over asynchronous requests, two for each that runs at once."""
    ov = pytest.importorskip("openvino")
    cores = str(count_cores())
    properties = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, "INFERENCE_PRECISION_HINT": "f32"}
    model = ov.Core().compile_model(str(MODEL), "CPU", properties)
    requests = [model.create_infer_request() for _ in range(2 * count_cores())]
    for request in requests:
        request.set_input_tensor(ov.Tensor(np.full(tuple(model.inputs[0].shape), 114, np.float32)))

    def run() -> None:
        for number in range(FRAMES):
            request = requests[number % len(requests)]
            request.wait()
            request.start_async()
        for request in requests:
            request.wait()

    return run


@pytest.mark.parametrize("program", ["yoloxfast", "the network alone", "a pool of threads", "detect_batch", "detect"])
@pytest.mark.parametrize("source", DIFFERENT)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@IN_TURNS
def test_the_network_does_not_wait(
    benchmark: BenchmarkFixture, backend: str, source: str, turn: int, program: str
) -> None:
    pytest.importorskip(backend)
    alone = {"onnxruntime": onnxruntime_alone, "openvino": openvino_alone}
    programs = {"yoloxfast": stream, "a pool of threads": pool_of_threads, "detect_batch": batch, "detect": one_by_one}
    different = DIFFERENT[source]
    if program == "the network alone":
        run = alone[backend]()
    else:
        detect = partial(programs[program], backend)
        assert detect(frames(different, different)) == one_by_one(backend, frames(different, different))
        run = partial(detect, frames(FRAMES, different))
    benchmark.group = f"{FRAMES} frames of 1280x720, {MODEL.stem}, {backend}, {source}"
    table = "Detector.stream, all cores, one thread per run"
    benchmark.extra_info.update(table=table, program=program, turn=turn)
    benchmark.pedantic(run)  # type: ignore[no-untyped-call]
