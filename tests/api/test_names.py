"""What the classes of a model are called, as its metadata, which anybody may have written, or its user says."""

from __future__ import annotations

import copy
import os
import pickle
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from yoloxfast import Detector, ModelError, PostProcessor, reference
from yoloxfast.classes import COCO_NAMES
from yoloxfast.names import class_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("cat", "dog", "fish")
NUMBERED = tuple(f"class {class_id}" for class_id in range(80))


@pytest.mark.parametrize(
    "text",
    [
        "['cat', 'dog', 'fish']",
        '["cat", "dog", "fish"]',
        "('cat', 'dog', 'fish')",
        "'cat', 'dog', 'fish'",
        "{0: 'cat', 1: 'dog', 2: 'fish'}",
        "{2: 'fish', 1: 'dog', 0: 'cat'}",
        '{"0": "cat", "1": "dog", "2": "fish"}',
        "{'0': 'cat', '1': 'dog', '2': 'fish'}",
        '{\n  "0": "cat",\n  "1": "dog",\n  "2": "fish"\n}\n',
        "cat,dog,fish",
        " cat, dog, fish ",
        "cat\ndog\nfish",
        "cat\r\ndog\r\nfish\r\n",
    ],
)
def test_names_come_from_the_metadata(tmp_path: Path, text: str, image: NDArray[np.uint8]) -> None:
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": text})
    assert Detector(model).names == NAMES
    assert Detector(model, names=["a", "b", "c"]).names == ("a", "b", "c")
    assert {found.name for found in Detector(model, classes=["dog"]).detect(image)} == {"dog"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("traffic light, stop sign", ("traffic light", "stop sign")),
        ("tench, Tinca tinca\nold cat", ("tench, Tinca tinca", "old cat")),
        (r'["\ud83d\udc1f", "a\/b"]', ("🐟", "a/b")),
        (repr(["it's", '"']), ("it's", '"')),
        (repr(["\x1b", "\\"]), ("\x1b", "\\")),
        ("0, 1", ("0", "1")),
        ("person", ("person",)),
        ("'person'", ("person",)),
        ("/etc/hostname", ("/etc/hostname",)),
        ("'/etc/hostname'", ("/etc/hostname",)),
    ],
)
def test_metadata_hold_names_alone(text: str, names: tuple[str, ...]) -> None:
    assert class_names(None, len(names), {"names": text}) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "cat",
        "{'1': 'cat', '2': 'dog', '3': 'fish'}",
        "{0: 'cat', '0': 'dog', 1: 'fish'}",
        "{'a': 'cat', 'b': 'dog', 'c': 'fish'}",
        "{'cat', 'dog', 'fish'}",
        "[cat, dog, fish]",
        "cat,,fish",
        "cat\n\nfish",
        "__import__('os')",
        "[__import__('os'), '', '']",
        "(" * 5000,
        "[" * 100_000,
        "-" * 100_000 + "1",
        "[" + "-" * 100_000 + "1]",
        "[1, 2, 3]",
        "((((",
        "7",
        "['a', 'b', '\\ud800']",
        "[" + "," * 6_000_000 + "]",
    ],
    ids=lambda text: f"{text:.30}",
)
def test_names_in_metadata_that_do_not_fit_are_not_used(tmp_path: Path, text: str) -> None:
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": text})
    says_so = pytest.warns(UserWarning, match="class names in the model's metadata are not used")
    with says_so if text.strip() else nullcontext() as said:
        assert Detector(model).names == NUMBERED[:3]
    if said is not None:
        (warning,) = said
        assert warning.filename == __file__
        assert len(str(warning.message)) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (str([*COCO_NAMES, "tree"]), "the number of names must be 80, one for each class, got 81"),
        (
            str(dict(enumerate(COCO_NAMES, 1))),
            "names by class id must have the ids 0 to 79, got [1, 2, 3, 4, 5, 6, ...]",
        ),
        ("[", "they are neither JSON nor a Python literal: '['"),
    ],
)
def test_cocos_names_are_not_those_of_a_model_that_has_others(tmp_path: Path, text: str, reason: str) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=80, metadata={"names": text})
    ending = "; the classes are called 'class 0' and so on, unless you pass names"
    with pytest.warns(UserWarning, match=re.escape(f"metadata are not used: {reason}{ending}")):
        assert Detector(model).names == NUMBERED


@pytest.mark.parametrize(
    ("text", "count"), [("['cat']", 1), ("{'0': 'cat'}", 1), ("a, b", 2), (str(list(COCO_NAMES[:79])), 79)]
)
def test_more_columns_than_names_must_be_explained(tmp_path: Path, text: str, count: int) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=80, metadata={"names": text})
    message = rf"80 columns behind the objectness, but {count} names .* num_classes={count} if .*, else num_classes=80"
    with pytest.raises(ModelError, match=message):
        Detector(model)
    assert Detector(model, names=COCO_NAMES).names == COCO_NAMES
    with pytest.warns(UserWarning, match=f"the number of names must be 80, one for each class, got {count}"):
        assert Detector(model, num_classes=80).names == NUMBERED
    with Detector(model, num_classes=count) as detector:
        assert detector.num_classes == count


