"""Non-maximum suppression against others: `make bench`. One core; each result is checked before it is timed."""

from __future__ import annotations

from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inputs import TURNS, boxes_of
from rivals import CLASS_AGNOSTIC_NMS, CLASS_AWARE_NMS
from yoloxfast import nms, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from rivals import Boxes, ClassIds, Indices, Scores

IOU = 0.45
COUNTS = (10, 100, 1_000, 5_000, 10_000, 50_000, 100_000)
QUADRATIC = {"cv2.dnn.NMSBoxesBatched": 1_000, "powerboxes nms": 10_000, "torchvision nms": 10_000}
"""Most boxes that are worth waiting for."""

CHECKED = 10_000
"""Most boxes that the reference can be asked about."""


def yoloxfast(boxes: Boxes, scores: Scores, class_ids: ClassIds | None, iou: float) -> Indices:
    return nms(boxes, scores, class_ids, iou_threshold=iou)


RIVALS: dict[bool, dict[str, Callable[..., Indices]]] = {
    True: {"yoloxfast": yoloxfast, **CLASS_AWARE_NMS},
    False: {"yoloxfast": yoloxfast, **CLASS_AGNOSTIC_NMS},
}


def cases() -> Iterator[tuple[bool, str, int, int, str]]:
    for turn, by_class, kind, count in product(TURNS, RIVALS, ("sparse", "clustered"), COUNTS):
        for name in RIVALS[by_class]:
            if count <= QUADRATIC.get(name, max(COUNTS)):
                yield by_class, kind, count, turn, name


@cache
def expected_of(by_class: bool, kind: str, count: int) -> Indices:
    boxes, scores, class_ids = boxes_of(kind, count)
    find = reference.nms if count <= CHECKED else nms
    return find(boxes, scores, class_ids if by_class else None, iou_threshold=IOU)


@pytest.mark.parametrize(("by_class", "kind", "count", "turn", "program"), list(cases()))
def test_nms(benchmark: BenchmarkFixture, by_class: bool, kind: str, count: int, turn: int, program: str) -> None:
    boxes, scores, class_ids = boxes_of(kind, count)
    call = partial(RIVALS[by_class][program], boxes, scores, class_ids if by_class else None, IOU)
    kept = call()
    # Rivals round IoU and class offsets in their own way: a box on the edge of the threshold may go either way.
    differing = np.setxor1d(kept, expected_of(by_class, kind, count))
    assert len(differing) <= (0 if program == "yoloxfast" else 1e-3 * count)
    assert len(kept) > 0
    benchmark.group = f"{count:,} {kind}"
    benchmark.extra_info.update(
        table=f"NMS, class-{'aware' if by_class else 'agnostic'}", program=program, turn=turn, kind=kind, count=count
    )
    benchmark(call)
