"""What a call costs beside the network: `Detector.detect` against YOLOX's own Python, 1080p at 640: `make bench`.

The network is a recorded output, which a run copies to where a runtime would have put it; that time is not counted.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inputs import IN_TURNS, ORIGIN, SIZE, raw_of
from yoloxfast import Detections, reference
from yoloxfast.backends import Network
from yoloxfast.backends.backend import Backend, Context
from yoloxfast.backends.tensors import Batches, Port, Tensor
from yoloxfast.inference import Inference
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

THRESHOLDS: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": 0.45}


class Recorded(Backend):
    """A backend whose network puts out what was recorded."""

    name = "recorded"
    inputs = (Port("images", (1, 3, *SIZE), np.dtype(np.float32)),)
    batches = Batches.of(inputs)
    metadata: dict[str, str] = {}  # noqa: RUF012
    device: dict[str, str] = {}  # noqa: RUF012
    runs_at_once = 1
    seconds = 0.0
    """What all runs took."""

    def __init__(self, raw: NDArray[np.float32]) -> None:
        self.raw = raw[None]

    def describe_device(self) -> str:
        return "none"

    def make_context(self, network_input: Tensor, outputs: Sequence[Tensor] = ()) -> Context:
        assert network_input.shape[0] == 1
        return RecordedContext(self.raw, [output.name for output in outputs] or ["output"])

    def close(self) -> None:
        pass


class RecordedContext(Context):
    def __init__(self, raw: NDArray[np.float32], names: list[str]) -> None:
        super().__init__(np.empty((1, 3, *SIZE), np.float32))
        self._raw = raw
        self.outputs = {name: np.empty_like(raw) for name in names}

    def wait(self) -> None:
        pass

    def is_done(self) -> bool:
        return True

    def _start(self) -> None:
        pass

    def _finish(self) -> None:
        start = perf_counter()
        self.outputs["output"][:] = self._raw
        Recorded.seconds += perf_counter() - start


def yolox(backend: Recorded, image: NDArray[np.uint8]) -> Detections:
    """Do as `tools/demo.py` does, in NumPy and cv2."""
    _, scale = reference.letterbox(image, SIZE)
    return reference.postprocess(backend.raw[0], SIZE, scale=scale, **THRESHOLDS)


def clock() -> float:
    """Return the time, which stands still during runs."""
    return perf_counter() - Recorded.seconds


@pytest.mark.benchmark(timer=clock)
@pytest.mark.parametrize("program", ["yoloxfast", "NumPy and cv2 as in YOLOX"])
@pytest.mark.parametrize("photo", ["typical", "crowded"])
@IN_TURNS
def test_detect_without_the_network(benchmark: BenchmarkFixture, photo: str, turn: int, program: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    backend = Recorded(raw_of(photo))
    detector = Inference(Network(backend, DEMO_MODEL), **THRESHOLDS)
    calls: dict[str, Callable[[], Detections]] = {
        "yoloxfast": partial(detector.detect, image),
        "NumPy and cv2 as in YOLOX": partial(yolox, backend, image),
    }
    assert calls[program]() == yolox(backend, image)
    benchmark.group = f"1920x1080, {photo} photo ({ORIGIN}), 0.3/0.45"
    benchmark.extra_info.update(table="Detector.detect without the network's run", program=program, turn=turn)
    benchmark(calls[program])