def test_cocos_names_are_those_of_80_classes_of_which_nothing_is_said(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=80, metadata={"author": "somebody"})
    assert Detector(model).names == COCO_NAMES
    assert PostProcessor(toy_network.SIZE).names == COCO_NAMES
    assert class_names(None, 79) == NUMBERED[:79]


@pytest.mark.parametrize(
    "content",
    [
        "cat\ndog\nfish",
        "cat\ndog\nfish\n\n \n",
        "cat\r\ndog\r\nfish\r\n",
        "\ufeffcat\r\ndog\r\nfish",
        "  cat\n\tdog \nfish",
    ],
)
def test_a_file_has_one_name_a_line(tmp_path: Path, toy_model: Path, content: str) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(content.encode())
    raw = np.zeros((126, 8), np.float32)
    for path in (file, str(file), Lines(file)):
        assert Detector(toy_model, names=path).names == NAMES
        assert PostProcessor(toy_network.SIZE, 3, names=path).names == NAMES
        assert reference.postprocess(raw, toy_network.SIZE, names=path).names == NAMES


class Lines(os.PathLike[str]):
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_names_keep_their_letters_and_commas(tmp_path: Path) -> None:
    file = tmp_path / "names"
    file.write_text("Hähnchen\ntench, Tinca tinca\n🐟\nhot dog", encoding="utf-8")
    assert class_names(file, 4) == ("Hähnchen", "tench, Tinca tinca", "🐟", "hot dog")


NOT_ONE = "{path} is not a file of class names, one a line: "
WRONG_NUMBER = "the number of lines in {path} must be 3, one name for each class, got "


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("names.txt", b"cat\n\nfish", NOT_ONE + "line 2 is empty"),
        ("names.txt", b"\ncat\ndog\nfish", NOT_ONE + "line 1 is empty"),
        ("names.txt", b"", WRONG_NUMBER + "0"),
        ("names.txt", b"cat\ndog", WRONG_NUMBER + "2"),
        ("names.txt", b"cat,dog,fish", WRONG_NUMBER + "1"),
        ("names.txt", "cat\ndog\nfish".encode("utf-16"), NOT_ONE + "it is not UTF-8 text"),
        ("names.txt", b"cat\ndog\nfi\0sh", NOT_ONE + "it is not UTF-8 text"),
        ("data.yaml", b"cat\ndog\nfish", NOT_ONE + "it is JSON or YAML, so load it"),
        ("names.JSON", b'"cat"\n', NOT_ONE + "it is JSON or YAML, so load it"),
        ("names.txt", b'["cat", "dog", "fish"]', NOT_ONE + "it is JSON or YAML, so load it"),
        ("names.txt", b" " * (1 << 20) + b"a", NOT_ONE + "the file has 1,048,577 bytes, more than 1,048,576"),
    ],
)
def test_a_file_that_is_not_one_of_names_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message.format(path=path))):
        class_names(path, 3)


def test_a_model_is_not_a_file_of_names(toy_model: Path) -> None:
    with pytest.raises(ValueError, match=r"\.onnx is not a file of class names, one a line: it is not UTF-8 text"):
        Detector(toy_model, names=toy_model)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("person", "'person'; to give the names themselves, pass a list: ['person']"),
        ("cat, dog", "'cat, dog'; to give the names themselves, pass a list: ['cat', 'dog']"),
        (",".join(COCO_NAMES), "pass a list: ['person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', ...]"),
        ("", "''"),
        ("a\0b", r"'a\x00b'; to give the names themselves, pass a list: ['a\x00b']"),
        (Path("missing/names.txt"), repr(str(Path("missing/names.txt")))),
    ],
)
def test_a_string_is_a_path_and_never_a_name(path: str | Path, hint: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"no file of class names, one a line: .*{re.escape(hint)}$"):
        PostProcessor(toy_network.SIZE, 1, names=path)


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="this is a folder, expected a regular file"):
        class_names(tmp_path, 3)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="this is a pipe, expected a regular file"):
            class_names(tmp_path / "pipe", 3)


def test_names_by_id_may_come_from_json() -> None:
    assert class_names({"1": "dog", "0": "cat"}, 2) == class_names({1: "dog", 0: "cat"}, 2) == ("cat", "dog")
    wrong: tuple[Any, ...] = (
        {0: "cat", "0": "dog"},
        {0: "cat", "one": "dog"},
        {1: "cat", 2: "dog"},
        {0: "cat", -1: "dog"},
    )
    for names in wrong:
        with pytest.raises(ValueError, match="names by class id must have the ids 0 to 1, got "):
            class_names(names, 2)
    with pytest.raises(ValueError, match="the number of names must be 80, one for each class, got 2"):
        class_names({0: "cat", 1: "dog"}, 80)


def test_a_pickled_detector_keeps_its_names(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=80, metadata={"names": "[1, 2]" * 80})
    file = tmp_path / "names.txt"
    file.write_text("\n".join(NUMBERED[::-1]))
    detector = Detector(model, names=file)
    file.unlink()
    assert pickle.loads(pickle.dumps(detector)).names == copy.copy(detector).names == NUMBERED[::-1]
    with pytest.warns(UserWarning, match="not used"):
        detector = Detector(model)
    assert pickle.loads(pickle.dumps(detector)).names == NUMBERED, "and it does not warn again"
