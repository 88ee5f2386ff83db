"""Comparing with stored detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from yoloxfast import Detections


def options_of(mode: str) -> dict[str, Any]:
    """Read "onnx_demo_0.3_0.45": semantics, score threshold, IoU threshold."""
    semantics, score_threshold, iou_threshold = mode.rsplit("_", 2)
    return {
        "semantics": "demo" if semantics == "agnostic" else semantics.replace("_", "-"),
        "score_threshold": float(score_threshold),
        "iou_threshold": float(iou_threshold),
    }


def assert_same(found: Detections, rows: list[list[float]], *, pixels: float, score: float) -> tuple[float, float]:
    """Compare; return the largest differences of boxes, in pixels, and of scores."""
    expected = np.array(rows).reshape(-1, 6)
    assert found.class_ids.tolist() == expected[:, 5].tolist()
    np.testing.assert_allclose(found.xyxy, expected[:, :4], rtol=0, atol=pixels)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=0, atol=score)
    return (
        np.abs(found.xyxy - expected[:, :4]).max(initial=0.0),
        np.abs(found.scores - expected[:, 4]).max(initial=0.0),
    )


def in_order_of(found: Detections, rows: list[list[float]], *, score: float) -> Detections:
    """Swap neighbours whose scores differ by less than that, so that they come as stored: no program orders these."""
    order = list(range(len(found)))
    for place, row in enumerate(rows):
        close = (index for index in order[place:] if abs(found.scores[index] - row[4]) <= score)
        best = min(close, key=lambda index: np.abs(found.xyxy[index] - row[:4]).max(), default=order[place])
        order.remove(best)
        order.insert(place, best)
    return found[order]


def report(what: str, differences: list[tuple[float, float]]) -> None:
    """Say, for `pytest -s`, how close it was."""
    boxes, scores = np.max(differences, axis=0)
    print(f"{what}: boxes within {boxes:.1e} pixels, scores within {scores:.1e}")
