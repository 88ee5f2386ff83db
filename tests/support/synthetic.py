"""Raw outputs with the statistics of real ones, for clones that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def synthetic_raw(
    size: tuple[int, int] = (640, 640), num_classes: int = 80, *, seed: int = 0, objects: int = 3
) -> NDArray[np.float32]:
    """Make a raw output of a photo with some objects: groups of anchors that agree on one box, and background.

    Made after YOLOX-Nano at 640x640: on a typical photo some 25 anchors pass a score of 0.3, 100 to 200 pass 0.01 and
    700 to 900 pass 0.001, of 8400.
    """
    random = np.random.default_rng(seed)
    height, width = size
    levels = [np.indices((-(-height // stride), -(-width // stride))).reshape(2, -1) for stride in (8, 16, 32)]
    strides = np.concatenate(
        [np.full(cells.shape[1], stride) for cells, stride in zip(levels, (8, 16, 32), strict=True)]
    )
    centers = (np.concatenate(levels, axis=1)[::-1].T + 0.5) * strides[:, None]
    count = len(strides)

    raw = np.empty((count, 5 + num_classes), np.float32)
    raw[:, :2] = random.normal(0.5, 0.5, (count, 2))
    raw[:, 2:4] = random.normal(1.6, 0.6, (count, 2))
    log_objectness = random.normal(-4.2, 1.6, count)
    raw[:, 4] = 10 ** np.where(log_objectness > -2.5, log_objectness / 2 - 1.25, log_objectness)
    raw[:, 5:] = 10 ** random.normal(-2.8, 0.8, (count, num_classes))
    for _ in range(objects):
        center, side = random.uniform((0, 0), (width, height)), random.uniform(24, 200)
        near = np.flatnonzero(np.abs(centers - center).max(axis=1) < 1.2 * strides)
        offset = (center - (centers[near] - strides[near, None] / 2)) / strides[near, None]
        raw[near, :2] = offset + random.normal(0, 0.05, offset.shape)
        raw[near, 2:4] = np.log(side / strides[near, None]) + random.normal(0, 0.05, offset.shape)
        raw[near, 4] = random.beta(2, 2, len(near))
        raw[near, 5 + random.integers(num_classes)] = random.beta(5, 2, len(near))
    return np.minimum(raw, np.array([np.inf] * 4 + [1] * (1 + num_classes), np.float32))
