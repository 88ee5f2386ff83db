from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoloxfast import letterbox, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

sides = st.integers(1, 200)


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


def assert_equals_reference(image: NDArray[np.uint8], size: tuple[int, int]) -> None:
    tensor, scale = letterbox(image, size)
    expected, expected_scale = reference.letterbox(np.ascontiguousarray(image), size)
    assert scale == expected_scale
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, expected)


@given(sides, sides, sides, sides)
def test_letterbox_equals_yolox_preproc(image_height: int, image_width: int, height: int, width: int) -> None:
    assert_equals_reference(random_image(image_height, image_width), (height, width))


@given(sides, sides)
def test_an_image_that_is_halved_equals_yolox_preproc(height: int, width: int) -> None:
    assert_equals_reference(random_image(2 * height, 2 * width), (height, width))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(640, 640), (416, 416), (384, 640), (97, 1001)]))
def test_letterbox_of_large_images_equals_yolox_preproc(height: int, width: int, size: tuple[int, int]) -> None:
    assert_equals_reference(random_image(height, width), size)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (200, 3840), (1241, 640), (640, 640), (2160, 3840)])
@pytest.mark.parametrize("size", [(416, 416), (384, 640)])
def test_letterbox_of_extreme_shapes(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert_equals_reference(random_image(*shape), size)


def test_letterbox_truncates_and_lies_top_left() -> None:
    tensor, scale = letterbox(np.zeros((1241, 640, 3), np.uint8), (640, 640))
    assert scale == 640 / 1241
    assert (tensor[:, :639, :330] == 0).all(), "1241 * (640 / 1241) is just below 640"
    assert (tensor[:, 639:] == 114).all()
    assert (tensor[:, :, 330:] == 114).all()


def test_letterbox_keeps_the_order_of_channels() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:] = (10, 20, 30)
    tensor, _ = letterbox(image, (32, 32))
    assert [plane.mean() for plane in tensor] == [10, 20, 30]


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[10:70, 20:90],
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: image[::2, ::3],
        lambda image: image.transpose(1, 0, 2),
        np.asfortranarray,
    ],
)
def test_letterbox_of_views(view: Any) -> None:
    image = random_image(100, 120)
    before = image.copy()
    assert_equals_reference(view(image), (64, 96))
    np.testing.assert_array_equal(image, before)


def test_letterbox_refuses_a_view_that_reverses_channels() -> None:
    with pytest.raises(ValueError, match=r"reverses its channels; .* np\.ascontiguousarray\(image\)"):
        letterbox(random_image(4, 4)[..., ::-1], (64, 64))


def test_letterbox_of_a_read_only_image() -> None:
    image = random_image(50, 60)
    image.flags.writeable = False
    assert_equals_reference(image, (64, 96))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_letterbox_overwrites_all_of_out(dtype: type[np.floating[Any]]) -> None:
    out = np.full((2, 3, 64, 96), np.nan, dtype)
    tensor, _ = letterbox(random_image(30, 20), (64, 96), out=out[1])
    assert np.shares_memory(tensor, out)
    np.testing.assert_array_equal(out[1], reference.letterbox(random_image(30, 20), (64, 96))[0])
    assert np.isnan(out[0]).all()


def test_letterbox_into_an_out_of_any_layout() -> None:
    image = random_image(30, 20)
    expected, _ = reference.letterbox(image, (64, 96))
    for out in (np.zeros((3, 96, 64), np.float32).transpose(0, 2, 1), np.zeros((3, 64, 96), np.float32)[::-1]):
        tensor, _ = letterbox(image, (64, 96), out=out)
        assert tensor is out
        np.testing.assert_array_equal(out, expected)


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
        (np.zeros((4, 4, 1), np.uint8), ValueError, r"got \(4, 4, 1\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError, r"got \(1, 4, 4, 3\)"),
        (np.zeros(3, np.uint8), ValueError, r"got \(3,\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "empty"),
        (np.zeros((4, 0, 3), np.uint8), ValueError, "empty"),
        (np.broadcast_to(np.uint8(5), (1, 2**31 - 1, 3)), ValueError, "too large for OpenCV"),
        (np.broadcast_to(np.uint8(5), (2**20, 2**20, 3)), ValueError, "too large for OpenCV"),
        (np.broadcast_to(np.uint8(5), (2**21, 1, 3)), ValueError, "too large for OpenCV"),
    ],
)
def test_letterbox_refuses_what_is_no_bgr_image(image: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        letterbox(image, (64, 64))


def test_letterbox_refuses_a_size_or_out_that_does_not_fit() -> None:
    image = random_image(4, 4)
    with pytest.raises(ValueError, match="size must be"):
        letterbox(image, (0, 64))
    with pytest.raises(ValueError, match="input has 1048577x1 pixels, expected sides from 1 to 1048576"):
        letterbox(image, (2**20 + 1, 1))
    with pytest.raises(ValueError, match="size must be"):
        letterbox(image, (64, 64, 3))  # type: ignore[arg-type]
    for size in (64, (64, 64.0), "large", None):
        with pytest.raises(TypeError, match=r"size must be \(height, width\) in whole pixels, got"):
            letterbox(image, size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"out must be \(3, 64, 64\), got \(3, 32, 64\)"):
        letterbox(image, (64, 64), out=np.zeros((3, 32, 64), np.float32))
    with pytest.raises(TypeError, match="float32 or float16, got float64"):
        letterbox(image, (64, 64), out=np.zeros((3, 64, 64)))
    with pytest.raises(TypeError, match="got list"):
        letterbox(image, (64, 64), out=[])  # type: ignore[arg-type]
    out = np.zeros((3, 64, 64), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        letterbox(image, (64, 64), out=out)
