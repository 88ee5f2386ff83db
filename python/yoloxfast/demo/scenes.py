"""Scenes for the demo network: drawn alike for its training, for its tests and for `yoloxfast demo`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.demo.shapes import CLASSES, outline
from yoloxfast.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["Scene", "draw_scene"]

LONG_SIDE = (256, 512)
SHORT_SIDE = (0.6, 1.0)  # of the long side
SHAPES = (3, 10)
RADIUS = (0.06, 0.22)  # of the long side
LEAST_VISIBLE = 0.75  # of a shape's area: less is not asked of a detector
LEAST_CONTRAST = 70  # grey levels between a shape and what it covers, in the channel where they differ most

_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what was drawn in it.

    Attributes
    ----------
    image : ndarray of uint8, (height, width, 3)
        BGR.
    xyxy : ndarray of float32, (N, 4)
        Box of each whole shape, parts under other shapes included: `x1, y1, x2, y2` in pixels. It bounds the
        outline; the smooth edge that OpenCV draws lies about half a pixel further out.
    class_ids : ndarray of int64, (N,)
        Indices into `CLASSES`.
    """

    image: Image
    xyxy: NDArray[np.float32]
    class_ids: NDArray[np.int64]


def draw_scene(seed: int | Sequence[int]) -> Scene:
    """Draw shapes of several classes and scales, turned, squeezed and overlapping, on an uneven, noisy background.

    Parameters
    ----------
    seed : int or sequence of int
        The same seed gives the same scene.
    """
    rng = np.random.default_rng(seed)
    long_side = rng.integers(*LONG_SIDE, endpoint=True)
    sides = int(long_side), round(long_side * rng.uniform(*SHORT_SIDE))
    height, width = sides if rng.random() < 1 / 3 else sides[::-1]

    canvas = Canvas(_background(height, width, rng))
    for _ in range(rng.integers(8)):
        _draw_stroke(canvas.image, rng)
    wanted = rng.integers(*SHAPES, endpoint=True)
    for _ in range(3 * wanted):
        if len(canvas.boxes) < wanted:
            canvas.add_shape(rng)
    return Scene(
        image=_add_noise(canvas.image, rng),
        xyxy=np.array(canvas.boxes, np.float32).reshape(-1, 4),
        class_ids=np.array(canvas.class_ids, np.int64),
    )


class Canvas:
    """A picture that tracks which shape owns each pixel, so that no shape gets hidden."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.boxes: list[NDArray[np.float64]] = []
        self.class_ids: list[int] = []
        self._owner = np.zeros(image.shape[:2], np.uint8)  # 0 is the background
        self._areas = np.zeros(0, np.int64)
        self._visible = np.zeros(0, np.int64)

    def add_shape(self, rng: np.random.Generator) -> None:
        """Draw some shape somewhere, unless that would hide too much of another."""
        class_id = int(rng.integers(len(CLASSES)))
        height, width = self.image.shape[:2]
        radius = max(height, width) * np.exp(rng.uniform(*np.log(RADIUS)))
        contours = [points @ (radius * _distortion(rng)) for points in outline(CLASSES[class_id], rng)]
        low, high = contours[0].min(axis=0), contours[0].max(axis=0)
        center = rng.uniform(-low, (width, height) - high)
        left, top = np.floor(low + center).astype(int)
        right, bottom = np.ceil(high + center).astype(int)
        part = (slice(top, bottom), slice(left, right))

        coverage = fill([points + center - (left, top) for points in contours], (bottom - top, right - left))
        inside = coverage > 127
        areas = np.append(self._areas, np.count_nonzero(inside))
        covered = np.bincount(self._owner[part][inside], minlength=len(areas))[1:]
        visible = np.append(self._visible - covered, areas[-1])
        if np.any(visible < LEAST_VISIBLE * areas):
            return

        paint = _paint(self.image[part], coverage, radius, rng)
        opacity = coverage[:, :, None].astype(np.uint16)
        self.image[part] = (self.image[part] * (255 - opacity) + paint * opacity + 127) // 255
        self._owner[part][inside] = len(areas)
        self._areas, self._visible = areas, visible
        self.boxes.append(np.concatenate((low + center, high + center)))
        self.class_ids.append(class_id)


def _distortion(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a matrix that squeezes along any direction, then turns."""

    def rotation() -> NDArray[np.float64]:
        angle = rng.uniform(0, 2 * np.pi)
        return np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])

    return rotation() @ np.diag((1, rng.uniform(0.8, 1))) @ rotation()


