"""What is measured: real outputs of YOLOX-Nano where those are at hand, else synthetic ones; and boxes."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from locations import DATA
from synthetic import synthetic_raw

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = (640, 640)
REAL = {"sparse": "000000000872", "typical": "000000002587", "crowded": "000000002299"}
OBJECTS = {"sparse": 1, "typical": 3, "crowded": 30}
RAWS = DATA / "golden/raw_640.npz"
ORIGIN = "real" if RAWS.exists() else "synthetic"

TURNS = range(int(os.environ.get("BENCH_TURNS", "1")))
IN_TURNS = pytest.mark.parametrize("turn", TURNS)
"""Measures everything several times, the programs of a group one after the other: the speed of machines changes."""


@cache
def raw_of(photo: str) -> NDArray[np.float32]:
    """Return the raw output of a photo, (8400, 85)."""
    if not RAWS.exists():
        return synthetic_raw(SIZE, objects=OBJECTS[photo])
    with np.load(RAWS) as raws:
        return np.ascontiguousarray(raws[REAL[photo]])


@cache
def boxes_of(kind: str, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Spread boxes over a field that grows with them, or make 20 near-copies of each of fewer."""
    random = np.random.default_rng(count)
    copies = 20 if kind == "clustered" else 1
    objects = -(-count // copies)
    corners = random.uniform(0, 40 * objects**0.5, (objects, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 100, (objects, 2))], axis=1)
    boxes = np.repeat(boxes, copies, axis=0)[:count] + random.normal(0, 2, (count, 4)) * (copies > 1)
    class_ids = np.repeat(random.integers(0, 80, objects), copies)[:count]
    return boxes.astype(np.float32), random.random(count, np.float32), class_ids
