"""COCO's classes, and what a user may call a class."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from yoloxfast._core import MAX_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import SupportsIndex, TypeAlias

    Classes: TypeAlias = SupportsIndex | str | Iterable[SupportsIndex | str] | "AllClasses"
    """One class or several, by id or name, or `ALL_CLASSES`."""

__all__ = [
    "ALL_CLASSES",
    "COCO_CATEGORY_IDS",
    "COCO_NAMES",
    "AllClasses",
    "resolve_classes",
]


class AllClasses(Enum):
    """The type of `ALL_CLASSES`."""

    ALL_CLASSES = "all classes"

    def __repr__(self) -> str:
        return f"yoloxfast.{self.name}"


ALL_CLASSES: Final = AllClasses.ALL_CLASSES
"""As `classes`: no restriction, also where a detector has one of its own."""

COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip

_COCO_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}

COCO_CATEGORY_IDS = tuple(category for category in range(1, 91) if category not in _COCO_UNUSED_IDS)
"""Category id in COCO's annotation files of each of the 80 classes."""


def resolve_classes(classes: Classes | None, names: Sequence[str]) -> list[int] | None:
    """Turn class ids and names, in any mixture, into ids; None and `ALL_CLASSES` into None, which means no restriction.

    Raises
    ------
    ValueError
        An id or name that the model does not have; none at all, or more than any model has.
    TypeError
        Something that is neither.
    """
    if classes is None or classes is ALL_CLASSES:
        return None
    if isinstance(classes, (int, np.integer, str)):
        return _class_ids(classes, names)
    if isinstance(classes, bytes) or not isinstance(classes, Iterable):
        raise TypeError(f"classes must be ids or names, got {classes!r}")
    wanted = list(islice(classes, MAX_CLASSES + 1))  # it may never end
    if not wanted:
        raise ValueError("classes is empty, so nothing would be found: leave it out, or pass yoloxfast.ALL_CLASSES")
    if len(wanted) > MAX_CLASSES:
        raise ValueError(f"classes are more than {MAX_CLASSES}, the most that a model can have")
    return [class_id for each in wanted for class_id in _class_ids(each, names)]


def _class_ids(wanted: SupportsIndex | str, names: Sequence[str]) -> list[int]:
    """Return the id that is meant; several where a name stands for several classes."""
    if isinstance(wanted, str):
        if wanted in names:
            return [class_id for class_id, name in enumerate(names) if name == wanted]
        from difflib import get_close_matches

        close = get_close_matches(wanted, names) or names[:5]
        raise ValueError(f"unknown class {wanted!r}, perhaps you meant {' or '.join(map(repr, close))}")
    try:
        class_id = wanted.__index__()
    except AttributeError:
        raise TypeError(f"classes must be ids or names, got {wanted!r}") from None
    if not 0 <= class_id < len(names):
        raise ValueError(f"unknown class id {class_id}, the model's classes are 0 to {len(names) - 1}")
    return [class_id]
