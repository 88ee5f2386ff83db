"""Outlines of the shapes that the demo network knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLASSES", "outline"]

CLASSES = ("circle", "ring", "triangle", "square", "pentagon", "hexagon", "star", "cross")
"""Names of the classes by id. Small circles, hexagons and pentagons look much alike, so do stars and crosses."""

_CIRCLE_CORNERS = 72
_REGULAR_POLYGONS = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6, "circle": _CIRCLE_CORNERS}


def outline(name: str, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Return the closed contours of a shape around the origin.

    Parameters
    ----------
    name : str
        One of `CLASSES`.
    rng : Generator
        Decides what differs between shapes of one class: how wide a ring is, or the arms of a star or a cross.

    Returns
    -------
    list of ndarray, (corners, 2)
        Points (x, y), at most 1 away from the origin. A second contour is a hole in the first.
    """
    if name == "ring":
        circle = _regular(_CIRCLE_CORNERS)
        return [circle, circle * rng.uniform(0.45, 0.7)]
    if name == "star":
        corners = _regular(10)
        corners[1::2] *= rng.uniform(0.38, 0.5)
        return [corners]
    if name == "cross":
        arm = rng.uniform(0.25, 0.38)
        quarter = np.array([(1, -arm), (1, arm), (arm, arm)]) / np.hypot(1, arm)
        turn = np.array([(0, 1), (-1, 0)])
        return [np.concatenate([quarter @ np.linalg.matrix_power(turn, quarters) for quarters in range(4)])]
    return [_regular(_REGULAR_POLYGONS[name])]


def _regular(corners: int) -> NDArray[np.float64]:
    """Return the regular polygon in the unit circle."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1)
