"""Files that are written whole: by whom, with which permissions, and never through a link that somebody planted."""

from __future__ import annotations

import ast
import os
import re
import secrets
from typing import TYPE_CHECKING

import pytest

from locations import PROJECT
from yoloxfast.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
SOURCES = sorted((PROJECT / "python/yoloxfast").rglob("*.py"))
WRITERS = {"mkstemp", "NamedTemporaryFile", "TemporaryFile", "imwrite", "savez", "tofile", "write_bytes", "write_text"}


def write(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"new")


@POSIX
def test_links_planted_under_guessable_names_are_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_bytes(b"precious")
    for number in range(1000):
        (tmp_path / f".{os.getpid()}-{number}.part").symlink_to(victim)
    write(path)
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()
    assert victim.read_bytes() == b"precious"


@POSIX
def test_a_link_under_the_very_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    for kind in ("symbolic", "hard"):
        victim.write_bytes(b"precious")
        part = tmp_path / ".guessed.part"
        part.symlink_to(victim) if kind == "symbolic" else part.hardlink_to(victim)
        with pytest.raises(FileExistsError, match="file"):
            write(tmp_path / "file")
        assert victim.read_bytes() == b"precious"
        assert not (tmp_path / "file").exists()
        part.unlink(missing_ok=True)


def test_each_part_has_a_name_that_cannot_be_guessed(tmp_path: Path) -> None:
    names = set()
    for _ in range(50):
        with replacing(tmp_path / "file"):
            (part,) = tmp_path.glob(".*.part")
            names.add(part.name)
            assert len(part.name) >= 32
            assert str(os.getpid()) not in part.name.split("-")
    assert len(names) == 50


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(mode)
    link.symlink_to(path)
    for target in (path, link):
        with replacing(target):
            (part,) = tmp_path.glob(".*.part")
            assert part.stat().st_mode & 0o777 == mode, "nobody else may read it while it is written"
        assert path.stat().st_mode & 0o777 == mode
    assert link.is_symlink()


@POSIX
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("kind", ["a pipe", "a folder"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A link to /dev/null would cost root that device."""
    target, link = tmp_path / "target", tmp_path / "link.png"
    os.mkfifo(target) if kind == "a pipe" else target.mkdir()
    link.symlink_to(target)
    before = target.stat()
    with pytest.raises(OSError, match=f"this is {kind}, expected a regular file"), replacing(link):
        pytest.fail("it is open")
    assert target.stat() == before
    assert sorted(tmp_path.iterdir()) == [link, target]


def writes_of(source: str) -> list[str]:
    """List the calls that open files for writing, other than those of `os.open`, which say how they treat links."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if name_of(call) in WRITERS or opens_for_writing(call)]


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def opens_for_writing(call: ast.Call) -> bool:
    words = [*call.args, *(keyword.value for keyword in call.keywords)]
    texts = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return name_of(call) == "open" and any(re.fullmatch("[rwaxbt+]*[wax+][rwaxbt+]*", text) for text in texts)


@pytest.mark.parametrize(
    "line", ['path.open("w")', 'open(path, mode="ab")', "path.write_text(x)", "cv2.imwrite(a, b)", 'open(p, "r+")']
)
def test_what_opens_files_for_writing_is_found(line: str) -> None:
    assert len(writes_of(line)) == 1
    assert writes_of('path.open("rb"); path.open(); open_network("w"); path.read_bytes()') == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_files_are_written_by_one_function(path: Path) -> None:
    allowed = 1 if path.name == "files.py" else 0
    assert len(writes_of(path.read_text())) == allowed
