"""The crates in the wheel: their licences, where they come from, and the notices that go with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from locations import PROJECT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
WHEN_CRATES_CHANGE = "Cargo.lock has changed: run `make notices`"


def table(name: str) -> Any:
    return tomllib.loads((PROJECT / name).read_text(encoding="utf-8"))


def compiled_crates(*, edges: str = "normal") -> dict[tuple[str, str], str]:
    """Return the licences of the crates that _core is compiled from, by name and version, on all systems."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not on the PATH")
    command = [cargo, "tree", "--locked", "--offline", "--package", "yoloxfast-python", "--edges", edges]
    command += [f"--target={target}" for target in table("notices/about.toml")["targets"]]
    command += ["--prefix=none", "--format={p}|{l}|"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|") for line in done.stdout.splitlines() if line]
    crates = {tuple(crate.split()[:2]): licence for crate, licence, *_ in lines if "yoloxfast-" not in crate}
    return {(name, version.removeprefix("v")): licence for (name, version), licence in crates.items()}


def is_allowed(licence: str, allowed: set[str]) -> bool:
    """Whether one alternative of each part of a licence is among those; "/" is the old way to write OR."""
    parts = [part.strip(" ()") for part in licence.split(" AND ")]
    return all(any(choice.strip(" ()") in allowed for choice in re.split(" OR |/", part)) for part in parts)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0 OR MIT", True),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("(MIT OR Apache-2.0) AND GPL-3.0", False),
        ("GPL-3.0", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_if_one_alternative_of_each_part_is(licence: str, expected: bool) -> None:
    assert is_allowed(licence, {"MIT", "Unicode-3.0"}) == expected


def test_the_notices_name_the_crates_of_cargo_lock() -> None:
    text = (PROJECT / "THIRD-PARTY-NOTICES.txt").read_text(encoding="utf-8")
    named = {(name, version) for name, version in re.findall(r"^- ([\w-]+) (\d[\w.+-]*)$", text, re.MULTILINE)}
    crates = set(compiled_crates())
    assert {"pyo3", "numpy", "half"} <= {name for name, _ in crates}
    assert named == crates, WHEN_CRATES_CHANGE
    assert (
        text.count("\n====") == text.count("\n----") >= text.count("Permission is hereby granted, free of charge") > 5
    )


def test_all_licences_are_allowed_and_have_their_text_in_the_notices() -> None:
    allowed, accepted = set(table("deny.toml")["licenses"]["allow"]), set(table("notices/about.toml")["accepted"])
    assert accepted <= allowed
    crates = compiled_crates()
    assert {crate: licence for crate, licence in crates.items() if not is_allowed(licence, accepted)} == {}
    to_compile = compiled_crates(edges="normal,build")
    assert crates.keys() < to_compile.keys()
    assert {crate: licence for crate, licence in to_compile.items() if not is_allowed(licence, allowed)} == {}


def test_every_crate_comes_from_crates_io_with_its_checksum() -> None:
    crates = table("Cargo.lock")["package"]
    own = {"pretend-cuda", "yoloxfast-core", "yoloxfast-python"}
    assert own < {crate["name"] for crate in crates}
    others = [crate for crate in crates if crate["name"] not in own]
    assert [crate for crate in others if crate.get("source") != CRATES_IO or len(crate.get("checksum", "")) != 64] == []


def test_no_crate_is_compiled_in_two_versions() -> None:
    excused = {tuple(skip["crate"].split("@")) for skip in table("deny.toml")["bans"]["skip"]}
    names = [
        name
        for name, version in compiled_crates()
        if (name, version) not in excused and (name, version.partition(".")[0]) not in excused
    ]
    assert sorted(names) == sorted(set(names))


def test_wheels_are_built_of_the_crates_in_cargo_lock() -> None:
    assert table("pyproject.toml")["tool"]["maturin"]["locked"] is True
