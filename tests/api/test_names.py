"""Class names in the metadata of models, which anybody may have written."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

import toy_network
from yoloxfast import Detector

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@pytest.mark.parametrize(
    "text", ["['cat', 'dog', 'fish']", '["cat", "dog", "fish"]', "{0: 'cat', 1: 'dog', 2: 'fish'}"]
)
def test_names_come_from_the_metadata(tmp_path: Path, text: str, image: NDArray[np.uint8]) -> None:
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": text})
    assert Detector(model).names == ("cat", "dog", "fish")
    assert Detector(model, names=["a", "b", "c"]).names == ("a", "b", "c")
    assert {found.name for found in Detector(model, classes=["dog"]).detect(image)} == {"dog"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat",
        "['cat']",
        "{'0': 'cat'}",
        "__import__('os')",
        "(" * 5000,
        "-" * 100_000 + "1",
        "[1, 2, 3]",
        "((((",
        "7",
        "['a', 'b', '\\ud800']",
        "[" + "," * 6_000_000 + "]",
    ],
)
def test_names_in_metadata_that_do_not_fit_are_not_used(tmp_path: Path, text: str) -> None:
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": text})
    says_so = pytest.warns(UserWarning, match="class names in the model's metadata are not used")
    with says_so if text else nullcontext():
        assert Detector(model).names == ("class 0", "class 1", "class 2")
