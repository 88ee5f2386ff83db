"""The letterbox against OpenCV: `make bench`. Each result is checked before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import yoloxfast
from inputs import IN_TURNS, SIZE
from rivals import LETTERBOX, cv2_grey, cv2_letterbox, cv2_pixels
from yoloxfast import Letterbox, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

    from rivals import Write

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
@IN_TURNS
def test_letterbox(
    benchmark: BenchmarkFixture, shape: tuple[int, int], side: int, threads: int, turn: int, program: str
) -> None:
    image, size = random_image(shape), (side, side)
    expected, _ = reference.letterbox(image, size)
    out = np.empty_like(expected)
    ours = {"yoloxfast": in_place(out, threads=threads), "border each time": with_border(size, out, threads)}
    call = partial(ours[program] if program in ours else LETTERBOX[program](shape, size, out), image)
    if program != "cv2.resize alone":
        np.testing.assert_array_equal(call(), expected)
    benchmark.group = f"{shape[1]}x{shape[0]} to {side}x{side}"
    table = f"Letterbox, float32, {threads} thread{'s' * (threads > 1)} (cv2.setNumThreads({threads}))"
    benchmark.extra_info.update(table=table, program=program, turn=turn)
    benchmark(call)


FORMS: dict[str, tuple[type[np.generic], tuple[int, ...], Callable[..., Write]]] = {
    "float16": (np.float16, (3, *SIZE), cv2_letterbox),
    "uint8": (np.uint8, (3, *SIZE), cv2_letterbox),
    "uint8 pixels": (np.uint8, (*SIZE, 3), cv2_pixels),
    "float32 pixels": (np.float32, (*SIZE, 3), cv2_pixels),
    "float16 pixels": (np.float16, (*SIZE, 3), cv2_pixels),
    "float32 grey": (np.float32, (1, *SIZE), cv2_grey),
}


@pytest.mark.parametrize("program", ["yoloxfast", "careful cv2"])
@pytest.mark.parametrize("form", FORMS)
@IN_TURNS
def test_forms(benchmark: BenchmarkFixture, form: str, turn: int, program: str) -> None:
    dtype, out_shape, rival = FORMS[form]
    shape = (1080, 1920)
    image, out = random_image(shape), np.empty(out_shape, dtype)
    call = partial(in_place(out) if program == "yoloxfast" else rival(shape, SIZE, out), image)
    np.testing.assert_array_equal(call(), reference.letterbox(image, SIZE, out=np.empty_like(out))[0])
    benchmark.group = f"1920x1080 to {SIZE[1]}x{SIZE[0]}, {form}"
    benchmark.extra_info.update(table="Letterbox, other forms", program=program, turn=turn)
    benchmark(call)


@pytest.mark.parametrize("program", ["yoloxfast", "NumPy and cv2 as in YOLOX"])
@IN_TURNS
def test_legacy(benchmark: BenchmarkFixture, turn: int, program: str) -> None:
    image, out = random_image((1080, 1920)), np.empty((3, *SIZE), np.float32)
    calls: dict[str, Callable[[], NDArray[Any]]] = {
        "yoloxfast": partial(in_place(out, legacy=True), image),
        "NumPy and cv2 as in YOLOX": lambda: reference.letterbox(image, SIZE, legacy=True)[0],
    }
    np.testing.assert_array_equal(calls[program](), reference.letterbox(image, SIZE, legacy=True)[0])
    benchmark.group = f"1920x1080 to {SIZE[1]}x{SIZE[0]}, float32"
    benchmark.extra_info.update(table="Letterbox, legacy", program=program, turn=turn)
    benchmark(calls[program])


def in_place(out: NDArray[Any], **options: Any) -> Write:
    """Write the border once, as for an input that is used again."""
    write = Letterbox(out)

    def call(image: NDArray[np.uint8]) -> NDArray[Any]:
        write(image, **options)
        return out

    return call


def with_border(size: tuple[int, int], out: NDArray[Any], threads: int) -> Write:
    return lambda image: yoloxfast.letterbox(image, size, out=out, threads=threads)[0]


def random_image(shape: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
