"""Post-processing and decoding against others: `make bench`. One core; each result is checked before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inputs import IN_TURNS, ORIGIN, REAL, SIZE, raw_of
from rivals import POSTPROCESSING, numpy_reference
from yoloxfast import PostProcessor, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

    from rivals import Found

THRESHOLDS = ((0.3, 0.45), (0.01, 0.65), (0.001, 0.65))
POST = PostProcessor(SIZE)


def yoloxfast(raw: NDArray[Any], _: tuple[int, int], score: float, iou: float) -> Found:
    found = POST(raw, score_threshold=score, iou_threshold=iou)
    return found.xyxy, found.scores, found.class_ids


def assert_same(found: Found, expected: Found) -> None:
    (boxes, scores, class_ids), (expected_boxes, expected_scores, expected_class_ids) = found, expected
    np.testing.assert_array_equal(class_ids, expected_class_ids)
    np.testing.assert_allclose(scores, expected_scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(boxes, expected_boxes, rtol=0, atol=1e-3)


@pytest.mark.parametrize("program", ["yoloxfast", *POSTPROCESSING])
@pytest.mark.parametrize("photo", REAL)
@pytest.mark.parametrize("thresholds", THRESHOLDS, ids=lambda pair: "{}/{}".format(*pair))
@IN_TURNS
def test_postprocessing(
    benchmark: BenchmarkFixture, photo: str, thresholds: tuple[float, float], turn: int, program: str
) -> None:
    arguments = (raw_of(photo), SIZE, *thresholds)
    call = partial({"yoloxfast": yoloxfast, **POSTPROCESSING}[program], *arguments)
    expected = numpy_reference(*arguments)
    assert_same(call(), expected)
    benchmark.group = f"{photo} photo ({ORIGIN}), {thresholds[0]}/{thresholds[1]}"
    benchmark.extra_info.update(
        table="Post-processing, 8400 x 85", program=program, turn=turn, detections=len(expected[0])
    )
    benchmark(call)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("thresholds", THRESHOLDS, ids=lambda pair: "{}/{}".format(*pair))
@IN_TURNS
def test_dtypes(benchmark: BenchmarkFixture, thresholds: tuple[float, float], turn: int, dtype: type) -> None:
    raw: NDArray[Any] = raw_of("typical").astype(dtype)
    call = partial(yoloxfast, raw, SIZE, *thresholds)
    assert_same(call(), numpy_reference(raw, SIZE, *thresholds))
    benchmark.group = f"typical photo ({ORIGIN}), {thresholds[0]}/{thresholds[1]}"
    benchmark.extra_info.update(table="float16 and float32 outputs", program=np.dtype(dtype).name, turn=turn)
    benchmark(call)


@pytest.mark.parametrize("program", ["one by one", "batch", "batch, 2 threads"])
@IN_TURNS
def test_batches(benchmark: BenchmarkFixture, turn: int, program: str) -> None:
    raws = np.stack([raw_of(photo) for photo in REAL] * 3)
    options: Any = {"score_threshold": 0.01, "iou_threshold": 0.65}
    calls: dict[str, Any] = {
        "one by one": lambda: [POST(raw, **options) for raw in raws],
        "batch": partial(POST.batch, raws, **options),
        "batch, 2 threads": partial(POST.batch, raws, threads=2, **options),
    }
    assert calls[program]() == calls["one by one"]()
    benchmark.group = f"9 photos ({ORIGIN}), 0.01/0.65"
    benchmark.extra_info.update(table="Batches", program=program, turn=turn)
    benchmark(calls[program])


@pytest.mark.parametrize("program", ["yoloxfast", "NumPy as in YOLOX"])
@IN_TURNS
def test_decoding(benchmark: BenchmarkFixture, turn: int, program: str) -> None:
    raw = raw_of("typical")
    calls = {"yoloxfast": partial(POST.decode, raw), "NumPy as in YOLOX": partial(reference.decode, raw, SIZE)}
    np.testing.assert_array_equal(calls[program](), calls["NumPy as in YOLOX"]())
    benchmark.group = f"8400 x 85 ({ORIGIN})"
    benchmark.extra_info.update(table="Decoding all anchors", program=program, turn=turn)
    benchmark(calls[program])
