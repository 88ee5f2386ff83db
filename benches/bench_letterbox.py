"""The letterbox against OpenCV: `make bench`. Each result is checked before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import yoloxfast
from inputs import SIZE
from rivals import LETTERBOX
from yoloxfast import Letterbox, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

SHAPES = ((480, 640), (720, 1280), (1080, 1920), (2160, 3840))
SIDES = (640, 416)
PROGRAMS = ("yoloxfast", "border each time", *LETTERBOX)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Give OpenCV as many threads as ours gets."""
    count: int = request.param
    cv2.setNumThreads(count)
    yield count
    cv2.setNumThreads(1)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[1]}x{shape[0]}")
def test_letterbox(benchmark: BenchmarkFixture, shape: tuple[int, int], side: int, threads: int, program: str) -> None:
    image, size = random_image(shape), (side, side)
    expected, _ = reference.letterbox(image, size)
    out = np.empty_like(expected)
    ours: dict[str, Callable[[], object]] = {
        "yoloxfast": partial(Letterbox(out), image, threads=threads),
        "border each time": partial(yoloxfast.letterbox, image, size, out=out, threads=threads),
    }
    call = ours[program] if program in ours else partial(LETTERBOX[program](shape, size, out), image)
    call()
    if program != "cv2.resize alone":
        np.testing.assert_array_equal(out, expected)
    benchmark.group = f"{shape[1]}x{shape[0]} to {side}x{side}"
    table = f"Letterbox, float32, {threads} thread{'s' * (threads > 1)} (cv2.setNumThreads({threads}))"
    benchmark.extra_info.update(table=table, program=program)
    benchmark(call)


FORMS: dict[str, tuple[type[np.generic], bool, bool]] = {
    "float32": (np.float32, False, False),
    "float16": (np.float16, False, False),
    "uint8": (np.uint8, False, False),
    "uint8 pixels": (np.uint8, True, False),
    "float32, legacy": (np.float32, False, True),
    "float16, legacy": (np.float16, False, True),
}


@pytest.mark.parametrize("program", ["yoloxfast", "NumPy and cv2 as in YOLOX"])
@pytest.mark.parametrize("form", FORMS)
def test_forms(benchmark: BenchmarkFixture, form: str, program: str) -> None:
    dtype, interleaved, legacy = FORMS[form]
    image, out = random_image((1080, 1920)), np.empty((*SIZE, 3) if interleaved else (3, *SIZE), dtype)
    expected, _ = reference.letterbox(image, SIZE, out=np.empty_like(out), legacy=legacy)
    calls: dict[str, Callable[[], Any]] = {
        "yoloxfast": partial(Letterbox(out), image, legacy=legacy),
        "NumPy and cv2 as in YOLOX": partial(reference.letterbox, image, SIZE, out=out, legacy=legacy),
    }
    calls[program]()
    np.testing.assert_array_equal(out, expected)
    benchmark.group = f"1920x1080 to {SIZE[1]}x{SIZE[0]}, {form}"
    benchmark.extra_info.update(table="Letterbox, other forms", program=program)
    benchmark(calls[program])


def random_image(shape: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
