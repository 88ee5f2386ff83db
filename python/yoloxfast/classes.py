"""Class names, and what a user may call a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import SupportsIndex, TypeAlias

    Classes: TypeAlias = SupportsIndex | str | Iterable[SupportsIndex | str]
    """One class or several, by id or name."""

__all__ = ["COCO_CATEGORY_IDS", "COCO_NAMES", "checked_names", "default_names", "resolve_classes"]

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


def default_names(num_classes: int) -> tuple[str, ...]:
    """Name the classes of a model that does not name them: COCO's for 80, else "class 0" and so on."""
    if num_classes == len(COCO_NAMES):
        return COCO_NAMES
    return tuple(f"class {class_id}" for class_id in range(num_classes))


def checked_names(names: Sequence[str], num_classes: int) -> tuple[str, ...]:
    """Return `names` as a tuple if they are one string per class, else raise `TypeError` or `ValueError`."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a sequence of strings, got {names!r}")
    if len(names) != num_classes:
        raise ValueError(f"got {len(names)} names for {num_classes} classes")
    return tuple(names)


def resolve_classes(classes: Classes, names: Sequence[str]) -> list[int]:
    """Turn class ids and names, in any mixture, into ids.

    Raises
    ------
    ValueError
        An id or name that the model does not have.
    TypeError
        Something that is neither.
    """
    if isinstance(classes, (int, np.integer, str)):
        return [_class_id(classes, names)]
    return [_class_id(wanted, names) for wanted in cast("Iterable[SupportsIndex | str]", classes)]


def _class_id(wanted: SupportsIndex | str, names: Sequence[str]) -> int:
    if isinstance(wanted, str):
        if wanted in names:
            return names.index(wanted)
        from difflib import get_close_matches

        close = get_close_matches(wanted, names) or names[:5]
        raise ValueError(f"unknown class {wanted!r} of {len(names)}, perhaps you meant {', '.join(map(repr, close))}")
    try:
        class_id = wanted.__index__()
    except AttributeError:
        raise TypeError(f"classes must be ids or names, got {wanted!r}") from None
    if not 0 <= class_id < len(names):
        raise ValueError(f"unknown class id {class_id}, the model's classes are 0 to {len(names) - 1}")
    return class_id
