"""Post-processing and NMS against `yoloxfast.reference`: `make bench`.

One core; each result is checked before it is timed. The raw outputs are real ones of YOLOX-Nano at 640x640 where those
are at hand, else synthetic ones with the same statistics.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from locations import DATA
from synthetic import synthetic_raw
from yoloxfast import PostProcessor, nms, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

SIZE = (640, 640)
REAL = {"sparse": "000000000872", "typical": "000000002587", "crowded": "000000002299"}
OBJECTS = {"sparse": 1, "typical": 3, "crowded": 30}
THRESHOLDS = ((0.3, 0.45), (0.01, 0.65), (0.001, 0.65))


@cache
def raw_of(photo: str) -> tuple[NDArray[np.float32], str]:
    """Return a raw output and where it comes from."""
    file = DATA / "golden/raw_640.npz"
    if not file.exists():
        return synthetic_raw(SIZE, objects=OBJECTS[photo]), "synthetic"
    with np.load(file) as raws:
        return np.ascontiguousarray(raws[REAL[photo]]), "real"


@pytest.mark.parametrize("program", ["yoloxfast", "reference"])
@pytest.mark.parametrize("photo", REAL)
@pytest.mark.parametrize("thresholds", THRESHOLDS, ids=lambda pair: "{}/{}".format(*pair))
def test_postprocessing(benchmark: BenchmarkFixture, photo: str, thresholds: tuple[float, float], program: str) -> None:
    raw, origin = raw_of(photo)
    options: Any = {"score_threshold": thresholds[0], "iou_threshold": thresholds[1]}
    specification = partial(reference.postprocess, raw, SIZE, **options)
    call = {"yoloxfast": partial(PostProcessor(SIZE), raw, **options), "reference": specification}[program]
    expected = specification()
    assert call() == expected
    benchmark.group = f"postprocessing at {thresholds[0]}/{thresholds[1]}, {photo} photo ({origin})"
    benchmark.extra_info["detections"] = len(expected)
    benchmark(call)


@pytest.mark.parametrize("program", ["yoloxfast", "reference"])
def test_decoding(benchmark: BenchmarkFixture, program: str) -> None:
    raw, origin = raw_of("typical")
    specification = partial(reference.decode, raw, SIZE)
    call = {"yoloxfast": partial(PostProcessor(SIZE).decode, raw), "reference": specification}[program]
    np.testing.assert_array_equal(call(), specification())
    benchmark.group = f"decoding all anchors, typical photo ({origin})"
    benchmark(call)


def boxes_of(kind: str, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Spread boxes over a field that grows with them, or make 20 near-copies of each of fewer."""
    random = np.random.default_rng(count)
    copies = 20 if kind == "clustered" else 1
    objects = count // copies
    corners = random.uniform(0, 40 * objects**0.5, (objects, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 100, (objects, 2))], axis=1)
    boxes = np.repeat(boxes, copies, axis=0) + random.normal(0, 2, (count, 4)) * (copies > 1)
    class_ids = np.repeat(random.integers(0, 80, objects), copies)
    return boxes.astype(np.float32), random.random(count, np.float32), class_ids


@pytest.mark.parametrize("program", ["yoloxfast", "reference"])
@pytest.mark.parametrize("count", [100, 1000, 5000])
@pytest.mark.parametrize("kind", ["sparse", "clustered"])
@pytest.mark.parametrize("by_class", [True, False], ids=["class-aware", "class-agnostic"])
def test_nms(benchmark: BenchmarkFixture, kind: str, count: int, by_class: bool, program: str) -> None:
    boxes, scores, class_ids = boxes_of(kind, count)
    arguments = (boxes, scores, class_ids if by_class else None)
    specification = partial(reference.nms, *arguments)
    call = {"yoloxfast": partial(nms, *arguments), "reference": specification}[program]
    np.testing.assert_array_equal(call(), specification())
    benchmark.group = f"NMS of {count} {kind} boxes, class-{'aware' if by_class else 'agnostic'}"
    benchmark(call)
