"""SECURITY.md gives the limits that the code has."""

from __future__ import annotations

import re

import numpy as np
import pytest

import yoloxfast
import yoloxfast.limits
from locations import PROJECT
from yoloxfast import download
from yoloxfast.limits import Limit
from yoloxfast.names import class_names

HEADINGS = ("what", "limit", "how to raise it")


def limits() -> dict[str, str]:
    lines = (PROJECT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    assert rows[0] == HEADINGS
    assert all(len(row) == len(HEADINGS) and all(row) for row in rows)
    return {what: limit for what, limit, _ in rows[2:]}


def numbers_in(text: str) -> list[int]:
    powers = re.sub(r"(\d+)\*\*(\d+)", lambda match: str(int(match[1]) ** int(match[2])), text.replace(",", ""))
    return [int(number) for number in re.findall(r"\d+", powers)]


def test_the_limits_of_a_download_are_those_of_the_code() -> None:
    found = limits()
    assert numbers_in(found["time of a download, retries included"]) == [
        download.MAX_STALL_SECONDS,
        1,
        download.MIN_BYTES_PER_SECOND,
    ]
    assert numbers_in(found["redirects of a download"]) == [download.MAX_REDIRECTS]


def test_the_limits_of_files_are_those_of_the_code() -> None:
    found = limits()
    rows = {
        "bytes of an image file": yoloxfast.limits.IMAGE_BYTES,
        "pixels of an image file, before it is decoded": yoloxfast.limits.IMAGE_PIXELS,
        "bytes of a model file, and of each file with its weights": yoloxfast.limits.MODEL_BYTES,
        "bytes of the images of one run": yoloxfast.limits.INPUT_BYTES,
        "bytes of a file of class names": yoloxfast.limits.NAMES_BYTES,
        "seconds of a model's first run": yoloxfast.limits.FIRST_RUN_SECONDS,
    }
    for what, limit in rows.items():
        assert numbers_in(found[what]) == [limit.default]
        assert limit.variable in (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    assert {limit.variable for limit in rows.values()} == {
        limit.variable for limit in vars(yoloxfast.limits).values() if isinstance(limit, Limit)
    }
    (characters,) = numbers_in(found["characters of the class names in a model's metadata"])
    with pytest.warns(UserWarning, match=f"they have {characters + 1:,} characters, more than {characters:,}"):
        assert class_names(None, 1, {"names": "x" * (characters + 1)}) == ("class 0",)
    (levels,) = numbers_in(found["levels of a head"])
    with pytest.raises(ValueError, match=f"got more than {levels} strides"):
        yoloxfast.PostProcessor((32, 32), strides=[8] * (levels + 1))


def test_the_limits_of_inputs_are_those_of_the_code() -> None:
    found = limits()
    side, pixels = numbers_in(found["image"])
    for height, width in ((1, side + 1), (pixels // side + 1, side)):
        image = np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), (height, width, 3), (0, 0, 1))
        with pytest.raises(ValueError, match="too large for OpenCV"):
            yoloxfast.letterbox(image, (32, 32))
    side, anchors = numbers_in(found["input of a network"])
    with pytest.raises(ValueError, match=f"each side must be from 1 to {side}"):
        yoloxfast.PostProcessor((side + 32, 32))
    with pytest.raises(ValueError, match=f"at most {anchors} are supported"):
        yoloxfast.PostProcessor((side, side), strides=[1])
    (classes,) = numbers_in(found["classes"])
    with pytest.raises(ValueError, match=f"expected 1 to {classes}"):
        yoloxfast.PostProcessor((32, 32), num_classes=classes + 1)
