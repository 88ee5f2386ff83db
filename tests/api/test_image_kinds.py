"""Images as people hold them: arrays, files and PIL images, by each way into a detector."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import PIL.Image
import pytest

from yoloxfast import Detector
from yoloxfast.media.images import read_image
from yoloxfast.media.pixels import pixels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from yoloxfast import Detections
    from yoloxfast.input_format import Color
    from yoloxfast.media.pixels import ImageLike

ENTRIES: dict[str, Callable[[Detector, Any], Detections]] = {
    "detect": lambda detector, image: detector.detect(image),
    "detect_batch": lambda detector, image: detector.detect_batch([image])[0],
    "stream": lambda detector, image: next(detector.stream([image])),
}
PIL_MODES = ("1", "CMYK", "HSV", "L", "LA", "P", "PA", "RGB", "RGBA", "YCbCr")
ORIENTATION = 0x0112


@pytest.fixture(params=ENTRIES)
def find(request: pytest.FixtureRequest) -> Callable[[Detector, Any], Detections]:
    """A way into a detector."""
    return ENTRIES[request.param]


@pytest.fixture(params=["bgr", "rgb"])
def detector(request: pytest.FixtureRequest, toy_model: Path) -> Iterator[Detector]:
    """A detector whose arrays are of either order."""
    with Detector(toy_model, threads=1, color=request.param) as detector:
        yield detector


def in_order_of(detector: Detector, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a BGR image in the order that the detector expects of arrays."""
    return bgr if detector._pipeline.color == "bgr" else np.ascontiguousarray(bgr[..., ::-1])  # noqa: SLF001


def pil_of(bgr: NDArray[np.uint8], mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.fromarray(np.ascontiguousarray(bgr[..., ::-1])).convert(mode)


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_a_file_is_found_in_whatever_the_order_of_arrays(
    find: Any, detector: Detector, image: NDArray[np.uint8], tmp_path: Path, kind: Any
) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), image)
    expected = detector.detect(in_order_of(detector, image))
    assert len(expected) > 5
    assert find(detector, kind(path)) == expected


def test_an_entry_of_a_folder_is_a_path(toy_detector: Detector, image: NDArray[np.uint8], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    with os.scandir(tmp_path) as entries:
        assert list(toy_detector.stream(entries)) == [toy_detector.detect(image)]


@pytest.mark.parametrize("mode", PIL_MODES)
def test_a_pil_image_is_found_in_whatever_the_order_of_arrays(
    find: Any, detector: Detector, image: NDArray[np.uint8], mode: str
) -> None:
    held = pil_of(image, mode)
    expected = np.asarray(held.convert("RGB"))[..., ::-1]
    assert find(detector, held) == detector.detect(in_order_of(detector, np.ascontiguousarray(expected)))


def test_a_grey_array_is_an_image_of_three_equal_channels(
    find: Any, detector: Detector, image: NDArray[np.uint8]
) -> None:
    grey = image[..., 1]
    expected = detector.detect(np.dstack([grey] * 3))
    for view in (grey, grey.copy(), np.asfortranarray(grey)):
        assert find(detector, view) == expected


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[..., ::-1],
        lambda image: image[::-1, ::-1, ::-1],
        lambda image: image[:, ::2],
        lambda image: np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0),
        lambda image: np.dstack([image, image[..., :1]])[..., :3],
        lambda image: np.broadcast_to(image[:1, :1], image.shape),
    ],
    ids=["channels reversed", "all reversed", "every other column", "planes", "without alpha", "broadcast"],
)
def test_a_view_of_any_strides_is_read_as_a_copy(
    find: Any, toy_detector: Detector, image: NDArray[np.uint8], view: Any
) -> None:
    held = view(image)
    before = held.copy()
    assert find(toy_detector, held) == toy_detector.detect(np.ascontiguousarray(held))
    np.testing.assert_array_equal(held, before)


def test_one_stream_takes_all_kinds(toy_detector: Detector, image: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), image)
    kinds: list[ImageLike] = [image, path, str(path), pil_of(image), np.ascontiguousarray(image[..., ::-1])[..., ::-1]]
    expected = [toy_detector.detect(image)] * len(kinds)
    assert list(toy_detector.stream(iter(kinds))) == toy_detector.detect_batch(kinds) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_pil_image_is_turned_upright_as_its_file_is(
    image: NDArray[np.uint8], tmp_path: Path, orientation: int
) -> None:
    path, exif = tmp_path / "photo.png", PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    pil_of(image).save(path, exif=exif)
    upright = read_image(path)
    assert upright.shape == (image.shape if orientation < 5 else (image.shape[1], image.shape[0], 3))
    with PIL.Image.open(path) as held:
        np.testing.assert_array_equal(pixels_of(held, "bgr"), upright)
        assert held.size == image.shape[1::-1], "the image itself is not turned"


