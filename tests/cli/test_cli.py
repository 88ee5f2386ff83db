from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from command_line import assert_fails, lines_of
from yoloxfast import Detections, Detector, __version__
from yoloxfast.cli import main, sources
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path


COMMANDS = ("demo", "detect", "info", "doctor", "build", "download")


def vast_png() -> bytes:
    """Make a small file that promises 40000 x 40000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    header = (40_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


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


@pytest.mark.parametrize("where", ["read_image", "detect", "draw"])
def test_an_image_for_which_memory_is_refused_does_not_end_the_run(
    photos: Path,
    toy_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
) -> None:
    holder: Any = {"read_image": sources, "detect": Detector, "draw": Detections}[where]
    works, calls = getattr(holder, where), 0

    def refuse_the_first(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        return works(*arguments, **options)

    monkeypatch.setattr(holder, where, refuse_the_first)
    assert main(["detect", str(toy_model), str(photos), "--output", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert f"{photos / 'a.png'}: not enough memory" in captured.err
    assert "1 failed" in captured.err
    assert captured.out.count("180x120") == (3 if where == "draw" else 2)


def test_detect_passes_its_options_on(photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = photos / "names.txt"
    names.write_text("cat\ndog\nfish\n")
    options = ["--score", "0.3", "--iou", "0.7", "--agnostic", "--names", str(names), "--classes", "dog,2"]
    options += ["--max", "4", "--legacy", "--threads", "1", "--json", "-"]
    assert main(["detect", str(toy_model), str(photos / "a.png"), *options]) == 0
    (fact,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    detector = Detector(
        toy_model,
        score_threshold=0.3,
        iou_threshold=0.7,
        class_agnostic=True,
        classes=[1, 2],
        names=("cat", "dog", "fish"),
        max_detections=4,
        legacy=True,
    )
    assert fact["detections"] == detector.detect(read_image(photos / "a.png")).to_dict()["detections"]
    assert len(fact["detections"]) == 4


def test_detect_passes_on_what_a_model_was_trained_with(
    photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--scale", "1/2", "--mean=-1,2,3", "--std", "0.5", "--input-color", "rgb", "--json", "-"]
    assert main(["detect", str(toy_model), str(photos / "a.png"), *options]) == 0
    (fact,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    detector = Detector(toy_model, scale=0.5, mean=(-1, 2, 3), std=0.5, input_color="rgb")
    assert fact["detections"] == detector.detect(read_image(photos / "a.png")).to_dict()["detections"]


def test_detect_and_info_pass_on_what_a_model_does_not_say(
    photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["--num-classes", "2", "--strides", "8,16,32", "--no-decoded", "--input-size", "64,96"]
    assert main(["info", str(toy_model), *said]) == 0
    assert "2: class 0, class 1\n" in capsys.readouterr().out
    options = [*said, "--semantics", "cpp-demo", "--json", "-"]
    assert main(["detect", str(toy_model), str(photos / "a.png"), *options]) == 0
    (fact,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    with Detector(toy_model, num_classes=2, semantics="cpp-demo") as detector:
        found = detector.detect(read_image(photos / "a.png"))
    assert fact["detections"] == found.to_dict()["detections"]
    assert len(found) > 0


@pytest.mark.parametrize("text", ["white", "1/0", "1/x", ",", "0.5;0.5"])
def test_a_mean_is_numbers(photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["detect", str(toy_model), str(photos / "a.png"), "--mean", text])
    assert exited.value.code == 2
    assert "argument --mean: expected" in capsys.readouterr().err


def test_detect_says_how_long_steps_take(photos: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(toy_model), str(photos), "--timings", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["letterbox", "wait", "network", "post-processing"]
    (photos / "broken").mkdir()
    (photos / "broken/x.jpg").write_bytes(b"")
    assert main(["detect", str(toy_model), str(photos / "broken"), "--timings"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "no images yet"


def test_a_copy_that_cannot_be_encoded_costs_only_itself(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, content = cv2.imencode(".png", np.zeros((2, 70_000, 3), np.uint8))
    (photos / "a_wide.jpg").write_bytes(content.tobytes())
    output, lines = tmp_path / "out", tmp_path / "boxes.jsonl"
    arguments = ["detect", str(toy_model), str(photos), "--output", str(output), "--json", str(lines)]
    assert main(arguments) == 1
    assert "a_wide.jpg: OpenCV cannot write an image of 70000x2 as .jpg" in capsys.readouterr().err
    assert len(lines_of(lines)) == 4
    assert sorted(path.name for path in output.iterdir()) == ["a.png", "b.jpg", "more"]


def test_unreadable_images_do_not_stop_the_rest(
    photos: Path, toy_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (photos / "b.jpg").read_bytes()
    (photos / "a_truncated.jpg").write_bytes(content[: len(content) // 2])
    (photos / "a_empty.png").touch()
    (photos / "a_text.png").write_text("hello")
    (photos / "a_vast.png").write_bytes(vast_png())
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
    assert errors[-2].startswith(
        f"{photos / 'a_vast.png'}: the picture has 1,600,000,000 pixels, more than 268,435,456"
    )
    assert errors[-1].endswith("5 failed")


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
    assert_fails(capsys, "detect", toy_model, "", message="a SOURCE is empty")
    assert_fails(capsys, *detect, "--threads", "99999999999", message="threads is 99999999999, expected 1 to 1024")
    assert_fails(capsys, *detect, "--max", "9" * 30, message="max_detections is 9999")
    assert_fails(capsys, *detect, "--device", "GPU", message="device must be the number of a GPU for ONNX Runtime")
    assert_fails(capsys, *detect, "--names", "a,b,c", message="error: no file of class names, one a line: 'a,b,c'\n")
    assert_fails(capsys, *detect, "--names", photos, message="this is a folder, expected a regular file")
    assert_fails(capsys, *detect, "--names", toy_model, message="is not a file of class names, one a line: it is not")
    assert_fails(capsys, *detect, "--names", photos / "notes.txt", message="notes.txt must be 3, one name for each")
    assert_fails(capsys, "detect", tmp_path / "missing.onnx", photos, message="no model file")
    assert_fails(capsys, "detect", photos / "notes.txt", photos, message="unknown suffix")
    (tmp_path / "text.onnx").write_text("hello")
    assert_fails(capsys, "detect", tmp_path / "text.onnx", photos, message="not a model that ONNX Runtime can load")
    assert_fails(capsys, "info", tmp_path / "text.onnx", message="not a model that ONNX Runtime can load")
    assert_fails(capsys, "detect", toy_model, photos / "*.gif", message="no file matches")
    (tmp_path / "nothing").mkdir()
    assert_fails(capsys, "detect", toy_model, tmp_path / "nothing", message="no images in folder")
    assert_fails(capsys, "download", "yolox-xxl", message="unknown model 'yolox-xxl', expected one of yolox-nano")


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
