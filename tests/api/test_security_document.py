"""SECURITY.md gives the limits that the code has."""

from __future__ import annotations

import re

import numpy as np
import pytest

import yoloxfast
from locations import PROJECT
from yoloxfast import download

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
