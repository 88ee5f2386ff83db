from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from yoloxfast import Letterbox, letterbox, letterbox_batch, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

sides = st.integers(1, 200)
LAYOUTS = ("planes", "pixels", "grey plane", "grey pixels")
FORMS = [f"{dtype} {layout}" for dtype in ("float32", "float16", "uint8") for layout in LAYOUTS]
values = st.fixed_dictionaries(
    {},
    optional={
        "mean": st.floats(-50, 50),
        "std": st.floats(0.1, 100),
        "scale": st.one_of(st.floats(0.001, 2), st.just(1 / 255)),
    },
)
colors = st.sampled_from(["bgr", "rgb"])
kinds = st.fixed_dictionaries(
    {"form": st.sampled_from(FORMS), "color": colors, "threads": st.sampled_from([1, 1, 2, 5]), "values": values}
)


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


def empty(form: str, size: tuple[int, int]) -> NDArray[Any]:
    """Return an input of that form; every value of it is wrong."""
    dtype, layout = form.split(maxsplit=1)
    height, width = size
    shapes = {
        "planes": (3, *size),
        "pixels": (*size, 3),
        "grey plane": (1, *size),
        "grey pixels": (*size, 1),
        "patches": (12, height // 2, width // 2),
    }
    shape = shapes[layout]
    return np.full(shape, np.nan if dtype != "uint8" else 9, dtype)


def assert_equals_reference(image: NDArray[np.uint8], size: tuple[int, int]) -> None:
    tensor, scale = letterbox(image, size)
    expected, expected_scale = reference.letterbox(np.ascontiguousarray(image), size)
    assert scale == expected_scale
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, expected)


def assert_kind_equals_reference(image: NDArray[np.uint8], size: tuple[int, int], kind: dict[str, Any]) -> None:
    form, color, threads = kind["form"], kind["color"], kind["threads"]
    options: list[dict[str, Any]] = [{}]
    if "float" in form:
        options += [kind.get("values", {}), {} if "grey" in form else {"legacy": True}]
    if "grey" not in form:
        options += [{"input_color": "rgb"}]
    for option in options:
        out = empty(form, size)
        tensor, scale = letterbox(image, size, out=out, color=color, threads=threads, **option)
        assert tensor is out
        expected = empty(form, size)
        _, expected_scale = reference.letterbox(image, size, out=expected, color=color, **option)
        assert scale == expected_scale
        np.testing.assert_array_equal(tensor, expected, strict=True)


@settings(max_examples=1000, deadline=None)
@given(sides, sides, sides, sides)
def test_letterbox_equals_yolox_preproc(image_height: int, image_width: int, height: int, width: int) -> None:
    assert_equals_reference(random_image(image_height, image_width), (height, width))


@given(sides, sides)
def test_an_image_that_is_halved_equals_yolox_preproc(height: int, width: int) -> None:
    assert_equals_reference(random_image(2 * height, 2 * width), (height, width))


@settings(max_examples=1000, deadline=None)
@given(sides, sides, sides, sides, kinds)
def test_each_kind_of_output_equals_yolox_preproc(
    image_height: int, image_width: int, height: int, width: int, kind: dict[str, Any]
) -> None:
    assert_kind_equals_reference(random_image(image_height, image_width), (height, width), kind)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(640, 640), (416, 416), (384, 640), (97, 1001)]))
def test_letterbox_of_large_images_equals_yolox_preproc(height: int, width: int, size: tuple[int, int]) -> None:
    assert_equals_reference(random_image(height, width), size)


EXTREME = [(1, 1), (1, 2000), (2000, 1), (200, 3840), (2000, 97), (1241, 640), (640, 640), (832, 832), (2160, 3840)]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(416, 416), (384, 640)])
@pytest.mark.parametrize("shape", EXTREME)
def test_letterbox_of_extreme_shapes(shape: tuple[int, int], size: tuple[int, int], form: str, threads: int) -> None:
    kind = {"form": form, "color": "rgb", "threads": threads}
    assert_kind_equals_reference(random_image(*shape), size, kind)


@settings(max_examples=200, deadline=None)
@given(sides, sides, st.integers(1, 60), st.integers(1, 60), kinds)
def test_patches_are_those_of_yolox_focus(
    image_height: int, image_width: int, half_height: int, half_width: int, kind: dict[str, Any]
) -> None:
    size = (2 * half_height, 2 * half_width)
    kind["form"] = f"{kind['form'].split()[0]} patches"
    assume(size != (12, 6))  # (12, 6, 3), which is taken for pixels
    assert_kind_equals_reference(random_image(image_height, image_width), size, kind)


def test_three_numbers_are_in_the_order_of_the_network() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:] = (10, 20, 30)
    for color, planes in (("bgr", [30, 20, 10]), ("rgb", [10, 20, 30])):
        options: Any = {"color": color, "input_color": "rgb", "mean": (1, 2, 3), "std": (1, 2, 4)}
        tensor, _ = letterbox(image, (4, 4), **options)
        first, second, third = planes
        np.testing.assert_array_equal(tensor[:, 0, 0], [first - 1, (second - 2) / 2, (third - 3) / 4])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_legacy_is_a_mean_a_std_and_a_scale(dtype: type[np.floating[Any]]) -> None:
    image = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    numbers: Any = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": np.array([0.229, 0.224, 0.225])}
    expected, _ = letterbox(image, (20, 16), out=np.empty((3, 20, 16), dtype), legacy=True)
    found, _ = letterbox(image, (20, 16), out=np.empty((3, 20, 16), dtype), input_color="rgb", **numbers)
    np.testing.assert_array_equal(found, expected)


