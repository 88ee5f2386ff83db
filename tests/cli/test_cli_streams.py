"""Standard streams that are closed or full, and what libraries print: the status is right, and JSON is only JSON."""

from __future__ import annotations

import ast
import ctypes
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from command_line import lines_of
from locations import PROJECT
from yoloxfast import Detector
from yoloxfast.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    Done: TypeAlias = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full, and a shell")

PROGRAM = """
import sys
from pathlib import Path
from tempfile import mkdtemp
from yoloxfast.cli import build, download, main
from yoloxfast.tensorrt.engine_file import write_engine

def build_engine(*_, **__):
    with open("model.engine", "wb") as file:
        write_engine(file, b"plan", {"precision": "fp32", "batch": "1", "runtime": "TensorRT 10"})
    return Path("model.engine")

build.build_engine = build_engine
download.download = lambda name: Path(name)
sys.exit(main())
"""
"""The command line, but that builds no engine and downloads nothing."""

LIST = "detect MODEL PHOTOS --threads 1"
PRINTING = {
    "version": "--version",
    "help": "--help",
    **{f"help of {name}": f"{name} --help" for name in ("demo", "detect", "build", "info", "download")},
    "demo": "demo --seed 1 --output scene.png",
    "list": LIST,
    "list and lines": f"{LIST} --json boxes.jsonl",
    "lines": f"{LIST} --json -",
    "build": "build MODEL",
    "info": "info MODEL",
    "download": "download yolox-nano",
}
"""Commands that succeed, and print on standard output."""

SILENT = {
    "nothing": (f"{LIST} --quiet", 0),
    "copies": (f"{LIST} --quiet --output out --timings", 0),
    "lines into a file": (f"{LIST} --quiet --json boxes.jsonl", 0),
    "an image that cannot be read": ("detect MODEL PHOTOS missing.png --quiet", 1),
    "no command": ("", 2),
    "unknown command": ("detekt", 2),
    "missing argument": ("detect", 2),
    "bad option": (f"{LIST} --score high", 2),
    "missing model": ("info missing.onnx", 2),
    "unknown download": ("download yolox-xxl", 2),
    "bad output": ("demo --output scene.doc", 2),
    "bad batch": ("build MODEL --batch x", 2),
}
"""Commands that print nothing on standard output, and their status."""


def run(arguments: str, redirections: Iterable[str], photos: Path, model: Path, program: str = PROGRAM) -> list[Done]:
    """Run a command line under each of a shell's redirections, all at the same time, each in a folder of its own."""
    words = arguments.replace("MODEL", str(model)).replace("PHOTOS", str(photos)).split()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    def finish(redirection: str) -> Done:
        command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", program, *words]
        folder = mkdtemp(dir=photos.parent)
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)

    with ThreadPoolExecutor() as threads:
        return list(threads.map(finish, redirections))


@pytest.mark.parametrize("arguments", PRINTING.values(), ids=PRINTING)
def test_output_that_cannot_be_written_is_status_2_and_one_sentence(
    photos: Path, toy_model: Path, arguments: str
) -> None:
    closed, full, silent = run(arguments, (">&-", ">/dev/full", ">&- 2>&-"), photos, toy_model)
    for done, message in ((closed, " is closed: redirect it to a file"), (full, ": No space left on device")):
        assert done.returncode == 2, done
        assert done.stderr.startswith(f"yoloxfast: error: standard output{message}")
        assert done.stderr.count("\n") == 1
    assert (silent.returncode, silent.stdout, silent.stderr) == (2, "", "")


@pytest.mark.parametrize("arguments", PRINTING.values(), ids=PRINTING)
def test_errors_that_cannot_be_written_change_nothing_else(photos: Path, toy_model: Path, arguments: str) -> None:
    outputs = set()
    for done in run(arguments, ("", "<&- 2>&-", "2>/dev/full"), photos, toy_model):
        assert done.returncode == 0, done
        assert "Traceback" not in done.stderr
        outputs.add("changes each time" if arguments.startswith("demo") else done.stdout)
    assert len(outputs) == 1
    assert outputs != {""}


@pytest.mark.parametrize(("arguments", "status"), SILENT.values(), ids=SILENT)
def test_a_command_that_prints_nothing_has_its_status_whatever_is_closed(
    photos: Path, toy_model: Path, arguments: str, status: int
) -> None:
    without_output, *others = run(arguments, (">&-", "<&- >&- 2>&-", "2>/dev/full"), photos, toy_model)
    assert without_output.returncode == status, without_output
    assert without_output.stderr
    assert "Traceback" not in without_output.stderr
    for done in others:
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


NOISE = (b"by descriptor\n", b"by C\n", b"by Python\n", b"by an old reference\n")


def make_noise(python_output: object) -> None:
    """Print on standard output in all ways that a library may."""
    os.write(1, NOISE[0])
    ctypes.CDLL(None).printf(NOISE[1])
    print(NOISE[2].decode(), end="")
    print(NOISE[3].decode(), end="", file=python_output)  # type: ignore[call-overload]