@pytest.mark.parametrize("color", ["bgr", "rgb"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_pil_image_has_the_pixels_of_its_file(
    image: NDArray[np.uint8], tmp_path: Path, mode: str, color: Color
) -> None:
    held = pil_of(image, mode)
    held.save(tmp_path / "photo.png")
    np.testing.assert_array_equal(pixels_of(held, color), pixels_of(tmp_path / "photo.png", color))


def test_a_palette_with_transparency_is_read_without_a_warning(image: NDArray[np.uint8]) -> None:
    held = pil_of(image, "P")
    opaque = pixels_of(held, "bgr")
    held.info["transparency"] = bytes([0, 128, 255])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(pixels_of(held, "bgr"), opaque)


def test_a_plain_array_is_not_copied(image: NDArray[np.uint8]) -> None:
    assert pixels_of(image, "bgr") is image
    assert pixels_of(image, "rgb") is image
    assert np.shares_memory(pixels_of(image[..., ::-1], "bgr"), image)


class Tensor:
    """What torch calls its arrays."""


@pytest.mark.parametrize(
    ("held", "error", "message"),
    [
        (None, TypeError, "image is None: cv2.imread returns None"),
        (0, TypeError, "image must be a path, a PIL image or a NumPy array, got int$"),
        (b"\xff\xd8", TypeError, r"got bytes: decode them, with cv2\.imdecode"),
        ([[[0, 0, 0]]], TypeError, r"got list: pass np\.array\(image, np\.uint8\) if .* several to detect_batch"),
        (Tensor(), TypeError, r"got Tensor: pass image\.permute\(1, 2, 0\)\.cpu\(\)\.numpy\(\)"),
        (np.zeros((4, 4, 3), np.float32), TypeError, r"got float32: \(image \* 255\)\.round\(\)\.astype\(np\.uint8\)"),
        (np.zeros((4, 4), np.uint16), TypeError, "must be uint8 with values 0..255, got uint16"),
        (np.zeros((3, 8, 8), np.uint8), ValueError, r"got channels first \(3, 8, 8\): image\.transpose\(1, 2, 0\)"),
        (
            np.zeros((8, 8, 4), np.uint8),
            ValueError,
            r"got four channels \(8, 8, 4\): cv2\.cvtColor\(image, cv2\.COLOR_",
        ),
        (np.zeros((8, 8, 1), np.uint8), ValueError, r"got one channel \(8, 8, 1\): np\.repeat\(image, 3, axis=2\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), ValueError, r"got \(1, 8, 8, 3\): pass one image, image\[0\]"),
        (np.zeros((0, 8), np.uint8), ValueError, r"image is empty: \(0, 8, 3\)"),
        (PIL.Image.new("RGB", (8, 0)), ValueError, r"image is empty: \(0, 8, 3\)"),
        (PIL.Image.new("I;16", (8, 8)), TypeError, r"a PIL image of mode I;16, .* as \(np\.asarray\(image\) >> 8\)"),
        (PIL.Image.new("F", (8, 8)), TypeError, "a PIL image of mode F, which becomes RGB only by a guess"),
        (PIL.Image.new("LAB", (8, 8)), TypeError, "a PIL image of mode LAB"),
        ("", ValueError, "image is '', expected the path of a file"),
        ("a\0b", ValueError, "image is 'a.x00b': .*null"),
        ("missing.jpg", FileNotFoundError, "image cannot be read: No such file or directory: 'missing.jpg'"),
        (Path(), IsADirectoryError, "image cannot be read: this is a folder, expected a regular file: '.'"),
        (__file__, ValueError, "image is '.*test_image_kinds.py': not an image that OpenCV can read"),
    ],
)
def test_what_is_ambiguous_or_no_image_says_what_to_do(
    find: Any, toy_detector: Detector, held: Any, error: type[Exception], message: str
) -> None:
    if find is not ENTRIES["detect"]:
        noun = "image" if find is ENTRIES["detect_batch"] else "frame"
        message = message.replace("image ", f"{noun} 0 ", 1) if message.startswith("image ") else message
    with pytest.raises(error, match=message):
        find(toy_detector, held)


def test_a_path_of_bytes_is_refused(tmp_path: Path) -> None:
    with os.scandir(os.fsencode(tmp_path.parent)) as entries, pytest.raises(TypeError, match=r"os\.fsdecode\(path\)"):
        pixels_of(next(entries), "bgr")


def test_a_pil_image_of_a_damaged_file_is_named(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "photo.png"
    pil_of(image).save(path)
    path.write_bytes(path.read_bytes()[:-60])
    with PIL.Image.open(path) as held, pytest.raises(ValueError, match="frame 7 is a PIL image that Pillow cannot"):
        pixels_of(held, "bgr", "frame 7")


def test_a_file_is_held_to_the_limits_of_files(
    toy_detector: Detector, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLOXFAST_MAX_IMAGE_PIXELS", "100")
    with pytest.raises(ValueError, match=r"frame 0 is '.*a\.png': the picture has 21,600 pixels, more than 100"):
        next(toy_detector.stream([photos / "a.png"]))


def test_pillow_is_not_imported_for_arrays_and_files(photos: Path) -> None:
    code = (
        "import sys, yoloxfast, numpy\n"
        "detector = yoloxfast.Detector('demo', threads=1)\n"
        "detector.detect(sys.argv[1]), detector.detect(numpy.zeros((9, 9), numpy.uint8))\n"
        "try: detector.detect(object())\n"
        "except TypeError: pass\n"
        "assert not any(name.split('.')[0] == 'PIL' for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(photos / "a.png")], check=True, timeout=120)
