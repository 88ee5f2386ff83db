"""Which file may import which: arrows point down, and the wings do not know each other's insides."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from locations import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = PROJECT / "python"
WINGS = ("yoloxfast.tensorrt", "yoloxfast.export")


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for path in (ROOT / "yoloxfast").rglob("*.py*") if path.suffix in (".py", ".pyi")}


def imports_of(source: str) -> Iterator[str]:
    """Name what a file imports from this package: also within functions, and for type checkers alone."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                imported = [name.name for name in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                inner = [f"{module}.{name.name}" for name in names]
                imported = [name if name in MODULES else module for name in inner]
            case ast.ImportFrom():
                pytest.fail("a relative import")
            case _:
                continue
        yield from (name for name in imported if name in MODULES)


GRAPH = {name: set(imports_of(path.read_text())) - {name} for name, path in MODULES.items()}


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_imports_of_a_file_are_found_wherever_they_are() -> None:
    source = """
import yoloxfast.errors
if TYPE_CHECKING:
    from yoloxfast.backends.network import Network
def call():
    from yoloxfast import classes, nothing
"""
    assert set(imports_of(source)) == {
        "yoloxfast.errors",
        "yoloxfast.backends.network",
        "yoloxfast.classes",
        "yoloxfast",
    }
    assert "yoloxfast.backends" in GRAPH["yoloxfast.detector"]


def test_imports_run_in_no_circle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {' <- '.join(error.args[1])}")


def test_folders_import_each_other_in_no_circle() -> None:
    def folder(name: str) -> str:
        _, *inner = name.split(".")
        return inner[0] if inner and is_package(inner[0]) else name

    def is_package(name: str) -> bool:
        return (ROOT / "yoloxfast" / name).is_dir()

    folders: dict[str, set[str]] = {}
    for name, imported in GRAPH.items():
        arrows = folders.setdefault(folder(name), set())
        arrows |= {folder(other) for other in imported} - {folder(name)}
    assert "backends" in folders["tensorrt"]
    try:
        TopologicalSorter(folders).prepare()
    except CycleError as error:
        pytest.fail(f"folders import each other in a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize(("wing", "other"), [WINGS, WINGS[::-1]])
def test_no_wing_imports_the_insides_of_the_other(wing: str, other: str) -> None:
    of_wing = {name: imported for name, imported in GRAPH.items() if is_in(name, wing)}
    assert of_wing
    inside = {
        name: {module for module in imported if module.startswith(f"{other}.")} for name, imported in of_wing.items()
    }
    assert {name: modules for name, modules in inside.items() if modules} == {}


def test_export_does_not_import_a_runtime() -> None:
    runtimes = ("yoloxfast.tensorrt", "yoloxfast.backends.onnxruntime", "yoloxfast.backends.openvino")
    for name, imported in GRAPH.items():
        if is_in(name, "yoloxfast.export"):
            assert not any(is_in(module, runtime) for module in imported for runtime in runtimes), name


def test_a_runtime_is_one_file_that_only_its_own_wing_imports() -> None:
    for runtime in ("yoloxfast.backends.onnxruntime", "yoloxfast.backends.openvino", "yoloxfast.tensorrt.backend"):
        assert [name for name, imported in GRAPH.items() if runtime in imported] == []
