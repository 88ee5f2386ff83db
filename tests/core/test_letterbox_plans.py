"""How images of a size are resized is kept in what uses it: a Letterbox of many sizes, a batch of mixed ones."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from yoloxfast import Letterbox, letterbox_batch, reference
from yoloxfast.input_format import pixel_format
from yoloxfast.network_input import NetworkInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = (48, 64)
SHAPES = ((48, 64), (96, 128), (30, 30), (100, 20), (7, 150), (64, 48), (1, 1))


def image_of(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def expected(image: NDArray[np.uint8], **options: Any) -> NDArray[np.float32]:
    tensor, _ = reference.letterbox(image, SIZE, **options)
    return tensor


@pytest.mark.parametrize("sizes", [2, 4, 5, 7])
def test_sizes_may_alternate(sizes: int) -> None:
    write = Letterbox(np.full((3, *SIZE), np.nan, np.float32))
    for turn in range(3 * sizes):
        image = image_of(SHAPES[turn % sizes], turn)
        legacy = turn % 5 == 4
        scale = write(image, legacy=legacy)
        np.testing.assert_array_equal(write.out, expected(image, legacy=legacy))
        assert scale == min(SIZE[0] / image.shape[0], SIZE[1] / image.shape[1])


def test_random_sizes_leave_nothing_of_each_other() -> None:
    random = np.random.default_rng(1)
    write = Letterbox(np.full((*SIZE, 3), 7, np.uint8))
    shapes = [tuple(random.integers(1, 90, 2)) for _ in range(9)]
    for seed in range(100):
        image = image_of(shapes[random.integers(len(shapes))], seed)
        write(image, color="rgb")
        np.testing.assert_array_equal(write.out, expected(image, color="rgb").transpose(1, 2, 0))


def test_a_scale_in_single_precision_gives_the_size_of_yolox_in_cpp() -> None:
    batch = np.full((1, 3, 640, 640), np.nan, np.float32)
    network_input = NetworkInput(batch)
    changed = 0
    for height, width in [(1064, 640), (1077, 640), (480, 640), (1064, 640), (640, 1101), (3, 2000)]:
        image = image_of((height, width))
        for single_precision in (True, False):
            pixels = pixel_format(batch.dtype, 3, single_precision=single_precision)
            [scale] = network_input.write(0, [image], pixels, threads=1)
            wanted, wanted_scale = reference.letterbox(image, (640, 640), single_precision=single_precision)
            np.testing.assert_array_equal(batch[0], wanted)
            assert scale == wanted_scale
            assert (scale == np.float32(scale)) or not single_precision
        in_cpp, _ = reference.letterbox(image, (640, 640), single_precision=True)
        changed += not np.array_equal(in_cpp, batch[0])
    assert changed == 4


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_may_mix_sizes(threads: int) -> None:
    images = [image_of(SHAPES[number % len(SHAPES)], number) for number in range(20)]
    tensor, scales = letterbox_batch(images, SIZE, threads=threads)
    assert len(set(scales)) > 3
    for image, found in zip(images, tensor, strict=True):
        np.testing.assert_array_equal(found, expected(image))


def test_threads_take_turns_with_one_letterbox() -> None:
    write = Letterbox(np.full((3, *SIZE), np.nan, np.float32))
    images = [image_of(shape, seed) for seed, shape in enumerate(SHAPES)]
    barrier = threading.Barrier(len(images))

    def work(image: NDArray[np.uint8]) -> None:
        barrier.wait()
        for _ in range(50):
            write(image)

    with ThreadPoolExecutor(len(images)) as pool:
        list(pool.map(work, images))
    write(images[2])
    np.testing.assert_array_equal(write.out, expected(images[2]))