def test_grey_is_that_of_opencv_for_all_colours() -> None:
    second, third = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    out = np.empty((1, 256, 256), np.uint8)
    for first in range(0, 256, 5):
        image = np.stack((np.full_like(second, first), second, third), axis=2)
        letterbox(image, (256, 256), out=out)
        np.testing.assert_array_equal(out[0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


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


@pytest.mark.parametrize("form", FORMS)
def test_a_letterbox_leaves_nothing_of_the_image_before(form: str) -> None:
    size, expected = (64, 96), empty(form, (64, 96))
    write = Letterbox(empty(form, size))
    assert write.size == size
    for shape in [(64, 96), (30, 20), (20, 30), (20, 30), (5, 200), (64, 96), (1, 1)]:
        for options in ({}, {"scale": 0.5, "mean": 3} if "float" in form else {}):
            image = random_image(*shape)
            scale = write(image, color="rgb", threads=2, **options)  # type: ignore[arg-type]
            assert scale == reference.letterbox(image, size, out=expected, color="rgb", **options)[1]  # type: ignore[arg-type]
            np.testing.assert_array_equal(write.out, expected)


def test_a_letterbox_writes_the_border_once_per_size() -> None:
    write = Letterbox(empty("float32 planes", (64, 96)))
    write(random_image(20, 90))
    write.out[:] = -1
    write(random_image(20, 90))
    assert (write.out[:, 21:] == -1).all()
    write(random_image(20, 91))
    assert (write.out[:, 21:] == 114).all()


def test_a_letterbox_writes_the_border_again_after_an_error() -> None:
    write = Letterbox(empty("float32 planes", (64, 96)))
    image = random_image(20, 90)
    write(image)
    for bad in ({"color": "grey"}, {"threads": 0}):
        with pytest.raises(ValueError, match="expected"):
            write(image, **bad)
        write(image)
        np.testing.assert_array_equal(write.out, reference.letterbox(image, (64, 96))[0])


def test_threads_take_turns_at_a_letterbox() -> None:
    images, size = [random_image(2000, 3000), random_image(3000, 2000)], (640, 640)
    write = Letterbox(np.empty((3, *size), np.float32))
    with ThreadPoolExecutor(4) as threads:
        scales = list(threads.map(write, images * 10))
    assert scales == [640 / 3000] * 20
    assert any(np.array_equal(write.out, reference.letterbox(image, size)[0]) for image in images)


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("form", FORMS)
def test_a_batch_is_the_letterbox_of_each_image(form: str, threads: int) -> None:
    images = [random_image(30, 20), random_image(200, 333)[::-1], random_image(64, 96), random_image(128, 192)[:, ::-1]]
    out = np.stack([empty(form, (64, 96))] * len(images))
    batch, scales = letterbox_batch(images, (64, 96), out=out, color="rgb", threads=threads)
    assert batch is out
    for image, tensor, scale in zip(images, batch, scales, strict=True):
        expected = reference.letterbox(image, (64, 96), color="rgb", out=empty(form, (64, 96)))
        np.testing.assert_array_equal(tensor, expected[0])
        assert scale == expected[1]


def test_a_batch_without_out_is_new() -> None:
    images = [random_image(30, 20)] * 2
    batch, scales = letterbox_batch(images, (64, 96), legacy=True)
    expected, scale = reference.letterbox(images[0], (64, 96), legacy=True)
    np.testing.assert_array_equal(batch, np.stack([expected] * 2), strict=True)
    assert scales == [scale, scale]
    assert letterbox_batch(np.stack(images), (64, 96))[0].shape == (2, 3, 64, 96)
    empty_batch, none = letterbox_batch([], (64, 96))
    assert (empty_batch.shape, none) == ((0, 3, 64, 96), [])


def test_threads_that_share_an_out_are_refused_and_those_that_share_a_batch_are_not() -> None:
    image, size = random_image(2000, 3000), (640, 640)
    out, batch = np.empty((3, *size), np.float32), np.empty((8, 3, *size), np.float32)
    with ThreadPoolExecutor(8) as threads:
        tried = [threads.submit(letterbox, image, size, out=out) for _ in range(50)]
        slots = [threads.submit(letterbox, image, size, out=batch[number % 8]) for number in range(8)]
    errors = [error for call in tried if (error := call.exception())]
    assert len(errors) < len(tried)
    assert all(type(error) is ValueError and "another thread is writing" in str(error) for error in errors)
    expected, _ = reference.letterbox(image, size)
    for tensor in (out, *(call.result()[0] for call in slots)):
        np.testing.assert_array_equal(tensor, expected)


def test_letterbox_into_an_out_of_any_layout() -> None:
    image = random_image(30, 20)
    expected, _ = reference.letterbox(image, (64, 96))
    for out in (np.zeros((3, 96, 64), np.float32).transpose(0, 2, 1), np.zeros((3, 64, 96), np.float32)[::-1]):
        tensor, _ = letterbox(image, (64, 96), out=out)
        assert tensor is out
        np.testing.assert_array_equal(out, expected)