def fill(contours: list[NDArray[np.float64]], size: tuple[int, int]) -> Image:
    """Return how much of each pixel lies in the contours, 0 to 255."""
    coverage = np.zeros(size, np.uint8)
    pixel_center = 0.5
    points = [((points - pixel_center) * 2**_SUBPIXEL_BITS).round().astype(np.int32) for points in contours]
    cv2.fillPoly(coverage, points, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return coverage


def _paint(below: Image, coverage: Image, radius: float, rng: np.random.Generator) -> Image:
    """Return colours, even or striped, that can be told from what lies below; some have an edge of any colour."""
    covered = np.array(cv2.mean(below, coverage)[:3])
    color = covered
    while np.abs(color - covered).max() < LEAST_CONTRAST:
        color = rng.integers(0, 256, 3)
    paint = np.tile(color.astype(np.uint8), (*below.shape[:2], 1))
    if rng.random() < 0.5:
        waves_per_pixel = rng.uniform(0.2, 2) / radius
        paint = _add(paint, _waves(below.shape[:2], waves_per_pixel, rng.integers(-30, 31, 3), rng))
    if rng.random() < 0.4:
        width = 1 + round(rng.uniform(0, 0.06) * radius)
        inner = cv2.erode(coverage, np.ones((2 * width + 1, 2 * width + 1), np.uint8), borderValue=0)
        paint[inner < 128] = rng.integers(0, 256, 3)
    return paint


def _background(height: int, width: int, rng: np.random.Generator) -> Image:
    """Return a smooth change of colours with blotches of several sizes, and some with waves."""
    size = (width, height)
    corners = rng.integers(20, 236, (2, 2, 3), np.uint8)
    image = _enlarge(corners, size)
    for cell in (100, 30, 8):
        shape = (height // cell + 2, width // cell + 2, 3)
        blotches = _enlarge(rng.integers(0, 256, shape, np.uint8), size)
        if rng.random() < 0.6:
            image = _add(image, _around_zero(blotches, rng.uniform(5, 40)))
    if rng.random() < 0.5:
        image = _add(image, _waves((height, width), rng.uniform(0.01, 0.08), rng.integers(-25, 26, 3), rng))
    return image


def _enlarge(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _add(image: Image, pattern: NDArray[np.int16]) -> Image:
    """Add with saturation."""
    return np.asarray(cv2.add(image, pattern, dtype=cv2.CV_8U), np.uint8)


def _around_zero(pattern: Image, strength: float) -> NDArray[np.int16]:
    """Stretch 0..255 to -strength..strength."""
    table = ((np.arange(256) - 127.5) * (strength / 127.5)).round().astype(np.int16)
    return np.asarray(cv2.LUT(pattern, table), np.int16)


def _waves(
    size: tuple[int, ...], waves_per_pixel: float, strength: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int16]:
    """Return waves in any direction, (height, width, 3), of this strength in each channel."""
    angle = rng.uniform(0, 2 * np.pi)
    height, width = size
    columns = np.arange(width) * (256 * waves_per_pixel * np.cos(angle))
    rows = np.arange(height) * (256 * waves_per_pixel * np.sin(angle))
    phases = columns.astype(np.int64) + rows.astype(np.int64)[:, None]
    wave = np.sin(np.arange(256) * (2 * np.pi / 256))
    table: NDArray[np.int16] = (wave[:, None] * strength).round().astype(np.int16)
    waves: NDArray[np.int16] = np.take(table, phases & 255, axis=0)
    return waves


def _draw_stroke(image: Image, rng: np.random.Generator) -> None:
    """Draw a line or an arc: no shape of ours, but of like colours and edges."""
    height, width = image.shape[:2]
    color: Any = rng.integers(0, 256, 3).tolist()
    line = int(rng.integers(1, 7))
    start, end = rng.integers((0, 0), (width, height), (2, 2)).tolist()
    if rng.random() < 0.5:
        cv2.line(image, start, end, color, line, cv2.LINE_AA)
    else:
        axes = rng.integers(8, max(image.shape) // 4, 2).tolist()
        angle, span = rng.integers(0, 360), rng.integers(40, 200)
        cv2.ellipse(image, start, axes, int(angle), 0, int(span), color, line, cv2.LINE_AA)


def _add_noise(image: Image, rng: np.random.Generator) -> Image:
    """Return the image with noise, some of them blurred before."""
    if rng.random() < 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)
    noise = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    return _add(image, _around_zero(noise, rng.uniform(0, 20)))
