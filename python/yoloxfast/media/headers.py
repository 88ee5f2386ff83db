"""How many pixels an image file says that it has, which decides how much memory decoding takes.

OpenCV tells that only by decoding. Formats that are not known here are left to OpenCV, which takes up to 2**30 pixels.
"""

from __future__ import annotations

import math
import re
import struct
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Size = tuple[int, int]

__all__ = ["is_cut_off_jpeg", "pixels_in"]

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = 0xD9
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
_MAX_JPEG_SEGMENTS = 1 << 16
_JPEG_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_NETPBM_COMMENT = re.compile(rb"\s*(?:#[^\n\r]*)?\s*")
_NETPBM_SIDE = re.compile(rb"(\d{1,18})\d*")
_MAX_NETPBM_COMMENTS = 1000
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
_MAX_TIFF_ENTRIES = 65_535
_AVIF_SIZE = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
_JPEG_2000_SIZE = re.compile(rb"\xff\x4f\xff\x51.{4}(.{16})", re.DOTALL)
_MAX_SIZES = 1000
_ABSURD = 1 << 31
"""Of files that announce more sizes than that: they hide one."""


def pixels_in(content: bytes) -> int | None:
    """Return the number of pixels that an image file announces; None if its format is not known here, or damaged."""
    for start, size_of in _FORMATS.items():
        if content.startswith(start):
            try:
                width, height = size_of(content)
            except (AttributeError, LookupError, OverflowError, StopIteration, struct.error, ValueError):
                return None
            return abs(width * height)
    return None


def is_cut_off_jpeg(content: bytes) -> bool:
    """Whether a JPEG file has no end: OpenCV fills what is missing with grey and says nothing."""
    segments = islice(_jpeg_segments(content), _MAX_JPEG_SEGMENTS)
    return content.startswith(_JPEG_START) and all(marker != _JPEG_END for marker, _ in segments)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker of each segment of a JPEG file, and where what follows the marker begins."""
    position = len(_JPEG_START) - 1
    while marker := _JPEG_MARKER.search(content, position):
        yield content[marker.start(1)], marker.end()
        position = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2], "big")


def _jpeg(content: bytes) -> Size:
    segments = islice(_jpeg_segments(content), _MAX_JPEG_SEGMENTS)
    start = next(start for marker, start in segments if marker in _JPEG_FRAMES)
    height, width = struct.unpack_from(">HH", content, start + 3)
    return width, height


def _png(content: bytes) -> Size:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _gif(content: bytes) -> Size:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _bmp(content: bytes) -> Size:
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)  # noqa: PLR2004  # of OS/2
    return width, height  # negative if the rows come from top to bottom


def _netpbm(content: bytes) -> Size:
    sides: list[int] = []
    position = len(b"P6")
    for _ in range(_MAX_NETPBM_COMMENTS):
        position = _NETPBM_COMMENT.match(content, position).end()  # type: ignore[union-attr]  # it matches nothing, too
        if number := _NETPBM_SIDE.match(content, position):
            sides.append(int(number[1]))
            position = number.end()
        if len(sides) == 2:  # noqa: PLR2004
            break
    width, height = sides
    return width, height


def _webp(content: bytes) -> Size:
    match content[8:16]:
        case b"WEBPVP8X":
            width, height = (int.from_bytes(content[start : start + 3], "little") + 1 for start in (24, 27))
        case b"WEBPVP8L":
            bits = int.from_bytes(content[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    return width, height


def _tiff(content: bytes) -> Size:
    order = "<" if content.startswith(b"II") else ">"
    is_big = struct.unpack_from(f"{order}H", content, 2) == (43,)
    (directory,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", content, 8 if is_big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", content, directory)
    first, size, value = (directory + 8, 20, 12) if is_big else (directory + 2, 12, 8)
    sides: dict[int, int] = {}
    for entry in range(first, first + min(count, _MAX_TIFF_ENTRIES) * size, size):
        tag, kind = struct.unpack_from(f"{order}HH", content, entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            (side,) = struct.unpack_from(f"{order}{_TIFF_NUMBERS[kind]}", content, entry + value)
            sides[tag] = max(side, sides.get(tag, 0))
    return sides[_TIFF_WIDTH], sides[_TIFF_HEIGHT]


def _jpeg_2000(content: bytes) -> Size:
    """Take the largest: what looks like a codestream may lie in other boxes, too."""
    found = [struct.unpack(">IIII", size[1]) for size in islice(_JPEG_2000_SIZE.finditer(content), _MAX_SIZES)]
    if len(found) == _MAX_SIZES:
        return _ABSURD, _ABSURD
    return max(((right - left, bottom - top) for right, bottom, left, top in found), key=math.prod)


def _avif(content: bytes) -> Size:
    sizes = [struct.unpack(">II", size[1]) for size in islice(_AVIF_SIZE.finditer(content), _MAX_SIZES)]
    if len(sizes) == _MAX_SIZES:
        return _ABSURD, _ABSURD
    width, height = max(sizes, key=math.prod)
    return width, height


def _sun_raster(content: bytes) -> Size:
    width, height = struct.unpack_from(">II", content, 4)
    return width, height


_FORMATS: dict[bytes, Callable[[bytes], Size]] = {
    _JPEG_START: _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"II+\0": _tiff,
    b"MM\0*": _tiff,
    b"MM\0+": _tiff,
    b"\xff\x4f\xff\x51": _jpeg_2000,
    b"\0\0\0\x0cjP": _jpeg_2000,
    b"\x59\xa6\x6a\x95": _sun_raster,
    b"\0\0\0": _avif,  # after JPEG 2000, which begins so too
    **{b"P" + kind: _netpbm for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F")},
}
"""How the files of each format begin, and what finds their width and height."""