NOISY_PROGRAM = f"""
import sys
sys.path[:0] = {[str(PROJECT / "tests/support"), str(PROJECT / "tests/cli")]!r}
import test_cli_streams as streams
from yoloxfast import Detector
from yoloxfast.cli import main

output, detect, open_ = sys.stdout, Detector.detect, Detector.__init__

def noisy(function):
    def call(*arguments, **options):
        streams.make_noise(output)
        return function(*arguments, **options)
    return call

Detector.detect, Detector.__init__ = noisy(detect), noisy(open_)
sys.exit(main())
"""


def test_lines_on_standard_output_are_only_lines_whatever_a_library_prints(photos: Path, toy_model: Path) -> None:
    (done,) = run(f"{LIST} --json -", [""], photos, toy_model, NOISY_PROGRAM)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["width"] for line in done.stdout.splitlines()] == [180] * 3
    for noise in NOISE:
        assert done.stderr.count(noise.decode()) == 4


@pytest.mark.parametrize("redirections", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_what_a_library_prints_on_a_closed_stream_is_in_no_file(
    photos: Path, toy_model: Path, redirections: str
) -> None:
    program = NOISY_PROGRAM.replace("streams.make_noise(output)", "[os.write(number, b'noise') for number in (1, 2)]")
    lines = photos.parent / "boxes.jsonl"
    (done,) = run(f"{LIST} --json {lines} --quiet", [redirections], photos, toy_model, f"import os{program}")
    assert done.returncode == 0
    assert len(lines_of(lines)) == 3


@pytest.fixture
def _noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    detect = Detector.detect

    def noisy(self: Detector, image: object) -> object:
        os.write(1, NOISE[0])
        ctypes.CDLL(None).printf(NOISE[1])
        print(NOISE[2].decode(), end="")
        return detect(self, image)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "detect", noisy)


@pytest.mark.usefixtures("_noisy")
def test_lines_are_clean_where_pytest_captures_descriptors(
    photos: Path, toy_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["detect", str(toy_model), str(photos), "--json", "-"]) == 0
        os.write(1, b"after\n")
        print("after")
        captured = capfd.readouterr()
        *lines, first, second = captured.out.splitlines()
        assert len([json.loads(line) for line in lines]) == 3
        assert first == second == "after"
        assert captured.err.count("by C\n") == captured.err.count("by descriptor\n") == 3


@pytest.mark.usefixtures("_noisy")
@pytest.mark.parametrize("kind", ["text", "file", "own class"])
def test_lines_go_to_a_standard_output_that_was_replaced(
    photos: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with replacement(kind, tmp_path / "output") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["detect", str(toy_model), str(photos), "--json", "-"]) == 0
        assert sys.stdout is output
        monkeypatch.undo()
        output.flush()
        text = output.getvalue() if isinstance(output, io.StringIO) else (tmp_path / "output").read_text()
    assert len([json.loads(line) for line in text.splitlines()]) == 3


def replacement(kind: str, path: Path) -> io.TextIOBase:
    class Tee(io.TextIOBase):
        """Says that it is standard output, and is not."""

        def __init__(self) -> None:
            self._file = path.open("w")

        def fileno(self) -> int:
            return 1

        def write(self, text: str) -> int:
            return self._file.write(text)

        def flush(self) -> None:
            self._file.flush()

        def close(self) -> None:
            self._file.close()

    return io.StringIO() if kind == "text" else path.open("w") if kind == "file" else Tee()


def test_two_writers_of_one_file_break_no_line(photos: Path, toy_model: Path) -> None:
    for number in range(100):
        (photos / f"{number:05}.png").symlink_to(photos / "a.png")
    lines = photos.parent / "boxes.jsonl"
    command = [sys.executable, "-m", "yoloxfast", "detect", str(toy_model), str(photos), "--quiet"]
    command += ["--json", str(lines)]
    scores = ("0.01", "0.02")
    writers = [subprocess.Popen([*command, "--score", score], stderr=subprocess.DEVNULL) for score in scores]
    assert [writer.wait() for writer in writers] == [0, 0]
    facts = lines_of(lines)
    assert 103 <= len(facts) <= 206
    assert max(len(line) for line in lines.read_text().splitlines()) > 8192, "more than a buffer holds"


@pytest.mark.parametrize(("closed", "status"), [("1", 2), ("2", 0), ("1, 2", 2)])
def test_streams_that_were_closed_under_python_are_closed(
    photos: Path, toy_model: Path, closed: str, status: int
) -> None:
    program = f"import os, sys, yoloxfast.cli as cli; [os.close(n) for n in ({closed},)]; sys.exit(cli.main())"
    for arguments in ("--version", LIST, f"{LIST} --json -"):
        (done,) = run(arguments, [""], photos, toy_model, program)
        assert done.returncode == status, done
        assert bool(done.stdout) == (status == 0)
        assert bool(done.stderr) == (closed == "1")


def calls_that_print(source: str) -> Iterator[str]:
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and re.fullmatch(r"print|tqdm\.write|sys\.std\w+\.write", ast.unparse(call.func)):
            yield ast.unparse(call)


def test_commands_print_by_one_function() -> None:
    found = {
        path.name: list(calls_that_print(path.read_text())) for path in (PROJECT / "python/yoloxfast/cli").glob("*.py")
    }
    assert {name: calls for name, calls in found.items() if calls} == {
        "output.py": ["tqdm.write(text, file=file, end='')"]
    }
    assert len(list(calls_that_print("print(1); sys.stdout.write('x')"))) == 2
