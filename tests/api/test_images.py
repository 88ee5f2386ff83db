from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from yoloxfast.media.images import read_image, write_image

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif", ".jpg", ".webp"])
def test_reading_equals_imread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    write_image(path, PHOTO)
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))
    if suffix not in (".jpg", ".webp"):
        np.testing.assert_array_equal(read_image(path), PHOTO)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"photo{suffix}"
    write_image(path, PHOTO)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ValueError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize("options", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]])
def test_whole_jpeg_files_of_other_kinds_are_read(tmp_path: Path, options: list[int]) -> None:
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), PHOTO, options)
    content = path.read_bytes()
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))
    path.write_bytes(content + b"what some cameras append\xff")
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match="truncated"):
        read_image(path)


def test_a_thumbnail_does_not_pass_for_the_end_of_a_jpeg(tmp_path: Path) -> None:
    _, thumbnail = cv2.imencode(".jpg", PHOTO[:8, :8])
    _, photo = cv2.imencode(".jpg", PHOTO)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail.tobytes()
    content = photo.tobytes()[:2] + segment + photo.tobytes()[2:]
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert read_image(path).shape == PHOTO.shape
    path.write_bytes(content[: len(segment) + 400])
    with pytest.raises(ValueError, match="truncated"):
        read_image(path)


def test_other_pixel_formats_become_bgr(tmp_path: Path) -> None:
    grey16 = (PHOTO[..., 0].astype(np.uint16)) * 257
    for name, image in {"grey": PHOTO[..., 0], "grey16": grey16, "rgba": np.dstack([PHOTO, PHOTO[..., :1]])}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        read = read_image(tmp_path / f"{name}.png")
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, PHOTO if name == "rgba" else np.dstack([PHOTO[..., 0]] * 3))


def test_a_suffix_does_not_matter_for_reading(tmp_path: Path) -> None:
    _, content = cv2.imencode(".png", PHOTO)
    (tmp_path / "photo.jpg").write_bytes(content.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "photo.jpg"), PHOTO)


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.jpg")
    with pytest.raises(OSError, match="this is a folder, expected a regular file"):
        read_image(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ValueError, match="empty"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ValueError, match="not an image"):
        read_image(tmp_path / "text.jpg")


def test_real_photos(data: Path) -> None:
    folder = data / "images"
    np.testing.assert_array_equal(read_image(folder / "dog.jpg"), cv2.imread(str(folder / "dog.jpg")))
    with pytest.raises(ValueError, match="truncated"):
        read_image(folder / "corrupt_truncated_half.jpg")
    assert read_image(folder / "corrupt_png_named.jpg").shape == (1, 640, 3)
    upright = read_image(folder / "exif_landscape_1.jpg")
    rotated = read_image(folder / "exif_landscape_6.jpg")
    assert rotated.shape == upright.shape == (1200, 1800, 3)
    assert np.abs(rotated.astype(int) - upright).mean() < 20


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    write_image(path, PHOTO)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*photo.png"):
            write_image(path, 255 - PHOTO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    np.testing.assert_array_equal(read_image(path), PHOTO)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_text("before")
    with pytest.raises(ValueError, match=r"OpenCV cannot write an image of 60x40 as \.docx"):
        write_image(tmp_path / "photo.docx", PHOTO)
    with pytest.raises(OSError, match="missing"):
        write_image(tmp_path / "missing" / "photo.png", PHOTO)
    write_image(path, PHOTO)
    np.testing.assert_array_equal(read_image(path), PHOTO)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]
