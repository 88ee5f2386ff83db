"""What `letterbox` and `letterbox_batch` refuse, and what they say then."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from yoloxfast import Letterbox, letterbox, letterbox_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (None, TypeError, "imread returns None"),
        ("photo.jpg", TypeError, "got str: read files with cv2.imread"),
        ([[1, 2, 3]], TypeError, "got list"),
        (np.zeros((4, 4, 3), np.float32), TypeError, "must be uint8 .* got float32"),
        (np.zeros((4, 4, 3), np.int8), TypeError, "got int8"),
        (np.zeros((4, 4, 3), bool), TypeError, "got bool"),
        (np.zeros((4, 4), np.uint8), ValueError, "grey .*COLOR_GRAY2BGR"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, "four channels .*COLOR_BGRA2BGR"),
        (np.zeros((4, 4, 1), np.uint8), ValueError, r"one channel \(4, 4, 1\): np.repeat"),
        (np.zeros((3, 4, 5), np.uint8), ValueError, r"channels first \(3, 4, 5\): image.transpose"),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError, r"got \(1, 4, 4, 3\)"),
        (np.zeros(3, np.uint8), ValueError, r"got \(3,\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "empty"),
        (np.zeros((4, 0, 3), np.uint8), ValueError, "empty"),
        (np.broadcast_to(np.uint8(5), (1, 2**31 - 1, 3)), ValueError, "too large for OpenCV"),
        (np.broadcast_to(np.uint8(5), (2**20, 2**20, 3)), ValueError, "too large for OpenCV"),
        (np.broadcast_to(np.uint8(5), (2**21, 1, 3)), ValueError, "too large for OpenCV"),
    ],
)
def test_letterbox_refuses_what_is_no_colour_image(image: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        letterbox(image, (64, 64))
    with pytest.raises(error, match=f"image 1 .*{message}"):
        letterbox_batch([IMAGE, image], (64, 64))


@pytest.mark.parametrize("size", [(0, 64), (64, 64, 3), (64,), (-1, 64)])
def test_a_size_is_two_sides(size: Any) -> None:
    with pytest.raises(ValueError, match=r"size must be \(height, width\) in pixels, both at least 1, got"):
        letterbox(IMAGE, size)


@pytest.mark.parametrize("size", [64, (64, 64.0), "large", None])
def test_a_size_is_in_whole_pixels(size: Any) -> None:
    with pytest.raises(TypeError, match=r"size must be \(height, width\) in whole pixels, got"):
        letterbox(IMAGE, size)


def test_a_size_has_a_limit() -> None:
    with pytest.raises(ValueError, match=r"size is 1048577x1 .*, expected sides from 1 to 1048576"):
        letterbox(IMAGE, (2**20 + 1, 1))


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (
            np.zeros((3, 32, 64), np.float32),
            ValueError,
            r"out must be \(3, 64, 64\) or .* got \(3, 32, 64\) of float32",
        ),
        (np.zeros((64, 32, 3), np.float32), ValueError, r"or \(64, 64, 3\), .* got \(64, 32, 3\) of float32"),
        (np.zeros((2, 64, 64), np.float32), ValueError, r"1 instead of 3 if it is grey, got \(2, 64, 64\) of float32"),
        (np.zeros((1, 32, 64), np.float32), ValueError, r"got \(1, 32, 64\) of float32"),
        (np.zeros((12, 64, 64), np.float32), ValueError, r"got \(12, 64, 64\) of float32"),
        (np.zeros((32, 32, 12), np.float32), ValueError, r"got \(32, 32, 12\) of float32"),
        (np.zeros((1, 3, 64, 64), np.uint8), ValueError, r"got \(1, 3, 64, 64\) of uint8"),
        (np.zeros((3, 64, 64)), TypeError, "float32, float16 or uint8, got float64"),
        (np.zeros((3, 64, 64), np.int8), TypeError, "got int8"),
        ([], TypeError, "got list"),
        (np.broadcast_to(np.float32(0), (3, 64, 64)), ValueError, "read-only"),
    ],
)
def test_an_out_is_an_input_of_that_size(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        letterbox(IMAGE, (64, 64), out=out)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((64, 64, 2), np.float32), ValueError, r"or \(height, width, 3\), .* got \(64, 64, 2\) of float32"),
        (np.zeros((32, 32, 12), np.float32), ValueError, r"got \(32, 32, 12\) of float32"),
        (np.zeros((1, 3, 64, 64), np.float32), ValueError, r"got \(1, 3, 64, 64\)"),
        (np.zeros(5, np.float32), ValueError, r"got \(5,\)"),
        (np.zeros((), np.float32), ValueError, r"got \(\)"),
        (np.zeros((3, 64, 64)), TypeError, "float32, float16 or uint8, got float64"),
        (None, TypeError, "got NoneType"),
        ([[[1.0]]], TypeError, "got list"),
        (np.broadcast_to(np.float32(0), (3, 64, 64)), ValueError, "read-only"),
        (np.zeros((3, 64, 128), np.float32)[..., ::2], ValueError, "out is not C-contiguous"),
        (np.zeros((3, 0, 64), np.float32), ValueError, "out is empty"),
    ],
)
def test_a_letterbox_needs_an_input_that_lasts(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Letterbox(out)


def test_the_out_of_a_batch_has_room_for_each_image() -> None:
    with pytest.raises(ValueError, match=r"out must be \(2, 3, 64, 64\) or .* got \(3, 3, 64, 64\) of float32"):
        letterbox_batch([IMAGE, IMAGE], (64, 64), out=np.zeros((3, 3, 64, 64), np.float32))


@pytest.mark.parametrize("images", [None, 5])
def test_a_batch_is_several_images(images: Any) -> None:
    with pytest.raises(TypeError, match="images must be several images, got"):
        letterbox_batch(images, (64, 64))


def test_an_error_of_the_images_own_is_left_alone() -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield IMAGE
        raise TypeError("the decoder failed")

    with pytest.raises(TypeError, match="the decoder failed"):
        letterbox_batch(frames(), (64, 64))


def test_an_error_says_which_image_of_a_batch() -> None:
    out = np.zeros((2, 64, 64, 3), np.uint8)
    for image, message in ((IMAGE[..., ::-1], "image 1 is a view that reverses"), (out[0], "memory with image 1,")):
        with pytest.raises(ValueError, match=message):
            letterbox_batch([IMAGE, image], (64, 64), out=out)


def test_the_out_of_a_letterbox_is_not_exchanged() -> None:
    write = Letterbox(np.zeros((3, 64, 64), np.float32))
    with pytest.raises(AttributeError):
        write.out = np.zeros((3, 64, 64), np.float32)  # type: ignore[misc]


def test_one_image_is_no_batch() -> None:
    with pytest.raises(ValueError, match=r"images is one image, \(4, 4, 3\), expected several: pass \[image\]"):
        letterbox_batch(IMAGE, (64, 64))


def test_an_image_cannot_be_written_over() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="out may share memory with image"):
        letterbox(image, (64, 64), out=image)
    with pytest.raises(ValueError, match="out may share memory with image"):
        letterbox(image[:20, 5:], (64, 64), out=image)


def test_a_view_that_reverses_channels_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"reverses its channels: pass np\.ascontiguousarray\(image\), or .*color='rgb'"
    ):
        letterbox(IMAGE[..., ::-1], (64, 64))


@pytest.mark.parametrize("color", ["BGR", "grey", None, 1, ["rgb"], np.array(["rgb"])])
def test_a_color_is_an_order_of_channels(color: Any) -> None:
    with pytest.raises(ValueError, match=r"color is .*, expected 'bgr' or 'rgb'"):
        letterbox(IMAGE, (64, 64), color=color)


def test_values_that_are_fractions_are_no_bytes() -> None:
    out = np.zeros((3, 64, 64), np.uint8)
    for options, what in (({"legacy": True}, "legacy values"), ({"scale": 1 / 255}, "values of mean, std and scale")):
        with pytest.raises(ValueError, match=f"uint8 cannot hold {what}"):
            letterbox(IMAGE, (64, 64), out=out, **options)
    letterbox(IMAGE, (64, 64), out=out, scale=1, mean=[0, 0, 0], std=np.ones(3))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mean": "0.5"}, TypeError, "mean must be a number, or one for each channel, got '0.5'"),
        ({"mean": ["0.5"]}, TypeError, r"mean must be a number, .* got \['0.5'\]"),
        ({"std": []}, TypeError, r"std must be a number, .* got \[\]"),
        ({"scale": 1j}, TypeError, "scale must be a number, .* got 1j"),
        ({"mean": np.zeros((3, 1))}, TypeError, "mean must be a number"),
        ({"mean": (1, 2)}, ValueError, r"mean is \(1, 2\), expected one number, or one for each of the network's 3"),
        (
            {"std": np.ones(4)},
            ValueError,
            "std is .*, expected one number, or one for each of the network's 3 channels",
        ),
        ({"mean": itertools.count()}, ValueError, "mean is count.*, expected one number"),
        ({"mean": float("nan")}, ValueError, "mean is nan, expected finite numbers"),
        ({"mean": 10**400}, ValueError, "expected finite numbers"),
        ({"std": (1, 0, 1)}, ValueError, r"std is \(1, 0, 1\), expected finite numbers above 0"),
        ({"scale": -1}, ValueError, "scale is -1, expected finite numbers above 0"),
        ({"std": 1e-40}, ValueError, "mean, std and scale give values that float32 cannot hold"),
        ({"input_color": "grey"}, ValueError, "input_color is 'grey', expected 'bgr' or 'rgb'"),
        ({"legacy": True, "mean": 0.5}, ValueError, "legacy sets mean, std, scale and input_color itself"),
        ({"legacy": True, "input_color": "bgr"}, ValueError, "legacy sets mean, std, scale and input_color itself"),
    ],
)
def test_values_are_numbers_that_do_not_contradict(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        letterbox(IMAGE, (64, 64), **options)


def test_values_stay_in_the_range_of_float16() -> None:
    with pytest.raises(ValueError, match="mean, std and scale give values that float16 cannot hold"):
        letterbox(IMAGE, (64, 64), out=np.zeros((3, 64, 64), np.float16), scale=1000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"legacy": True}, "legacy is for networks of three channels, this one takes grey images"),
        ({"input_color": "bgr"}, "input_color is for networks of three channels, this one takes grey images"),
        ({"mean": (1, 2, 3)}, "mean is .* expected one number$"),
    ],
)
def test_a_grey_network_has_one_channel(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        letterbox(IMAGE, (64, 64), out=np.zeros((1, 64, 64), np.float32), **options)


@pytest.mark.parametrize(
    ("threads", "error"),
    [(0, ValueError), (-1, ValueError), (1025, ValueError), (2**64, ValueError), (1.5, TypeError), (None, TypeError)],
)
def test_threads_are_1_to_1024(threads: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="threads"):
        letterbox(IMAGE, (64, 64), threads=threads)


def test_what_is_refused_leaves_out_as_it_was() -> None:
    out = np.full((2, 3, 64, 64), 7, np.float32)
    with pytest.raises(ValueError, match="image 1"):
        letterbox_batch([IMAGE, IMAGE[:0]], (64, 64), out=out)
    with pytest.raises(ValueError, match="color"):
        letterbox_batch([IMAGE, IMAGE], (64, 64), out=out, color="grey")  # type: ignore[arg-type]
    assert (out == 7).all()
