"""The letterbox against OpenCV: `make bench`. One core; each result is checked before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import yoloxfast
from inputs import SIZE
from rivals import LETTERBOX
from yoloxfast import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

SHAPES = ((480, 640), (720, 1280), (1080, 1920), (2160, 3840))


def ours(image: NDArray[np.uint8], size: tuple[int, int], out: NDArray[np.float32]) -> None:
    yoloxfast.letterbox(image, size, out=out)


PROGRAMS: dict[str, Callable[..., object]] = {"yoloxfast": ours, **LETTERBOX}


@pytest.mark.parametrize("program", [*PROGRAMS, "cv2.resize alone"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[1]}x{shape[0]}")
def test_letterbox(benchmark: BenchmarkFixture, shape: tuple[int, int], program: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    expected, scale = reference.letterbox(image, SIZE)
    out = np.empty_like(expected)
    resize = partial(cv2.resize, image, (int(shape[1] * scale), int(shape[0] * scale)))
    call = partial(PROGRAMS[program], image, SIZE, out) if program in PROGRAMS else resize
    call()
    if program in PROGRAMS:
        np.testing.assert_array_equal(out, expected)
    benchmark.group = f"{shape[1]}x{shape[0]} to {SIZE[1]}x{SIZE[0]}, float32"
    benchmark.extra_info.update(table="Letterbox", program=program)
    benchmark(call)
