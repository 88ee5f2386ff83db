"""The letterbox of frames that lie in memory, not in a cache, as a camera or a decoder gives them: `make bench`.

Beside it stands how long reading every byte of such a frame takes. A letterbox can be faster, as it may skip rows.
"""

from __future__ import annotations

from functools import cache
from itertools import cycle
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inputs import IN_TURNS
from rivals import cv2_letterbox
from yoloxfast import Letterbox, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

    Frame = NDArray[np.uint8]

BYTES = 192_000_000
"""Size of all frames that take turns: more than caches hold."""
SIDES = {(720, 1280): 416, (1080, 1920): 640, (2160, 3840): 640}


@cache
def memory() -> Frame:
    return np.random.default_rng(0).integers(0, 256, BYTES, np.uint8)


@cache
def new_frames(shape: tuple[int, int]) -> Iterator[Frame]:
    """Return an endless iterator, shared by all programs: each frame is the one that was used longest ago."""
    size = 3 * prod(shape)
    count = BYTES // size
    return cycle(memory()[: count * size].reshape(count, *shape, 3))


def read(frame: Frame) -> None:
    """Read every byte, eight at a time, in the vector code of NumPy."""
    frame.reshape(-1).view(np.uint64).max()


@pytest.mark.parametrize("program", ["yoloxfast", "careful cv2", "reading every byte"])
@pytest.mark.parametrize("shape", SIDES, ids=lambda shape: f"{shape[1]}x{shape[0]}")
@IN_TURNS
def test_letterbox_of_new_frames(benchmark: BenchmarkFixture, shape: tuple[int, int], turn: int, program: str) -> None:
    frames, size = new_frames(shape), (SIDES[shape], SIDES[shape])
    out = np.empty((3, *size), np.float32)
    programs: dict[str, Callable[[Frame], object]] = {
        "yoloxfast": Letterbox(out),
        "careful cv2": cv2_letterbox(shape, size, out),
        "reading every byte": read,
    }
    run, frame = programs[program], next(frames)
    run(frame)
    if program != "reading every byte":
        np.testing.assert_array_equal(out, reference.letterbox(frame, size)[0])
    benchmark.group = f"{shape[1]}x{shape[0]} to {size[1]}x{size[0]}"
    benchmark.extra_info.update(table="Letterbox of new frames, float32", program=program, turn=turn)
    benchmark(lambda: run(next(frames)))
