"""Names are other people's: what the command line prints of them neither commands the terminal nor breaks the line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

import toy_network
from yoloxfast.cli import build, download, main
from yoloxfast.cli.output import escaped
from yoloxfast.errors import ModelError
from yoloxfast.tensorrt.engine_file import write_engine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any name")

EVIL = "evil\x1b[31m\x07\r\nsecond\u202e\x9b2J\u2028\t\x7f"
ESCAPED = r"evil\x1b[31m\x07\r\nsecond\u202e\x9b2J\u2028\t\x7f"
ORDINARY = "é 日本\u3000\u0646\u0627\u0645\u0647\u200c\u0647\u0627 👩\u200d💻 9\u202f00"
NO_TEXT = os.fsdecode(b"\xff\xfe")


def assert_obeys_nothing(text: str) -> None:
    kinds = {unicodedata.category(letter) for letter in set(text) - set("\n\u200c\u200d")}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}, repr(text)


def test_letters_stay_and_what_commands_is_escaped() -> None:
    assert escaped(ORDINARY) == ORDINARY
    assert escaped(EVIL) == ESCAPED
    assert escaped(escaped(EVIL)) == ESCAPED
    assert escaped(NO_TEXT) == r"\udcff\udcfe"
    assert escaped(r"C:\new") == r"C:\new"
    for numbers in (range(0x2100), range(0xD700, 0xE100), range(0xFE00, 0x10000), range(0xE0000, 0xE0100)):
        assert_obeys_nothing("".join(escaped(chr(number)) for number in numbers))


def test_detect_escapes_names_of_files_and_classes(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{EVIL}{number}" for number in "012"]
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": repr(names)})
    for name in (EVIL, ORDINARY, NO_TEXT):
        shutil.copy(photos / "a.png", photos / f"{name}.png")
    (photos / f"broken{EVIL}.png").touch()
    output = tmp_path / f"out{EVIL}"
    assert main(["detect", str(model), str(photos), "--output", str(output)]) == 1
    captured = capsys.readouterr()
    assert_obeys_nothing(captured.out + captured.err)
    lines = captured.out.splitlines()
    listed = [line for line in lines if "180x120" in line]
    assert len(listed) == 6
    for name in (ESCAPED, ORDINARY, r"\udcff\udcfe"):
        assert any(line.startswith(f"{photos / name}.png  ") for line in listed)
    assert all(line.startswith(f"  {ESCAPED}") for line in lines if line not in listed)
    problem, _ = captured.err.splitlines()
    assert problem == f"{photos}/broken{ESCAPED}.png: the file is empty"
    assert (output / f"{EVIL}.png").exists()


def test_json_keeps_names_as_they_are(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{EVIL}{number}" for number in "012"]
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": repr(names)})
    for name in (EVIL, ORDINARY, NO_TEXT):
        shutil.copy(photos / "a.png", photos / f"{name}.png")
    assert main(["detect", str(model), str(photos), "--json", "-"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    facts: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert {str(photos / f"{name}.png") for name in (EVIL, ORDINARY, NO_TEXT)} <= {fact["image"] for fact in facts}
    assert {found["name"] for fact in facts for found in fact["detections"]} <= set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        ["--" + EVIL],
        ["detect", "demo", "photo.png", EVIL, "--" + EVIL],
        ["detect", "demo", "photo.png", "--score", EVIL],
        ["detect", "demo", "photo.png", "--max", EVIL],
        ["detect", "demo", "photo.png", "--backend", EVIL],
        ["detect", "demo", "photo.png", "--classes", EVIL],
        ["detect", "demo", "photo.png", "--names", EVIL],
        ["detect", "demo", f"{EVIL}*.png"],
        ["detect", EVIL, "photo.png"],
        ["detect", f"{EVIL}.onnx", "photo.png"],
        ["detect", "demo", "photo.png", "--json", f"missing/{EVIL}"],
        ["detect", "demo", "photo.png", "--output", f"file/{EVIL}"],
        ["info", EVIL],
        ["info", "demo", "--device", EVIL],
        ["info", "demo", "--providers", EVIL],
        ["build", EVIL],
        ["build", "demo", "--batch", EVIL],
        ["build", "demo", "--output", f"missing/{EVIL}.engine"],
        ["demo", "--seed", EVIL],
        ["demo", "--output", EVIL],
        ["demo", "--output", f"missing/{EVIL}.png"],
        ["download", EVIL],
    ],
    ids=lambda arguments: " ".join(arguments).replace(EVIL, "EVIL"),
)
def test_errors_escape_what_they_repeat(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    toy_network.build(tmp_path / "photo.png")
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert_obeys_nothing(captured.err)


def test_info_escapes_what_a_model_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = repr([f"{EVIL}{number}" for number in "012"])
    model = toy_network.build(tmp_path / f"{EVIL}.onnx", metadata={"names": names})
    assert main(["info", str(model)]) == 0
    engine = tmp_path / f"{EVIL}.engine"
    with engine.open("wb") as file:
        write_engine(file, b"plan", {"names": names, "source": EVIL, EVIL: EVIL, "blank": " "})
    assert main(["info", str(engine)]) == 0
    out = capsys.readouterr().out
    assert_obeys_nothing(out)
    words = out.split()
    assert f"{ESCAPED}0," in words
    assert [*words].count(ESCAPED) == 3
    assert words[words.index("blank") + 1] == "-"


def test_names_of_what_was_written_are_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / f"{EVIL}.engine"
    with engine.open("wb") as file:
        write_engine(file, b"plan", {"precision": "fp32", "batch": "1", "runtime": EVIL})
    monkeypatch.setattr(build, "build_engine", lambda *_, **__: engine)
    monkeypatch.setattr(download, "download", lambda _: engine)
    assert main(["build", "demo"]) == 0
    assert main(["download", "yolox-nano"]) == 0
    assert main(["demo", "--output", str(tmp_path / f"{EVIL}.png")]) == 0
    out = capsys.readouterr().out
    assert_obeys_nothing(out)
    assert out.startswith(f"{tmp_path}/{ESCAPED}.engine: ")
    assert f"\n{tmp_path}/{ESCAPED}.engine\n" in out
    assert out.endswith(f"{tmp_path}/{ESCAPED}.png\n")


def test_what_a_runtime_says_in_several_lines_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise ModelError("first\n  second \n\nthird\x1b")

    monkeypatch.setattr(download, "download", fail)
    assert main(["download", "yolox-nano"]) == 2
    assert capsys.readouterr().err == "yoloxfast: error: first second third\\x1b\n"


@pytest.mark.parametrize("locale", [{"PYTHONUTF8": "1"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=str)
@pytest.mark.parametrize("encoding", ["", "ascii", "latin-1", "utf-8:strict"])
def test_any_name_is_printable_under_any_locale(
    photos: Path, toy_model: Path, locale: dict[str, str], encoding: str
) -> None:
    for name in (EVIL, ORDINARY, NO_TEXT):
        shutil.copy(photos / "a.png", photos / f"{name}.png")
    (photos / f"broken{NO_TEXT}.png").touch()
    command = [sys.executable, "-m", "yoloxfast", "detect", str(toy_model), str(photos)]
    environment = os.environ | {"LC_ALL": "C"} | locale | ({"PYTHONIOENCODING": encoding} if encoding else {})
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 1, done.stderr
    out, err = (text.decode(encoding.partition(":")[0] or "utf-8") for text in (done.stdout, done.stderr))
    assert_obeys_nothing(out + err)
    assert out.count("180x120") == 6
    assert r"broken\udcff\udcfe.png: the file is empty" in err
