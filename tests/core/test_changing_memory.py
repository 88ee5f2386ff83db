"""Memory that another thread overwrites during a call: what is found means nothing, but invariants hold."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import yoloxfast
from synthetic import synthetic_raw
from yoloxfast import ModelError, PostProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

SECONDS = float(os.environ.get("CHANGING_SECONDS", "1"))
"""How long each test runs; a minute finds rarer ones."""

SIZE = (128, 128)


@contextmanager
def overwriting(*memory: tuple[NDArray[Any], NDArray[Any]]) -> Iterator[None]:
    """Overwrite arrays all the time, with one content and the other in turns, from another thread."""
    ends = threading.Event()

    def work() -> None:
        contents = [(array, array.copy(), other) for array, other in memory]
        while not ends.is_set():
            for array, first, second in contents:
                array[...] = second
                array[...] = first

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def repeat(call: Callable[[], None]) -> int:
    until, calls = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        call()
        calls += 1
    return calls


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("num_classes", [1, 3, 16, 80])
def test_class_ids_stay_in_range(num_classes: int, dtype: type[np.floating[Any]]) -> None:
    raw = synthetic_raw(SIZE, num_classes, objects=9).astype(dtype)
    raw[:, 4:] = 0.9
    other = raw.copy()
    other[:, 5:] = np.linspace(0.1, 0.8, num_classes)
    other[::7, 5:] = np.nan
    other[::5, :2] = 1e30 if dtype == np.float32 else 6e4
    post = PostProcessor(SIZE, num_classes)
    some: dict[str, Any] = {"classes": list(range(0, num_classes, 2)), "score_threshold": 0.001}

    def call() -> None:
        for found in (post(raw), post(raw, **some), *post.batch(raw[None], threads=2, class_agnostic=True)):
            assert ((found.class_ids >= 0) & (found.class_ids < num_classes)).all()
            assert np.isfinite(found.xyxy).all()
            assert np.isfinite(found.scores).all()
            [found.names[class_id] for class_id in found.class_ids]

    with overwriting((raw, other)):
        assert repeat(call) > 0


def test_scores_that_come_and_go_are_a_model_error_at_most() -> None:
    raw = synthetic_raw(SIZE, objects=9)
    other = raw.copy()
    other[:, 4:] = np.inf
    other[::3, 4:] = 7
    post = PostProcessor(SIZE)

    def call() -> None:
        with suppress(ModelError):
            assert (post(raw).class_ids < 80).all()

    with overwriting((raw, other)):
        assert repeat(call) > 0


@pytest.mark.parametrize("count", [100, 3000])
def test_nms_keeps_indices_in_range(count: int) -> None:
    random = np.random.default_rng(0)
    boxes = (random.random((count, 4), np.float32) * 900).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    scores, class_ids = random.random(count, np.float32), random.integers(0, 5, count)
    wild = np.where(random.random((count, 4)) < 0.5, np.nan, 1e38).astype(np.float32)
    ids = random.integers(-(2**62), 2**62, count)

    def call() -> None:
        for groups in (None, class_ids):
            kept = yoloxfast.nms(boxes, scores, groups)
            assert ((kept >= 0) & (kept < count)).all()
            assert len(set(kept.tolist())) == len(kept)

    with overwriting((boxes, wild), (scores, np.full_like(scores, np.nan)), (class_ids, ids)):
        assert repeat(call) > 0


def test_an_image_that_changes_gives_some_letterbox() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    tensor, _ = yoloxfast.letterbox(image, SIZE)

    def call() -> None:
        found, _ = yoloxfast.letterbox(image, SIZE, out=tensor)
        assert ((found >= 0) & (found <= 255)).all()

    with overwriting((image, np.full_like(image, 255))):
        assert repeat(call) > 0
