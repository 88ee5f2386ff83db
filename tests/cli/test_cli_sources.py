"""Which images the command line takes, and what it never overwrites."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from command_line import assert_fails, lines_of
from yoloxfast import Detector
from yoloxfast.cli import main
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_detect_takes_files_folders_and_globs(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    sources = [str(photos / "b.jpg"), str(photos / "**/a.p[nm]g"), str(photos / "more")]
    assert main(["detect", str(toy_model), *sources, "--json", str(lines), "--quiet"]) == 0
    assert [fact["image"] for fact in lines_of(lines)] == [
        str(photos / name) for name in ("b.jpg", "a.png", "more/a.png")
    ]


def test_copies_of_the_same_name_are_numbered(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copy(photos / "a.png", photos / "a")
    sources = [str(photos / name) for name in ("a.png", "more/a.png", "a")]
    assert main(["detect", str(toy_model), *sources, "--output", str(output)]) == 0
    assert sorted(path.name for path in output.iterdir()) == ["a-2.png", "a-3.png", "a.png"]


def test_an_output_inside_the_source_is_not_searched(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    for _ in range(2):
        arguments = ["detect", str(toy_model), str(photos), "--output", str(photos / "out"), "--json", str(lines)]
        assert main(arguments) == 0
        assert len(lines_of(lines)) == 3


def test_an_output_around_the_source_hides_nothing(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    arguments = ["detect", str(toy_model), str(photos / "more"), "--output", str(photos / ".."), "--json", str(lines)]
    assert main(arguments) == 0
    assert len(lines_of(lines)) == 1
    assert (tmp_path / "a.png").exists()


def test_an_original_is_never_overwritten(photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (photos / "a.png").read_bytes()
    for source in (photos / "a.png", photos, photos / "*.png"):
        arguments = ("detect", toy_model, source, "--output", photos)
        assert_fails(capsys, *arguments, message="would be overwritten by its annotated copy")
    assert (photos / "a.png").read_bytes() == before


def test_json_overwrites_no_image_no_model_and_no_names(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, names = shutil.copy(toy_model, tmp_path / "model.onnx"), tmp_path / "names.txt"
    names.write_text("cat\ndog\nfish\n")
    (tmp_path / "link").symlink_to(photos)
    arguments = ("detect", model, photos, "--output", tmp_path / "out", "--names", names)
    for file in (photos / "a.png", tmp_path / "link/a.png", model, names, tmp_path / "out/b.jpg"):
        assert_fails(capsys, *arguments, "--json", file, message="is read or written already: choose another --json")
    assert Detector(model, names=names).names == ("cat", "dog", "fish")
    assert read_image(photos / "a.png").shape == (120, 180, 3)


def test_no_output_overwrites_an_image_by_another_name(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    before = (photos / "b.jpg").read_bytes()
    links = {"hard": tmp_path / "hard.jpg", "symbolic": tmp_path / "symbolic.jpg", "both": tmp_path / "both.jpg"}
    links["hard"].hardlink_to(photos / "b.jpg")
    links["symbolic"].symlink_to(photos / "b.jpg")
    links["both"].symlink_to(links["hard"])
    for link in links.values():
        arguments = ("detect", toy_model, photos, "--json", link)
        assert_fails(capsys, *arguments, message=f"{link} is read or written already: choose another --json")
        assert_fails(
            capsys, "detect", toy_model, link, "--json", photos / "b.jpg", message="is read or written already"
        )
        link.rename(output / "b.jpg")
        arguments = ("detect", toy_model, photos, "--output", output)
        assert_fails(capsys, *arguments, message="out/b.jpg would be overwritten by its annotated copy")
        assert (photos / "b.jpg").read_bytes() == before
        (output / "b.jpg").rename(link)


def test_the_lines_are_not_written_over_a_model_or_a_copy_by_another_name(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, output = shutil.copy(toy_model, tmp_path / "model.onnx"), tmp_path / "out"
    assert main(["detect", str(model), str(photos), "--output", str(output), "--quiet"]) == 0
    capsys.readouterr()
    (tmp_path / "other.bin").touch()
    other, weights = tmp_path / "other.xml", tmp_path / "other.bin"
    for number, (used, file) in enumerate(((model, model), (model, output / "b.jpg"), (other, weights))):
        link = tmp_path / f"link{number}"
        link.hardlink_to(file)
        arguments = ("detect", used, photos, "--output", output, "--json", link)
        assert_fails(capsys, *arguments, message="is read or written already: choose another --json")
    assert_fails(capsys, "detect", "", photos, "--json", tmp_path / "lines", message="the model's name is empty")


def test_an_empty_name_is_not_the_current_folder(
    photos: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    detect = ("detect", toy_model, photos)
    for command in (("demo",), detect, ("build", toy_model)):
        message = "--output: the name is empty, expected one of a file or folder"
        assert_fails(capsys, *command, "--output", "", message=message)
    assert_fails(capsys, *detect, "--json", "", message="--json: the name is empty, expected one of a file or folder")
    assert list((tmp_path / "here").iterdir()) == []


def test_each_file_is_done_once_however_it_is_named(
    photos: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    lines = tmp_path / "boxes.jsonl"
    sources = ["a.png", str(photos / "a.png"), "./a.png", "more/../a.png", "."]
    (photos / "C.JPG").write_bytes((photos / "b.jpg").read_bytes())
    (photos / "folder.png").mkdir()
    assert main(["detect", str(toy_model), *sources, "--json", str(lines)]) == 0
    assert [fact["image"] for fact in lines_of(lines)] == ["a.png", "C.JPG", "b.jpg", "more/a.png"]


def test_a_file_named_like_a_glob_is_a_file(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    name = str(photos / "[ab].png")
    shutil.copy(photos / "a.png", name)
    assert main(["detect", str(toy_model), name, "--json", str(lines)]) == 0
    assert [fact["image"] for fact in lines_of(lines)] == [name]


def test_what_cannot_be_searched_or_named_is_reported(
    photos: Path,
    toy_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        if str(path) == str(photos / "more"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr("os.scandir", scandir)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    output, lines = tmp_path / "out", tmp_path / "boxes.jsonl"
    sources = [tmp_path / ("x" * 300 + ".png"), tmp_path / "loop.png", photos]
    arguments = ["detect", str(toy_model), *map(str, sources), "--output", str(output), "--json", str(lines)]
    assert main(arguments) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].endswith("File name too long")
    assert "loop.png: Too many levels of symbolic links" in errors[1]
    assert errors[2] == f"{photos / 'more'}: Permission denied"
    assert len(lines_of(lines)) == 2


def test_a_long_file_name_has_a_copy(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    name = "x" * 250 + ".png"
    shutil.copy(photos / "a.png", photos / name)
    assert main(["detect", str(toy_model), str(photos), "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / name).exists()
