from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from files import lines_of
from yoloxfast import Detector, __version__
from yoloxfast.cli import main
from yoloxfast.images import read_image

if TYPE_CHECKING:
    from pathlib import Path


COMMANDS = ("detect", "info", "download")


def assert_fails(capsys: pytest.CaptureFixture[str], *arguments: object, message: str) -> None:
    """Expect one line on stderr, nothing on stdout, and status 2."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert message in captured.err


def test_detect_writes_pictures_and_json(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, lines = tmp_path / "out/deep", tmp_path / "boxes.jsonl"
    assert main(["detect", str(toy_model), str(photos), "--output", str(output), "--json", str(lines)]) == 0
    written = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert written == ["a.png", "b.jpg", "more/a.png"]
    detector = Detector(toy_model)
    facts = lines_of(lines)
    assert [fact["image"] for fact in facts] == [str(photos / name) for name in ("a.png", "b.jpg", "more/a.png")]
    for fact, name in zip(facts, ("a.png", "b.jpg", "more/a.png"), strict=True):
        image = read_image(photos / name)
        found = detector.detect(image)
        assert fact == {"image": str(photos / name), "width": 180, "height": 120, **found.to_dict()}
        assert len(found) > 0
        if name.endswith(".png"):
            np.testing.assert_array_equal(read_image(output / name), found.draw(image))
    captured = capsys.readouterr()
    assert captured.out.count("180x120") == 3
    assert "class 0" in captured.out
    assert captured.err.startswith("3 images, ")


def test_detect_passes_its_options_on(photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--score", "0.5", "--iou", "0.7", "--agnostic", "--names", "cat,dog,fish", "--classes", "dog,2"]
    options += ["--max", "4", "--threads", "1", "--json", "-"]
    assert main(["detect", str(toy_model), str(photos / "a.png"), *options]) == 0
    (fact,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    detector = Detector(
        toy_model,
        score_threshold=0.5,
        iou_threshold=0.7,
        class_agnostic=True,
        classes=[1, 2],
        names=("cat", "dog", "fish"),
        max_detections=4,
    )
    assert fact["detections"] == detector.detect(read_image(photos / "a.png")).to_dict()["detections"]
    assert len(fact["detections"]) == 4


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


def test_unreadable_images_do_not_stop_the_rest(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (photos / "b.jpg").read_bytes()
    (photos / "a_truncated.jpg").write_bytes(content[: len(content) // 2])
    (photos / "a_empty.png").touch()
    (photos / "a_text.png").write_text("hello")
    lines, output = tmp_path / "boxes.jsonl", tmp_path / "out"
    missing = photos / "missing.png"
    arguments = ["detect", str(toy_model), str(missing), str(photos), "--json", str(lines), "--output", str(output)]
    assert main(arguments) == 1
    assert len(lines_of(lines)) == 3
    errors = capsys.readouterr().err.splitlines()
    assert errors[:4] == [
        f"{missing}: No such file or directory",
        f"{photos / 'a_empty.png'}: the file is empty",
        f"{photos / 'a_text.png'}: not an image that OpenCV can read, or a truncated one",
        f"{photos / 'a_truncated.jpg'}: the JPEG file is truncated",
    ]
    assert errors[4].endswith("4 could not be read")


def test_bad_options_and_models_are_one_line_and_status_2(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detect = ("detect", toy_model, photos)
    assert_fails(capsys, message="the following arguments are required")
    assert_fails(capsys, "detekt", message="invalid choice")
    assert_fails(capsys, "detect", toy_model, message="required: SOURCE")
    assert_fails(capsys, *detect, "--score", "high", message="--score: expected a number from 0 to 1, got high")
    assert_fails(capsys, *detect, "--score", "1.5", message="argument --score: expected a number from 0 to 1, got 1.5")
    assert_fails(capsys, *detect, "--iou", "nan", message="argument --iou: expected a number from 0 to 1, got nan")
    assert_fails(capsys, *detect, "--classes", "person", message="unknown class 'person'")
    assert_fails(capsys, *detect, "--max", "0", message="argument --max: expected a whole number of at least 1, got 0")
    assert_fails(capsys, *detect, "--classes", ",", message="argument --classes: expected names")
    assert_fails(capsys, *detect, "--scor", "0.5", message="unrecognized arguments: --scor")
    assert_fails(capsys, *detect, "--names", "one", message="got 1 names for 3 classes")
    assert_fails(capsys, "detect", tmp_path / "missing.onnx", photos, message="no model file")
    assert_fails(capsys, "detect", photos / "notes.txt", photos, message="unknown suffix")
    (tmp_path / "text.onnx").write_text("hello")
    assert_fails(capsys, "detect", tmp_path / "text.onnx", photos, message="not a model that ONNX Runtime can load")
    assert_fails(capsys, "info", tmp_path / "text.onnx", message="not a model that ONNX Runtime can load")
    assert_fails(capsys, "detect", toy_model, photos / "*.gif", message="no file matches")
    (tmp_path / "nothing").mkdir()
    assert_fails(capsys, "detect", toy_model, tmp_path / "nothing", message="no images in folder")
    assert_fails(capsys, "download", "yolox-xxl", message="invalid choice: 'yolox-xxl'")


def test_a_bad_model_leaves_earlier_results_alone(photos: Path, tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    lines.write_text("earlier")
    assert main(["detect", str(tmp_path / "missing.onnx"), str(photos), "--json", str(lines)]) == 2
    assert lines.read_text() == "earlier"


def test_an_output_that_cannot_be_written_is_status_2(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    for option in (
        ("--output", file),
        ("--output", file / "out"),
        ("--json", tmp_path / "missing/boxes.jsonl"),
        ("--json", tmp_path),
    ):
        assert main(["detect", str(toy_model), str(photos), *map(str, option)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("yoloxfast: error: ")
        assert str(option[1]) in captured.err


def test_info_says_what_a_model_is(toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(toy_model)]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.replace("input size", "size").splitlines())
    assert facts["size"] == "64 x 96 (height x width)"
    assert facts["input"] == "image (1, 3, 64, 96) float32"
    assert facts["output"] == "out0 (1, 126, 8) float32"
    assert facts["strides"] == "8, 16, 32"
    assert facts["anchors"] == "126"
    assert facts["classes"] == "3: class 0, class 1, class 2"
    assert facts["runtime"].startswith("ONNX Runtime 1.")


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)], ids=str)
def test_help_is_there_and_fits_a_terminal(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in (COMMANDS if not command else ("--help",)))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"yoloxfast {__version__}\n"
