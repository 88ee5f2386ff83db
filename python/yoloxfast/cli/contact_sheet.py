"""The picture of `yoloxfast doctor`: a row of photos for each way of feeding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from yoloxfast.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ContactSheet"]

_HEIGHT, _WIDTH = 180, 240
"""Of a photo at most, in pixels."""

_TITLE, _GAP = 24, 4
_WHITE = 255
_MAX_PHOTOS = 6
_LEAST_SCORE = 0.3
_MAX_BOXES = 20


class ContactSheet:
    """Small copies of the first photos, with the best boxes of each way of feeding."""

    def __init__(self) -> None:
        self._columns: list[list[NDArray[np.uint8]]] = []

    def add(self, photo: NDArray[np.uint8], found: Sequence[Detections]) -> None:
        """Add a photo, if there is room, and what was found in it in each way of feeding."""
        from yoloxfast.opencv import cv2

        if len(self._columns) == _MAX_PHOTOS:
            return
        height, width, _ = photo.shape
        scale = min(_HEIGHT / height, _WIDTH / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        best = [each[each.scores >= _LEAST_SCORE][:_MAX_BOXES] for each in found]
        self._columns.append(
            [Detections(each.xyxy * scale, each.scores, each.class_ids, each.names).draw(small) for each in best]
        )

    def draw(self, rows: Sequence[int], titles: Sequence[str]) -> NDArray[np.uint8]:
        """Return the picture: these rows of the ways of feeding, in this order, each below its title."""
        from yoloxfast.opencv import cv2

        pitch, step = _TITLE + _HEIGHT + _GAP, _WIDTH + _GAP
        sheet = np.full((pitch * len(rows), step * len(self._columns) - _GAP, 3), _WHITE, np.uint8)
        for place, (row, title) in enumerate(zip(rows, titles, strict=True)):
            top = pitch * place
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(sheet, title, (_GAP, top + _TITLE - 8), font, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
            for number, column in enumerate(self._columns):
                height, width, _ = column[row].shape
                left = step * number
                sheet[top + _TITLE : top + _TITLE + height, left : left + width] = column[row]
        return sheet
