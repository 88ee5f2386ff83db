"""Boxes and labels on an image."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast.arguments import check_image
from yoloxfast.text import is_harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["class_color", "draw", "ink_on"]

_MAX_ELONGATION = 2
"""How many times its shorter side the size of an image may count: else letters are higher than a long image."""

_MANY = 50
"""Labels from which on NumPy is faster than Python."""

_GOLDEN_RATIO = (5**0.5 - 1) / 2


class _Style(NamedTuple):
    """Sizes in pixels that suit an image."""

    line: int
    padding: int
    font_scale: float
    font_line: int

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _Style:
        side = min(sum(image.shape[:2]) / 2, _MAX_ELONGATION * min(image.shape[:2]))
        line = max(1, round(side / 320))
        return cls(line=line, padding=line + 1, font_scale=max(0.4, side / 1400), font_line=max(1, round(side / 900)))


class _Label(NamedTuple):
    """A filled rectangle with a line of text."""

    left: int
    top: int
    right: int
    bottom: int
    text: str
    baseline: int

    def overlaps(self, other: _Label) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class _Places:
    """Where labels are: left, top, right and bottom of each."""

    def __init__(self, most: int) -> None:
        self._edges = np.empty((4, most), np.int64)
        self._labels: list[_Label] = []

    def add(self, label: _Label) -> None:
        self._edges[:, len(self._labels)] = label[:4]
        self._labels.append(label)

    def overlap(self, label: _Label) -> bool:
        if len(self._labels) < _MANY:
            return any(label.overlaps(other) for other in self._labels)
        left, top, right, bottom = self._edges[:, : len(self._labels)]
        beside = (left < label.right) & (label.left < right)
        return bool((beside & (top < label.bottom) & (label.top < bottom)).any())


def class_color(class_id: int) -> tuple[int, int, int]:
    """Return the BGR colour of a class: the same in every image, and far from those of its neighbours."""
    hue = (class_id * _GOLDEN_RATIO) % 1
    value = (1.0, 0.8)[class_id % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def draw(
    image: NDArray[Any], xyxy: NDArray[np.float32], class_ids: Sequence[int], labels: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw boxes with labels on a copy of the image, the first uppermost; see `Detections.draw`."""
    from yoloxfast.opencv import cv2

    check_image(image)
    canvas = np.array(image, order="C")
    style = _Style.of(canvas)
    height, width = canvas.shape[:2]
    limits = np.array((width, height, width, height)) + style.line
    corners = np.clip(xyxy, -style.line, limits).round().astype(int).tolist()
    placed: list[_Label] = []
    taken = _Places(len(labels))
    for text, (x1, y1, _, y2) in zip(labels, corners, strict=True):
        placed.append(_place_label(_drawable(text), x1, (y1, y2), taken, (height, width), style))
        taken.add(placed[-1])

    colors = [class_color(class_id) for class_id in class_ids]
    weakest_first = range(len(placed) - 1, -1, -1)
    for index in weakest_first:
        x1, y1, x2, y2 = corners[index]
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colors[index], style.line, cv2.LINE_AA)
    for index in weakest_first:
        label, color = placed[index], colors[index]
        cv2.rectangle(canvas, (label.left, label.top), (label.right - 1, label.bottom - 1), color, cv2.FILLED)
        origin = (label.left + style.padding, label.baseline)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(canvas, label.text, origin, font, style.font_scale, ink_on(color), style.font_line, cv2.LINE_AA)
    return canvas


def _drawable(text: str) -> str:
    """Return a text without what OpenCV crashes on or draws as something else: halves of UTF-16 pairs, line breaks."""
    return "".join(letter if is_harmless(letter) else "?" for letter in text)


def _place_label(
    text: str, x1: int, edges: tuple[int, int], taken: _Places, size: tuple[int, int], style: _Style
) -> _Label:
    """Put a label above its box, inside at the top, inside at the bottom, or below: where it covers no better one."""
    from yoloxfast.opencv import cv2

    (text_width, text_height), descent = cv2.getTextSize(
        text, cv2.FONT_HERSHEY_SIMPLEX, style.font_scale, style.font_line
    )
    width, height = text_width + 2 * style.padding, text_height + descent + 2 * style.padding
    top_edge, bottom_edge = edges
    image_height, image_width = size
    left = max(0, min(x1 - style.line // 2, image_width - width))
    places = []
    for wanted_top in (top_edge - height, top_edge, bottom_edge - height, bottom_edge):
        top = max(0, min(wanted_top, image_height - height))
        places.append(_Label(left, top, left + width, top + height, text, top + style.padding + text_height))
    free = (label for label in places if not taken.overlap(label))
    return next(free, places[0])


def ink_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever reads better (luma of ITU-R BT.601)."""
    blue, green, red = color
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 140  # noqa: PLR2004
    return (0, 0, 0) if is_bright else (255, 255, 255)
