"""Heads of several outputs: one map per level, or three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast._core import BOX_COLUMNS, SCORE_LIMIT
from yoloxfast.backends.head import Head, Reading
from yoloxfast.backends.head_values import cells_of, columns_of, meaning_of
from yoloxfast.backends.row_heads import FLOATS, KNOWN_STRIDES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends.head import Probe
    from yoloxfast.forms import Layout

__all__ = ["readings"]

_STRIDES = sorted({stride for strides in KNOWN_STRIDES for stride in strides})
_BOX_CHANNELS = 4


class _Map(NamedTuple):
    """An output that covers the input with the cells of one level."""

    name: str
    stride: int
    values: NDArray[Any]
    """(batch, channels, rows, columns), whichever way the output has them."""

    @property
    def channels(self) -> int:
        return int(self.values.shape[1])

    @property
    def rows(self) -> NDArray[Any]:
        return self.values.reshape(*self.values.shape[:2], -1).transpose(0, 2, 1)


def readings(probe: Probe) -> list[Reading]:
    """Return what the outputs together can be read as, by their shapes."""
    found: list[Reading] = []
    for is_channels_last in (False, True):
        maps = list(_maps(probe, is_channels_last=is_channels_last))
        by_stride: dict[int, list[_Map]] = {}
        for each in maps:
            by_stride.setdefault(each.stride, []).append(each)
        if len(by_stride) < 2 and probe.hints.strides is None:  # noqa: PLR2004  # any picture of features is one map
            continue
        strides = tuple(sorted(by_stride) if probe.hints.strides is None else probe.hints.strides)
        levels = [by_stride.get(stride, []) for stride in strides]
        layout: Layout = "pixel-maps" if is_channels_last else "maps"
        whole = [[each for each in level if each.channels > BOX_COLUMNS] for level in levels]
        if split := _split(levels):
            rows = [np.concatenate([part.rows for part in level], axis=2) for level in split]
            in_order = [part for level in split for part in level]
            found.append(_reading(probe, in_order, rows, "split-maps", is_channels_last=is_channels_last))
        elif all(len(level) == 1 for level in whole) and len({level[0].channels for level in whole}) == 1:
            found.append(_reading(probe, [level[0] for level in whole], [level[0].rows for level in whole], layout))
    return found


def _maps(probe: Probe, *, is_channels_last: bool) -> Iterator[_Map]:
    height, width = probe.input_size
    for name, output in probe.outputs.items():
        if output.ndim != 4 or output.shape[0] != probe.batch or output.dtype not in FLOATS:  # noqa: PLR2004
            continue
        values = np.moveaxis(output, -1, 1) if is_channels_last else output
        for stride in probe.hints.strides or _STRIDES:
            if values.shape[2:] == (-(-height // stride), -(-width // stride)):
                yield _Map(name, stride, values)
                break  # in small inputs, one cell covers all from some stride on


def _reading(
    probe: Probe, maps: Sequence[_Map], rows: Sequence[NDArray[Any]], layout: Layout, *, is_channels_last: bool = False
) -> Reading:
    strides = tuple(dict.fromkeys(each.stride for each in maps))
    columns = columns_of(rows[0].shape[2], probe.hints)
    all_rows = np.concatenate(rows, axis=1)
    meaning = meaning_of(all_rows, cells_of(probe.input_size, strides), columns, probe.hints)
    head = Head(
        probe.input_size,
        strides,
        columns.num_classes,
        tuple(each.name for each in maps),
        layout=layout,
        decoded=meaning.decoded,
        logits=meaning.logits,
        extra_columns=columns.extra,
        arrange=_channels_first if is_channels_last else None,
    )
    return Reading(head, meaning.problem)


def _channels_first(arrays: Sequence[NDArray[Any]], images: int) -> list[NDArray[Any]]:
    return [np.ascontiguousarray(np.moveaxis(array[:images], -1, 1)) for array in arrays]


def _split(levels: Sequence[Sequence[_Map]]) -> list[tuple[_Map, _Map, _Map]] | None:
    """Tell box, objectness and classes of each level apart, by their channels; None if they are not that."""
    if any(len(level) != 3 for level in levels):  # noqa: PLR2004
        return None
    split = [_parts(level) for level in levels]
    return [parts for parts in split if parts is not None] if None not in split else None


def _parts(level: Sequence[_Map]) -> tuple[_Map, _Map, _Map] | None:
    boxes = [each for each in level if each.channels == _BOX_CHANNELS]
    ones = [each for each in level if each.channels == 1]
    if not boxes or not ones:
        return None
    objectness = ones[0]  # of one class, either may be the objectness: scores are their product
    if len(boxes) == 2:  # noqa: PLR2004  # a network of four classes
        are_scores = _are_scores(objectness)  # else logits, which are low where nothing is to be seen
        boxes.sort(key=lambda each: (are_scores and _are_scores(each), -float(np.median(each.values))))
    box = boxes[0]
    rest = [each for each in level if each is not box and each is not objectness]
    return box, objectness, rest[0]


def _are_scores(each: _Map) -> bool:
    return bool(np.all((each.values >= 1 - SCORE_LIMIT) & (each.values <= SCORE_LIMIT)))
