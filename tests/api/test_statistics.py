"""Times of the steps, per image."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from yoloxfast.statistics import Percentiles, Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast import Detector

STEPS = ("letterbox", "wait", "network", "post_processing")


def test_percentiles_are_right_to_one_per_cent() -> None:
    statistics = Statistics()
    times = np.random.default_rng(0).lognormal(-7, 1.5, 20_000)
    for seconds in times:
        statistics.record(1, seconds, 2 * seconds, 3 * seconds, 4 * seconds)
    assert statistics.count == 20_000
    for factor, step in enumerate(STEPS, 1):
        found: Percentiles = getattr(statistics, step)
        np.testing.assert_allclose(found, factor * np.percentile(times, [50, 95, 99]), rtol=0.012)
        assert found == (found.p50, found.p95, found.p99)


def test_each_image_of_a_batch_counts_with_its_share() -> None:
    statistics = Statistics()
    statistics.record(4, 0.004, 0.008, 0.04, 0.0004)
    assert statistics.count == 4
    np.testing.assert_allclose([getattr(statistics, step).p50 for step in STEPS], [1e-3, 2e-3, 1e-2, 1e-4], rtol=0.01)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e9, math.inf, math.nan])
def test_no_time_is_too_odd(seconds: float) -> None:
    statistics = Statistics()
    statistics.record(1, seconds, seconds, seconds, seconds)
    assert statistics.count == 1
    assert 0 <= statistics.network.p99 <= 3_700


def test_nothing_is_said_before_the_first_image() -> None:
    statistics = Statistics()
    assert str(statistics) == "no images yet"
    assert repr(statistics) == "<Statistics of 0 images>"
    assert all(math.isnan(seconds) for seconds in statistics.network)
    statistics.record(2, 0.001, 0.002, 0.003, 0.004)
    step, *milliseconds = str(statistics).splitlines()[1].split()
    assert step == "letterbox"
    np.testing.assert_allclose([float(number) for number in milliseconds], 0.5, rtol=0.01)
    statistics.reset()
    assert (statistics.count, str(statistics)) == (0, "no images yet")


def test_a_detector_counts_what_it_found(toy_detector: Detector, image: NDArray[np.uint8]) -> None:
    statistics = toy_detector.statistics
    toy_detector.warmup(3)
    assert statistics.count == 0
    toy_detector.detect(image)
    toy_detector.detect_batch([image, image])
    assert len(list(toy_detector.stream([image] * 3))) == 3
    with pytest.raises(TypeError):
        toy_detector.detect(None)  # type: ignore[arg-type]
    assert statistics.count == 6
    assert min(min(getattr(statistics, step)) for step in STEPS) > 0


def test_each_step_is_what_lies_between_two_moments(
    toy_detector: Detector, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock takes a second."""
    seconds = itertools.count()
    for module in ("pipeline", "backends.onnxruntime"):
        monkeypatch.setattr(f"yoloxfast.{module}.perf_counter", lambda: next(seconds))
    toy_detector.detect(image)
    for_a_context = 1
    before_and_after_the_run = 2
    expected = {"letterbox": 1, "wait": for_a_context + before_and_after_the_run, "network": 1, "post_processing": 1}
    for step, wanted in expected.items():
        assert getattr(toy_detector.statistics, step).p50 == pytest.approx(wanted, rel=0.01)
