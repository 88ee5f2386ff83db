"""Post-processing of outputs in the forms that exporters give them, and by other semantics: `make bench`. One core."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from inputs import IN_TURNS, ORIGIN, REAL, SIZE, raw_of
from yoloxfast import PostProcessor, reference
from yoloxfast.forms import Semantics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

THRESHOLDS = ((0.3, 0.45), (0.01, 0.65), (0.001, 0.65))
STRIDES = (8, 16, 32)


def maps_of(rows: NDArray[Any]) -> list[NDArray[Any]]:
    sides = [SIZE[0] // stride for stride in STRIDES]
    ends = np.cumsum([side**2 for side in sides])
    levels = np.split(rows, ends[:-1])
    return [np.ascontiguousarray(level.reshape(side, side, -1)) for level, side in zip(levels, sides, strict=True)]


def channels_first(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    return [np.ascontiguousarray(np.moveaxis(array, -1, 0)) for array in arrays]


def logits_of(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo the sigmoid; scores that rounding has made 0 or 1 become large logits."""
    logits, scores = rows.copy(), np.clip(rows[:, 4:].astype(np.float64), 1e-30, 1 - 1e-7)
    logits[:, 4:] = np.log(scores / (1 - scores))
    return logits


def split_maps_of(rows: NDArray[Any]) -> list[NDArray[Any]]:
    return [part for each in channels_first(maps_of(rows)) for part in (each[:4], each[4:5], each[5:])]


FORMS: dict[str, tuple[Callable[[NDArray[Any]], Any], dict[str, Any]]] = {
    "rows": (lambda rows: rows, {}),
    "decoded rows": (lambda rows: reference.decode(rows, SIZE), {"decoded": True}),
    "channels first": (lambda rows: np.ascontiguousarray(rows.T), {"layout": "channels-first"}),
    "map per level": (lambda rows: channels_first(maps_of(rows)), {"layout": "maps"}),
    "map per level, channels last": (maps_of, {"layout": "pixel-maps"}),
    "three maps per level": (split_maps_of, {"layout": "split-maps"}),
    "rows of logits": (logits_of, {"logits": True}),
    "map of logits per level": (
        lambda rows: channels_first(maps_of(logits_of(rows))),
        {"layout": "maps", "logits": True},
    ),
}
"""How to make it of raw rows, and what a post-processor must be told of it."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("photo", REAL)
@pytest.mark.parametrize("thresholds", THRESHOLDS, ids=lambda pair: "{}/{}".format(*pair))
@IN_TURNS
def test_forms(benchmark: BenchmarkFixture, photo: str, thresholds: tuple[float, float], turn: int, form: str) -> None:
    make, known = FORMS[form]
    raw = make(raw_of(photo))
    options: Any = {"score_threshold": thresholds[0], "iou_threshold": thresholds[1]}
    post = PostProcessor(SIZE, **known)
    call = partial(post.run, raw, 1.0, post.options(**options))
    assert call() == reference.postprocess(raw, SIZE, **known, **options)
    benchmark.group = f"{photo} photo ({ORIGIN}), {thresholds[0]}/{thresholds[1]}"
    benchmark.extra_info.update(table="Forms of outputs, 8400 x 85", program=form, turn=turn)
    benchmark(call)


@pytest.mark.parametrize("semantics", get_args(Semantics))
@pytest.mark.parametrize("photo", REAL)
@pytest.mark.parametrize("thresholds", THRESHOLDS, ids=lambda pair: "{}/{}".format(*pair))
@IN_TURNS
def test_semantics(
    benchmark: BenchmarkFixture, photo: str, thresholds: tuple[float, float], turn: int, semantics: Semantics
) -> None:
    rows = raw_of(photo)
    options: Any = {"score_threshold": thresholds[0], "iou_threshold": thresholds[1]}
    post = PostProcessor(SIZE, semantics=semantics)
    call = partial(post.run, rows, 1.0, post.options(**options), image_size=SIZE)
    found = call()
    assert found == reference.postprocess(rows, SIZE, semantics=semantics, image_size=SIZE, **options)
    benchmark.group = f"{photo} photo ({ORIGIN}), {thresholds[0]}/{thresholds[1]}"
    benchmark.extra_info.update(table="Semantics, 8400 x 85", program=semantics, turn=turn, detections=len(found))
    benchmark(call)
