"""What reads files, given any bytes: it says what is wrong by its own exceptions, or reads them; nothing else happens.

`FILE_EXAMPLES=100000 pytest tests/api/test_damaged_files.py` looks longer.
"""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yoloxfast import ModelError
from yoloxfast.media.headers import is_cut_off_jpeg, pixels_in
from yoloxfast.names import class_names
from yoloxfast.tensorrt.engine_file import read_engine, write_engine

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = settings(max_examples=int(os.environ.get("FILE_EXAMPLES", "300")), deadline=None)
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)


def encoded(suffix: str) -> bytes:
    try:
        _, content = cv2.imencode(suffix, IMAGE)
    except cv2.error:
        return b""
    return content.tobytes()


STARTS = [content for suffix in (".bmp", ".jpg", ".png", ".ppm", ".tif", ".webp") if (content := encoded(suffix))]
STARTS += [b"GIF89a", b"II+\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"\0\0\0\x0cjP", b"\0\0\0\x20ftypavif", b"P5 #", b""]


def engine() -> bytes:
    file = BytesIO()
    write_engine(file, b"a plan", {"names": "['cat']", "backend": "tensorrt"})
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn, whole: Callable[[st.DrawFn], bytes]) -> bytes:
    """Draw a file in which some bytes are others, gone, or more."""
    content = bytearray(whole(draw))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(content)))
        content[place : place + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(content[: draw(st.integers(0, len(content)) | st.just(len(content)))])


@EXAMPLES
@given(damaged(lambda draw: draw(st.sampled_from(STARTS)) + draw(st.binary(max_size=40))) | st.binary())
def test_headers_of_images(content: bytes) -> None:
    pixels = pixels_in(content)
    assert pixels is None or pixels >= 0
    assert is_cut_off_jpeg(content) in (False, True)


@EXAMPLES
@given(damaged(lambda _: engine()) | st.binary())
def test_engine_files(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.engine")
        path.write_bytes(content)
        try:
            file = read_engine(path)
        except ModelError:
            return
    assert content.startswith(file.plan)
    assert all(isinstance(value, str) for value in file.metadata.values())


@EXAMPLES
@given(
    st.text()
    | st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists).map(repr)
    | st.dictionaries(st.integers(0, 4), st.text(max_size=3)).map(repr)
    | st.lists(st.text(st.characters(codec=None), max_size=3), min_size=3, max_size=3).map(repr)
    | st.text("[]{}(),:'\\-+1b\n", max_size=60),
    st.integers(1, 4),
)
def test_names_in_metadata(text: str, num_classes: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        names = class_names(None, num_classes, {"names": text})
    assert len(names) == num_classes
    "".join(names).encode()


@EXAMPLES
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(1, 4))
def test_files_of_names(content: bytes, num_classes: int) -> None:
    names: tuple[str, ...] = ()
    with TemporaryDirectory() as folder:
        path = Path(folder, "names.txt")
        path.write_bytes(content)
        with suppress(ValueError):
            names = class_names(path, num_classes)
    assert len(names) in (0, num_classes)
    assert all(name and name == name.strip() for name in names)
