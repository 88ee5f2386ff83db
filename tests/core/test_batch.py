from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from synthetic import synthetic_raw
from yoloxfast import ModelError, PostProcessor, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = (64, 96)
POST = PostProcessor(SIZE, 7)
SCALES = (0.5, 1.0, 1.5, 2.0, 0.25)


@pytest.fixture(scope="module")
def raws() -> NDArray[np.float32]:
    return np.stack([synthetic_raw(SIZE, 7, objects=objects, seed=objects) for objects in range(5)])


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_batch_gives_what_its_images_give(raws: NDArray[np.float32], dtype: type, threads: int) -> None:
    raws = raws.astype(dtype)
    options: Any = {"score_threshold": 0.1, "iou_threshold": 0.6, "classes": [0, 2, 3, 5], "max_detections": 9}
    found = POST.batch(raws, scales=SCALES, threads=threads, **options)
    assert {len(detections) > 0 for detections in found} == {False, True}
    for raw, scale, detections in zip(raws, SCALES, found, strict=True):
        assert detections == POST(raw, scale=scale, **options)
        assert detections == reference.postprocess(raw, SIZE, scale=scale, **options)


def test_a_batch_needs_no_scales_and_may_be_empty_or_any_view(raws: NDArray[np.float32]) -> None:
    assert POST.batch(raws) == [POST(raw) for raw in raws]
    assert POST.batch(raws[:0]) == []
    assert POST.batch(raws[::-2]) == [POST(raw) for raw in raws[::-2]]


def test_agnostic_batches_suppress_across_classes(raws: NDArray[np.float32]) -> None:
    assert POST.batch(raws, class_agnostic=True) == [POST(raw, class_agnostic=True) for raw in raws]


def test_bad_batches_say_what_was_expected(raws: NDArray[np.float32]) -> None:
    with pytest.raises(
        ValueError, match=r"raw output has shape \(126, 12\), expected \(batch, anchors, 5 \+ classes\)"
    ):
        POST.batch(raws[0])
    with pytest.raises(ValueError, match=r"expected \(anchors, 5 \+ classes\): pass one image of a batch, raw\[0\]"):
        POST(raws)
    with pytest.raises(TypeError, match="raw output has dtype float64, expected float32 or float16"):
        POST.batch(raws.astype(np.float64))
    with pytest.raises(ValueError, match="got 2 scales for a batch of 5"):
        POST.batch(raws, scales=[1, 2])
    with pytest.raises(ValueError, match="scale is 0, expected the positive number that letterbox returned"):
        POST.batch(raws, scales=[1, 1, 0, 1, 1], threads=2)
    with pytest.raises(TypeError, match=r"scales must be numbers, got 1\.5"):
        POST.batch(raws, scales=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads is 0, expected 1 to 1024"):
        POST.batch(raws, threads=0)
    with pytest.raises(ValueError, match="raw output has 125 anchors, an input of 64x96"):
        POST.batch(raws[:, 1:])
    raws = raws.copy()
    raws[3, 5, 4:6] = 0.5, 3
    for threads in (1, 4):
        with pytest.raises(ModelError, match="anchor 5 has a score of 3"):
            POST.batch(raws, threads=threads)
