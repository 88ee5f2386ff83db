"""Non-maximum suppression against others: `make bench`. One core; each result is checked before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inputs import boxes_of
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


def cases() -> Iterator[tuple[bool, str, int, str]]:
    for by_class, programs in RIVALS.items():
        for kind in ("sparse", "clustered"):
            for count in COUNTS:
                yield from (
                    (by_class, kind, count, name) for name in programs if count <= QUADRATIC.get(name, max(COUNTS))
                )


@pytest.mark.parametrize(("by_class", "kind", "count", "program"), list(cases()))
def test_nms(benchmark: BenchmarkFixture, by_class: bool, kind: str, count: int, program: str) -> None:
    boxes, scores, class_ids = boxes_of(kind, count)
    arguments = (boxes, scores, class_ids if by_class else None, IOU)
    call = partial(RIVALS[by_class][program], *arguments)
    kept = call()
    ours = program == "yoloxfast"
    expected = reference.nms(*arguments[:3], iou_threshold=IOU) if ours and count <= CHECKED else yoloxfast(*arguments)
    # Rivals round IoU and class offsets in their own way: a box on the edge of the threshold may go either way.
    assert len(np.setxor1d(kept, expected)) <= (0 if ours else 1e-3 * count)
    assert len(kept) > 0
    benchmark.group = f"{count:,} {kind}"
    benchmark.extra_info.update(
        table=f"NMS, class-{'aware' if by_class else 'agnostic'}", program=program, kind=kind, count=count
    )
    benchmark(call)
