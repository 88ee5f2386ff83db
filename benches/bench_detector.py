"""What a call costs beside the network: `Detector.detect` against YOLOX's own Python, 1080p at 640: `make bench`.

The network is a recorded output, which a run copies to where a runtime would have put it; that time is not counted.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inputs import IN_TURNS, ORIGIN, SIZE, raw_of
from yoloxfast import Detections, Detector, Letterbox, reference
from yoloxfast.backends.head import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

THRESHOLDS: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": 0.45}


class Recorded:
    """A backend, and its only execution context."""

    seconds = 0.0
    """What all runs took."""

    name = "recorded"
    head = Head(SIZE, (8, 16, 32), 80, "output")
    metadata: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, raw: NDArray[np.float32]) -> None:
        self.letterboxes = [Letterbox(np.empty((3, *SIZE), np.float32))]
        self._raw = raw
        self._output = np.empty((1, *raw.shape), np.float32)

    @contextmanager
    def execution_context(self) -> Iterator[Recorded]:
        yield self

    def run(self) -> NDArray[np.float32]:
        start = perf_counter()
        self._output[0] = self._raw
        Recorded.seconds += perf_counter() - start
        return self._output

    def close(self) -> None:
        pass


def yolox(backend: Recorded, image: NDArray[np.uint8]) -> Detections:
    """Do as `tools/demo.py` does, in NumPy and cv2."""
    _, scale = reference.letterbox(image, SIZE)
    return reference.postprocess(backend.run()[0], SIZE, scale=scale, **THRESHOLDS)


def clock() -> float:
    """Return the time, which stands still during runs."""
    return perf_counter() - Recorded.seconds


@pytest.mark.benchmark(timer=clock)
@pytest.mark.parametrize("program", ["yoloxfast", "NumPy and cv2 as in YOLOX"])
@pytest.mark.parametrize("photo", ["typical", "crowded"])
@IN_TURNS
def test_detect_without_the_network(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch, photo: str, turn: int, program: str
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    backend = Recorded(raw_of(photo))
    monkeypatch.setattr("yoloxfast.backends.open_backend", lambda *_, **__: backend)
    calls: dict[str, Callable[[], Detections]] = {
        "yoloxfast": partial(Detector("recorded.onnx", **THRESHOLDS).detect, image),
        "NumPy and cv2 as in YOLOX": partial(yolox, backend, image),
    }
    assert calls[program]() == yolox(backend, image)
    benchmark.group = f"1920x1080, {photo} photo ({ORIGIN}), 0.3/0.45"
    benchmark.extra_info.update(table="Detector.detect but for the network's run", program=program, turn=turn)
    benchmark(calls[program])
