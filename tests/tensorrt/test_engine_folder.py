"""The folder of engines that are kept: engines are programs, so nobody else may put one there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tensorrt_builder_double as double
from command_line import assert_fails
from yoloxfast.files import replacing
from yoloxfast.tensorrt import build_engine
from yoloxfast.tensorrt.cache import cached_engine, engines_folder
from yoloxfast.tensorrt.engine_file import read_engine, write_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from pretend_machine import World

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such owners and permissions")

IDENTITY = {"source sha256": "1"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where engines are kept."""
    monkeypatch.setenv("YOLOXFAST_ENGINES", str(tmp_path / "cache/engines"))
    return tmp_path / "cache/engines"


def build(engine: Path) -> None:
    with replacing(engine) as file:
        write_engine(file, b"ours", IDENTITY)


def plan_of(engine: Path) -> bytes:
    return bytes(read_engine(engine).plan)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_folder_and_engines_are_private_whatever_the_umask(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        engine = cached_engine("model", IDENTITY, build)
        inode = engine.stat().st_ino
        assert cached_engine("model", IDENTITY, build).stat().st_ino == inode, "built once"
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert engine.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777], ids=oct)
def test_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    engine = cached_engine("model", IDENTITY, build)
    folder.chmod(mode)
    for rebuild in (False, True):
        with pytest.raises(
            PermissionError, match=r"other users can write to .*engines, .*: run chmod 700 .*engines, or"
        ):
            cached_engine("model", IDENTITY, build, rebuild=rebuild)
    folder.chmod(0o700)
    assert cached_engine("model", IDENTITY, build) == engine


def test_a_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_engine("model", IDENTITY, build)
    status = folder.stat()
    other = os.stat_result((*status[:4], os.geteuid() + 1, *status[5:]))
    monkeypatch.setattr(Path, "stat", lambda path, **_: other if path == folder else status)
    with pytest.raises(PermissionError, match=rf"{folder} belongs to another user, .* in YOLOXFAST_ENGINES"):
        engines_folder()


def test_engines_that_root_built_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those in the image of a container."""
    if os.geteuid() != 0:
        pytest.skip("only root can build as root")
    engine = cached_engine("model", IDENTITY, build)
    folder.chmod(0o755)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cached_engine("model", IDENTITY, _never) == engine


def _never(_: Path) -> None:
    pytest.fail("it is there already")


def test_a_file_or_a_dangling_link_instead_of_the_folder_is_refused(folder: Path) -> None:
    folder.parent.mkdir()
    for is_link in (False, True):
        if is_link:
            folder.symlink_to("nowhere")
        else:
            folder.touch()
        with pytest.raises(NotADirectoryError, match="is not a folder, expected one for engines: name another in"):
            engines_folder()
        folder.unlink()


def test_the_command_line_says_it_in_one_line(
    world: World, toy_model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert_fails(capsys, "info", toy_model, "--backend", "tensorrt", message=f"run chmod 700 {folder}, or name another")
    assert world.built == []


def plant_link(place: Path, stranger: Path) -> None:
    place.symlink_to(stranger)


def plant_dangling_link(place: Path, _: Path) -> None:
    place.symlink_to("nowhere")


def plant_pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def plant_folder(place: Path, _: Path) -> None:
    place.mkdir()
    (place / "something").touch()


def plant_link_to_folder(place: Path, stranger: Path) -> None:
    place.symlink_to(stranger.parent)


def plant_file_that_others_can_write(place: Path, stranger: Path) -> None:
    place.write_bytes(stranger.read_bytes())
    place.chmod(0o666)


PLANTS = (
    plant_link,
    plant_dangling_link,
    plant_pipe,
    plant_folder,
    plant_link_to_folder,
    plant_file_that_others_can_write,
)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("suffix", [".engine", ".lock"])
def test_what_is_not_an_own_file_is_replaced_and_not_followed(
    tmp_path: Path, plant: Callable[[Path, Path], None], suffix: str
) -> None:
    stranger = tmp_path / "strangers/engine"
    stranger.parent.mkdir()
    with replacing(stranger) as file:
        write_engine(file, b"theirs", IDENTITY)
    content = stranger.read_bytes()
    engine = cached_engine("model", IDENTITY, build)
    engine.unlink()
    place = engine.with_suffix(suffix)
    place.unlink(missing_ok=True)
    plant(place, stranger)
    assert cached_engine("model", IDENTITY, build) == engine
    assert plan_of(engine) == b"ours"
    assert stat.S_ISREG(engine.lstat().st_mode)
    assert not place.exists() or stat.S_ISREG(place.lstat().st_mode)
    assert stranger.read_bytes() == content
    assert list(stranger.parent.iterdir()) == [stranger]
    assert not (engine.parent / "nowhere").exists()


def test_an_engine_of_another_user_is_built_again() -> None:
    engine = cached_engine("model", IDENTITY, build)
    with replacing(engine) as file:
        write_engine(file, b"theirs", IDENTITY)
    try:
        os.chown(engine, os.geteuid() + 1, -1)
    except PermissionError:
        pytest.skip("only root can give files away")
    cached_engine("model", IDENTITY, build)
    assert plan_of(engine) == b"ours"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("plant", PLANTS)
def test_timings_are_neither_read_nor_written_through_a_link(
    tmp_path: Path, toy_model: Path, folder: Path, plant: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_engine(toy_model, tmp_path / "toy.engine")
    (timings,) = folder.glob("*.timings")
    assert timings.stat().st_mode & 0o777 == 0o600
    stranger = tmp_path / "strangers/timings"
    stranger.parent.mkdir()
    stranger.write_bytes(b"theirs")
    timings.unlink()
    plant(timings, stranger)
    read = []

    def create(_: object, content: bytes) -> double.ITimingCache:
        read.append(content)
        return double.ITimingCache(content)

    monkeypatch.setattr(double.IBuilderConfig, "create_timing_cache", create)
    build_engine(toy_model, tmp_path / "toy.engine")
    assert read == [b""]
    assert stat.S_ISREG(timings.lstat().st_mode)
    assert timings.read_bytes() == double.TIMINGS
    assert stranger.read_bytes() == b"theirs"


@pytest.mark.usefixtures("world")
def test_a_build_into_a_file_goes_on_without_timings_where_the_folder_cannot_be_trusted(
    tmp_path: Path, toy_model: Path, folder: Path
) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert build_engine(toy_model, tmp_path / "toy.engine").exists()
    assert list(folder.iterdir()) == []
