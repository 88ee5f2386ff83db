"""Engine files: what is written is what is read, and what is not whole is not taken."""

from __future__ import annotations

import io
from errno import ENOSPC
from typing import TYPE_CHECKING, BinaryIO

import pytest

from yoloxfast import ModelError
from yoloxfast.files import replacing
from yoloxfast.tensorrt.engine_file import read_engine, version_in, write_engine

if TYPE_CHECKING:
    from pathlib import Path

METADATA = {"names": "['fish', 'Hähnchen']", "runtime": "TensorRT 10.16.1"}
PLAN = bytes(range(256)) * 20


def content_of(plan: bytes) -> bytes:
    file = io.BytesIO()
    write_engine(file, plan, METADATA)
    return file.getvalue()


@pytest.mark.parametrize("plan", [PLAN, b"", content_of(PLAN)], ids=["plan", "empty", "an engine file"])
def test_what_is_written_is_read(tmp_path: Path, plan: bytes) -> None:
    path = tmp_path / "some.engine"
    path.write_bytes(content_of(plan))
    assert path.read_bytes().startswith(plan)
    file = read_engine(path)
    assert bytes(file.plan) == plan
    assert file.metadata == METADATA


@pytest.mark.parametrize("content", [PLAN, b"\nyoloxfast engine 1"], ids=["a plan", "almost"])
def test_a_file_of_another_writer_is_all_plan(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.engine"
    path.write_bytes(content)
    file = read_engine(path)
    assert bytes(file.plan) == content
    assert file.metadata == {}


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.engine").touch()
    with pytest.raises(ModelError, match=r"some\.engine is empty, expected an engine"):
        read_engine(tmp_path / "some.engine")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    target, link, loop = (tmp_path / f"{name}.engine" for name in ("target", "link", "loop"))
    link.symlink_to(target)
    loop.symlink_to(loop)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with replacing(loop) as file:
        file.write(b"new")
    assert loop.read_bytes() == b"new"


def test_a_file_that_was_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.engine"
    whole = content_of(PLAN)
    ending = len(b"\nyoloxfast engine 1\n")
    for position in [*range(0, len(PLAN), 999), *range(len(PLAN), len(whole) - ending)]:
        damaged = bytearray(whole)
        damaged[position] ^= 0xA5
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"some.engine is damaged: .* build it again"):
            read_engine(path)
    for cut in (0, 1, 2000, len(PLAN) - 1):
        path.write_bytes(whole[:cut] + whole[cut + 1 :])
        with pytest.raises(ModelError, match="is damaged"):
            read_engine(path)


@pytest.mark.parametrize(
    "metadata", [b"[]", b'{"names": 5}', b"[" * 100_000, b"{}"], ids=["list", "number", "deep", "no digest"]
)
def test_metadata_of_another_kind_are_refused(tmp_path: Path, metadata: bytes) -> None:
    path = tmp_path / "some.engine"
    ending = len(b"\nyoloxfast engine 1\n")
    path.write_bytes(PLAN + metadata + len(metadata).to_bytes(8, "little") + content_of(PLAN)[-ending:])
    with pytest.raises(ModelError, match="is damaged"):
        read_engine(path)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*some\.engine'"),
        replacing(tmp_path / "some.engine"),
    ):
        raise OSError(ENOSPC, "No space left on device")


def fail_half_way(file: BinaryIO) -> None:
    file.write(b"half of it")
    raise OSError("the disk is full")


def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "some.engine"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match="full"), replacing(path) as file:
        fail_half_way(file)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("before", [b"", b"vtrt" + bytes(60)], ids=["TensorRT 7", "wrapped"])
@pytest.mark.parametrize("between", [16, 20])
def test_a_plan_tells_the_version_that_wrote_it(before: bytes, between: int) -> None:
    version = b"".join(b"\x02\x80\x01\x00" + bytes([number]) for number in (7, 2, 3, 4))
    plan = before + b"ptrt" + bytes(between) + version + bytes(100)
    assert version_in(memoryview(plan)) == "7.2.3.4"
    for end in range(len(before) + 4 + between + len(version)):
        assert version_in(memoryview(plan[:end])) is None


@pytest.mark.parametrize("plan", [b"", b"ptrt", PLAN, b"hello" * 200, b"ptrt" * 200])
def test_other_bytes_tell_no_version(plan: bytes) -> None:
    assert version_in(memoryview(plan)) is None
