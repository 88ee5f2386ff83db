"""Average precision by pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import Any, NamedTuple

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


class AveragePrecision(NamedTuple):
    """At IoU 0.5:0.95, 0.5 and 0.75, over boxes of all sizes."""

    ap: float
    ap50: float
    ap75: float


def average_precision(truth: dict[str, Any], results: list[dict[str, Any]]) -> AveragePrecision:
    """Evaluate results (`Detections.to_coco`) against a dataset in COCO's instances format."""
    if not results:
        raise ValueError("there are no results to evaluate")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return AveragePrecision(*map(float, evaluation.stats[:3]))
