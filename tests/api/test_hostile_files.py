"""Files that strangers send: pipes and devices, files without end, and files that ask for too much memory."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import toy_network
from yoloxfast import Detector, ModelError
from yoloxfast.limits import IMAGE_BYTES, IMAGE_PIXELS, INPUT_BYTES, MODEL_BYTES, Limit
from yoloxfast.media.headers import pixels_in
from yoloxfast.media.images import read_image, write_image
from yoloxfast.models import sha256_of
from yoloxfast.reading import digest_file, opened, read_file
from yoloxfast.tensorrt.engine_file import read_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GIB = 1 << 30
READERS: dict[str, Callable[[Path], Any]] = {
    "image": read_image,
    "model": Detector,
    "engine": read_engine,
    "digest": sha256_of,
    "another digest": lambda path: digest_file(path, MODEL_BYTES),
    "opened": lambda path: opened(path, MODEL_BYTES).__enter__(),
}
LIMITS = {"image": IMAGE_BYTES, "another digest": MODEL_BYTES}


@pytest.fixture(params=["a pipe", "a socket", "a device", "a folder"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Make a special file behind a symbolic link; return the link and the kind of the file."""
    target, link = tmp_path / "target", tmp_path / "file.onnx"
    link.symlink_to(target)
    match request.param:
        case "a pipe":
            os.mkfifo(target)
        case "a folder":
            target.mkdir()
        case "a device":
            target.symlink_to("/dev/zero")
        case "a socket":
            with closing(socket.socket(socket.AF_UNIX)) as unix:
                unix.bind(str(target))
                yield link, request.param
            return
    yield link, request.param


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_at_once(special: tuple[Path, str], reader: str) -> None:
    path, kind = special
    with pytest.raises((OSError, ModelError), match=f"this is {kind}, expected a regular file"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_a_sparse_file_is_refused_by_its_size(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "file.onnx"
    with path.open("wb") as file:
        file.truncate(50 * GIB)
    with pytest.raises(
        ValueError, match=r"the file has 53,687,091,200 bytes, more than [\d,]+: to allow more, set YOLOX"
    ):
        READERS[reader](path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a device that calls itself a regular file: some under /proc have no size, and content."""
    path = tmp_path / "file"
    path.write_bytes(b"1234567890")
    status = os.stat_result((*path.stat()[:6], 0, *path.stat()[7:]))
    monkeypatch.setattr(os, "fstat", lambda _: status)
    limit = Limit("YOLOXFAST_MAX_IMAGE_BYTES", 9, "bytes")
    for read in (read_file, digest_file):
        with pytest.raises(ValueError, match="the file has 10 bytes, more than 9"):
            read(path, limit)
        assert read(path, limit._replace(default=10))


@pytest.mark.parametrize("text", ["many", "0", "-5", "1.5", "9" * 400, "9" * 5000])
def test_a_limit_that_is_no_number_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    path = tmp_path / "photo.png"
    write_image(path, np.zeros((4, 4, 3), np.uint8))
    monkeypatch.setenv(IMAGE_PIXELS.variable, text)
    with pytest.raises(
        ValueError, match=f"YOLOXFAST_MAX_IMAGE_PIXELS is {text:.40}, expected a whole number of pixels"
    ):
        read_image(path)


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(bytes((1 + 3 * width) * min(height, 100)), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(40_000, 25_000))
    assert path.stat().st_size < 50_000
    with pytest.raises(
        ValueError, match="the picture has 1,000,000,000 pixels, more than 268,435,456: to allow more, set"
    ):
        read_image(path)
    path.write_bytes(png_of(100, 80))
    monkeypatch.setenv(IMAGE_PIXELS.variable, "7999")
    with pytest.raises(ValueError, match="8,000 pixels, more than 7,999"):
        read_image(path)
    monkeypatch.setenv(IMAGE_PIXELS.variable, "8000")
    assert read_image(path).shape == (80, 100, 3)


@pytest.mark.parametrize(
    "suffix", [".bmp", ".gif", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".ppm", ".ras", ".tif", ".webp", ".avif"]
)
@pytest.mark.parametrize("size", [(64, 80), (33, 700), (517, 65)])
def test_the_size_of_each_format_is_read(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    path = tmp_path / f"image{suffix}"
    try:
        is_written = cv2.imwrite(str(path), image[..., 0] if suffix in (".pbm", ".pgm") else image)
    except cv2.error:
        is_written = False
    if not is_written:
        pytest.skip(f"this OpenCV writes no {suffix}")
    if cv2.imread(str(path)) is None:
        pytest.skip(f"this OpenCV does not read back {suffix}")
    height, width = size
    assert pixels_in(path.read_bytes()) == height * width


@pytest.mark.parametrize("lossless", [80, 101])
def test_the_size_of_each_kind_of_webp_is_read(lossless: int) -> None:
    _, content = cv2.imencode(".webp", np.zeros((30, 41, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, lossless])
    assert pixels_in(content.tobytes()) == 30 * 41
    extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (40).to_bytes(3, "little") + (29).to_bytes(3, "little")
    assert pixels_in(extended) == 30 * 41


def jp2_size(width: int, height: int) -> bytes:
    return b"\xff\x4f\xff\x51\0\0\0\0" + struct.pack(">IIII", width, height, 0, 0)


@pytest.mark.parametrize(
    ("header", "pixels"),
    [
        (b"P6 # a comment\n#another\n 70 # more\n 80\n255\n", 5600),
        (b"P5\n99999999999999999999999 9\n255\n", 9 * 999_999_999_999_999_999),
        (b"BM" + bytes(12) + struct.pack("<IHH", 12, 7, 9), 63),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 7, -9), 63),
        (b"MM\0*\0\0\0\x08\0\x02" + struct.pack(">HHIHHHHIHH", 256, 3, 1, 70, 0, 257, 3, 1, 80, 0), 5600),
        (b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 4, 1, 70_000, 257, 4, 1, 80_000), 5_600_000_000),
        (b"II+\0\x08\0\0\0" + struct.pack("<QQHHQQHHQQ", 16, 2, 256, 4, 1, 7, 257, 16, 1, 9), 63),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xd9", None),
        (b"P6", None),
        (b"P6" + b" " * 3_000_000 + b"9 9 255 ", 81),
        (b"P6" + b"#\n" * 900 + b"9 9 255 ", 81),
        (b"\xff\xd8" + b"\xff" * 300_000 + b"\0", None),
        (b"\xff\xd8\xff" + b"\xff\xc4\0\2" * 1_000_000, None),
        (b"\0\0\0\x0cjP" + jp2_size(1, 1) + b"....." + jp2_size(70, 80), 5600),
        (b"\0\0\0\x0cjP" + jp2_size(1, 1) * 1000 + jp2_size(70, 80), 1 << 62),
        (b"\0\0\0\x20ftypavif" + (b"ispe" + bytes(11) + b"\1") * 2000, 1 << 62),
        (b"II*\0\xff\xff\xff\xff", None),
        (b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHII", 256, 99, 1, 70_000), None),
        (b"\0\0\0\x20ftypavif", None),
        (b"not an image", None),
        (b"", None),
    ],
)
def test_headers_that_opencv_does_not_write_are_read_or_left_alone(header: bytes, pixels: int | None) -> None:
    assert pixels_in(header) == pixels


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".jpg", ".jp2", ".png", ".ppm", ".ras", ".tif", ".webp"])
def test_damaged_headers_break_nothing(suffix: str) -> None:
    try:
        _, encoded = cv2.imencode(suffix, np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8))
    except cv2.error:
        pytest.skip(f"this OpenCV writes no {suffix}")
    content, random = bytearray(encoded.tobytes()), np.random.default_rng(1)
    for _ in range(2000):
        damaged = content[: random.integers(len(content))] if random.random() < 0.5 else content.copy()
        for place in random.integers(0, max(1, min(len(damaged), 64)), 3):
            damaged[place : place + 1] = random.bytes(1)
        pixels = pixels_in(bytes(damaged))
        assert pixels is None or pixels >= 0


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (None, TypeError, "the model is None, expected the path of a file or the name of a model"),
        (3, TypeError, "the model is 3, expected"),
        (b"demo", TypeError, "the model is b'demo', expected"),
        ("a\0b.onnx", ValueError, r"the model's name is 'a\\x00b.onnx', but no file has a null character"),
        ("", ValueError, "the model's name is empty"),
    ],
)
def test_what_is_no_name_of_a_file_is_said(model: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Detector(model)


def test_warming_up_takes_a_number(toy_detector: Detector) -> None:
    with pytest.raises(TypeError, match="n must be a whole number, got 'a'"):
        toy_detector.warmup("a")  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [70_000, 2**40, 2**50])
def test_a_batch_that_asks_for_all_memory_is_refused_before_it_is_taken(tmp_path: Path, batch: int) -> None:
    model = toy_network.build(tmp_path / "model.onnx", batch=batch)
    with pytest.raises(
        ModelError, match=rf"model\.onnx: one run of it takes {batch:,} images, which have .* bytes, more"
    ):
        Detector(model)


def test_the_limit_of_a_batch_can_be_lowered_and_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_network.build(tmp_path / "model.onnx", batch=2)
    size = 2 * 3 * 64 * 96 * 4
    monkeypatch.setenv(INPUT_BYTES.variable, str(size - 1))
    with pytest.raises(ModelError, match=f"{size:,} bytes, more than {size - 1:,}"):
        Detector(model)
    monkeypatch.setenv(INPUT_BYTES.variable, str(size))
    Detector(model).close()


def test_more_classes_than_are_supported_are_refused(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=70_000, size=(32, 32))
    with pytest.raises(ModelError, match=r"model\.onnx: not a YOLOX head: it has 70000 classes, at most 65536"):
        Detector(model)


def test_metadata_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = toy_network.build(tmp_path / "model.onnx", metadata={"names": "['one', 'two', 'thr.e']"})
    path.write_bytes(path.read_bytes().replace(b"thr.e", b"thr\xffe"))
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Detector(path)
