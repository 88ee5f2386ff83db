"""The command line as a process: signals, pipes, names of files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import lines_of
from yoloxfast.cli import main
from yoloxfast.media.images import read_image


def buffered() -> dict[str, str]:
    """Return the environment, in which Python writes when it has much to write, or at its end."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "yoloxfast", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered())


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_leaves_valid_files(photos: Path, toy_model: Path, tmp_path: Path) -> None:
    for number in range(3000):
        (photos / f"{number:05}.png").symlink_to(photos / "a.png")
    lines, output = tmp_path / "boxes.jsonl", tmp_path / "out"
    with start("detect", toy_model, photos, "--json", lines, "--output", output, "--quiet") as process:
        while not (lines.exists() and lines.read_text().count("\n") >= 3):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    facts = lines_of(lines)
    summary, last = errors.splitlines()
    assert int(summary.split()[0]) in {len(facts) - 1, len(facts)}
    assert last == "yoloxfast: interrupted"
    assert 3 <= len(facts) < 3003
    pictures = sorted(output.iterdir())
    assert not [path for path in pictures if path.suffix != ".png"]
    assert len(facts) <= len(pictures) <= len(facts) + 1
    for picture in pictures[-3:]:
        assert read_image(picture).shape == (120, 180, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any name")
def test_file_names_that_are_no_text(
    photos: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    shutil.copy(photos / "a.png", photos / name)
    shutil.copy(photos / "a.png", photos / "\u732b.png")
    lines, output = tmp_path / "boxes.jsonl", tmp_path / "out"
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    for target in (lines, "-"):
        with start("detect", toy_model, photos, "--json", target, "--output", output) as process:
            text, errors = process.communicate()
        assert process.returncode == 0, errors
        facts = lines_of(lines) if target == lines else [json.loads(line) for line in text.splitlines()]
        assert {str(photos / name), str(photos / "\u732b.png")} <= {fact["image"] for fact in facts}
    assert (output / name).exists()


def test_a_broken_installation_is_one_line(
    photos: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')")
    with start("detect", toy_model, photos) as process:
        text, errors = process.communicate()
    assert process.returncode == 2
    assert text == ""
    assert errors.count("\n") == 1
    assert "libgomp.so.1" in errors


def test_progress_is_not_needed(
    photos: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("yoloxfast.cli.report.tqdm", None)
    (photos / "empty.png").touch()
    assert main(["detect", str(toy_model), str(photos)]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("180x120") == 3
    assert captured.err.startswith(f"{photos / 'empty.png'}: the file is empty")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe early")
def test_a_reader_that_leaves_is_no_crash(photos: Path, toy_model: Path) -> None:
    for number in range(300):
        (photos / f"{number:05}.png").symlink_to(photos / "a.png")
    with start("detect", toy_model, photos, "--json", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert errors == ""


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe early")
def test_a_reader_that_left_before_the_end_is_no_crash(tmp_path: Path) -> None:
    with start("demo", "--output", tmp_path / "scene.png") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert errors == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_an_output_that_is_full_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yoloxfast", "demo", "--output", str(tmp_path / "scene.png")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=buffered(), check=False)
    assert done.returncode == 2
    assert done.stderr == "yoloxfast: error: standard output: No space left on device\n"


def test_what_libraries_print_about_damaged_images_is_left_out(photos: Path, toy_model: Path) -> None:
    """Libpng, libjpeg and libtiff write to the descriptor of standard error by themselves."""
    content = bytearray((photos / "a.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (photos / "damaged.png").write_bytes(content)
    with start("detect", toy_model, photos / "damaged.png", photos / "a.png", "--quiet") as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    first, last = errors.splitlines()
    assert first == f"{photos / 'damaged.png'}: not an image that OpenCV can read, or a truncated one"
    assert last.startswith("1 image, ")
