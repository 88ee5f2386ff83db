"""Draw the street scene of the README: `python assets/draw_scene.py assets/street.jpg`.

It is drawn, not photographed, so that it belongs to the project; a YOLOX that was trained on photos knows its objects.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Color = tuple[int, int, int]
    Point = tuple[float, float]

HEIGHT, WIDTH = 720, 1280
FINE = 3  # drawn this many times larger, then shrunk, so that edges are smooth
BLACK, GREY, WHITE = (30, 30, 30), (75, 75, 75), (245, 245, 245)


class Pen:
    """Draws on a canvas in pixels of the final picture."""

    def __init__(self) -> None:
        shade = np.linspace(0, 1, HEIGHT * FINE)[:, None, None]
        sky = np.array((235, 190, 130)) * (1 - shade) + np.array((245, 235, 220)) * shade
        self.canvas = np.tile(sky, (1, WIDTH * FINE, 1)).astype(np.uint8)

    def polygon(self, color: Color, *corners: Point) -> None:
        cv2.fillPoly(self.canvas, [(np.array(corners) * FINE).round().astype(np.int32)], color, cv2.LINE_AA)

    def box(self, color: Color, x: float, y: float, width: float, height: float) -> None:
        self.polygon(color, (x, y), (x + width, y), (x + width, y + height), (x, y + height))

    def regular(self, color: Color, corners: int, center: Point, radius: float, turn: float) -> None:
        angles = np.deg2rad(turn + np.arange(corners) * 360 / corners)
        self.polygon(color, *[(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in angles])

    def disc(self, color: Color, x: float, y: float, radius: float, flat: float = 1) -> None:
        axes = (round(radius * FINE), round(radius * flat * FINE))
        cv2.ellipse(self.canvas, (round(x * FINE), round(y * FINE)), axes, 0, 0, 360, color, cv2.FILLED, cv2.LINE_AA)

    def line(self, color: Color, start: Point, end: Point, width: float) -> None:
        start, end = ((round(x * FINE), round(y * FINE)) for x, y in (start, end))
        cv2.line(self.canvas, start, end, color, round(width * FINE), cv2.LINE_AA)

    def text(self, color: Color, text: str, center: Point, width: float) -> None:
        font, weight = cv2.FONT_HERSHEY_SIMPLEX, 9
        scale = width * FINE / cv2.getTextSize(text, font, 1, weight)[0][0]
        (text_width, text_height), _ = cv2.getTextSize(text, font, scale, weight)
        origin = (round(center[0] * FINE - text_width / 2), round(center[1] * FINE + text_height / 2))
        cv2.putText(self.canvas, text, origin, font, scale, color, weight, cv2.LINE_AA)


def street(pen: Pen) -> None:
    pen.polygon((110, 160, 120), (0, 470), (WIDTH, 450), (WIDTH, 540), (0, 540))
    pen.box((110, 110, 112), 0, 530, WIDTH, HEIGHT - 530)
    for left in range(-40, WIDTH, 180):
        pen.polygon((225, 230, 230), (left, 640), (left + 90, 640), (left + 80, 652), (left - 10, 652))


def stop_sign(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.line((120, 120, 125), (x, y), (x, y + 4.4 * radius), 0.16 * radius)
    pen.regular(WHITE, 8, (x, y), radius, 22.5)
    pen.regular((35, 25, 190), 8, (x, y), 0.92 * radius, 22.5)
    pen.text(WHITE, "STOP", (x, y), 1.4 * radius)


def clock(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.line(GREY, (x, y), (x, y + 4.4 * radius), 0.2 * radius)
    pen.disc(BLACK, x, y, radius)
    pen.disc(WHITE, x, y, 0.88 * radius)
    for angle in np.arange(0, 2 * np.pi, np.pi / 6):
        inner, outer = 0.68 * radius, 0.8 * radius
        start = (x + inner * np.cos(angle), y + inner * np.sin(angle))
        pen.line(BLACK, start, (x + outer * np.cos(angle), y + outer * np.sin(angle)), 0.06 * radius)
    pen.line(BLACK, (x, y), (x + 0.35 * radius, y - 0.3 * radius), 0.08 * radius)
    pen.line(BLACK, (x, y), (x - 0.2 * radius, y - 0.65 * radius), 0.05 * radius)


def traffic_light(pen: Pen, x: float, y: float, width: float) -> None:
    pen.line(GREY, (x + width / 2, y), (x + width / 2, y + 7 * width), 0.2 * width)
    pen.box((40, 48, 45), x, y, width, 2.6 * width)
    for row, color in enumerate(((60, 60, 250), (30, 70, 80), (40, 70, 40))):
        pen.disc(color, x + width / 2, y + 2.6 * width * (row + 0.5) / 3, 0.34 * width)


def kite(pen: Pen, x: float, y: float, radius: float) -> None:
    top, left, right, bottom = (x, y - radius), (x - 0.7 * radius, y), (x + 0.7 * radius, y), (x, y + 1.4 * radius)
    for color, a, b in (
        ((50, 50, 230), top, right),
        ((60, 200, 250), top, left),
        ((220, 120, 40), left, bottom),
        ((80, 180, 60), right, bottom),
    ):
        pen.polygon(color, a, b, (x, y))
    steps = np.linspace(0, 1, 30)
    tail = [(x + 30 * np.sin(7 * step), bottom[1] + 110 * step) for step in steps]
    for start, end in pairwise(tail):
        pen.line(GREY, start, end, 2)


def bus(pen: Pen, x: float, y: float, width: float) -> None:
    height = 0.42 * width
    pen.disc(GREY, x + width / 2, y + 1.06 * height, 0.52 * width, 0.06)
    pen.box((40, 170, 240), x, y, width, height)
    pen.box((30, 120, 190), x, y + 0.62 * height, width, 0.08 * height)
    for column in range(6):
        left = x + width * (0.03 + 0.135 * column)
        top, bottom = y + 0.14 * height, y + 0.4 * height
        pen.box((110, 90, 70), left, top, 0.115 * width, 0.38 * height)
        pen.polygon((190, 170, 140), (left, top), (left + 0.05 * width, top), (left, bottom))
    pen.box((100, 85, 65), x + 0.86 * width, y + 0.14 * height, 0.11 * width, 0.78 * height)
    for axle in (0.2, 0.72):
        pen.disc(BLACK, x + axle * width, y + height, 0.075 * width)
        pen.disc((150, 150, 150), x + axle * width, y + height, 0.035 * width)


def scene() -> NDArray[np.uint8]:
    pen = Pen()
    street(pen)
    kite(pen, 640, 110, 75)
    bus(pen, 420, 330, 480)
    stop_sign(pen, 190, 250, 78)
    traffic_light(pen, 1000, 150, 62)
    clock(pen, 1160, 260, 68)
    image = cv2.resize(pen.canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    picture: NDArray[np.uint8] = np.clip(image + grain, 0, 255).astype(np.uint8)
    return picture


if __name__ == "__main__":
    cv2.imwrite(sys.argv[1], scene(), [cv2.IMWRITE_JPEG_QUALITY, 85])
