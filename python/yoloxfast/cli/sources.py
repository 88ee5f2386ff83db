"""Which images a command line means, and where their annotated copies go."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yoloxfast.images import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Source", "find_sources"]


@dataclass(frozen=True)
class Source:
    """An image file, and where to write its annotated copy, if anywhere."""

    path: Path
    target: Path | None


def find_sources(arguments: Iterable[str], *, output: Path | None) -> list[Source]:
    """List the images that files, folders and globs name, each once, in order.

    A file that does not exist is listed, too: it is reported when its turn comes. The copies of a folder's images keep
    their place in it; copies of the same name are numbered. An output folder inside a folder is not searched.

    Raises
    ------
    ValueError
        A folder without images, a glob that matches nothing, or a copy that would overwrite an image.
    """
    names: dict[Path, Path] = {}
    for argument in arguments:
        for path, name in _expand(argument, output):
            names.setdefault(path, name)
    if output is None:
        return [Source(path, None) for path in names]
    originals = {path.resolve() for path in names}
    taken: set[Path] = set()
    sources = []
    for path, name in names.items():
        target = _free(output / _writable(name), taken)
        if target.resolve() in originals:
            raise ValueError(f"{target} would be overwritten by its annotated copy: choose another --output")
        sources.append(Source(path, target))
    return sources


def _expand(argument: str, output: Path | None) -> list[tuple[Path, Path]]:
    """Return pairs of a file and the name of its copy, relative to the output folder."""
    path = Path(argument)
    if path.is_dir():
        files = _images_in(path)
        if output is not None and path.resolve() in output.resolve().parents:
            files = [file for file in files if output.resolve() not in file.resolve().parents]
        if not files:
            raise ValueError(f"no images in folder {path} ({', '.join(sorted(SUFFIXES))})")
        return [(file, file.relative_to(path)) for file in files]
    if path.exists() or not glob.has_magic(argument):
        return [(path, Path(path.name))]
    files = [Path(match) for match in sorted(_matches(argument)) if Path(match).is_file()]
    if not files:
        raise ValueError(f"no file matches {argument}")
    return [(file, Path(file.name)) for file in files]


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern


def _images_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def _writable(name: Path) -> Path:
    return name if name.suffix.lower() in SUFFIXES else name.with_name(f"{name.name}.png")


def _free(target: Path, taken: set[Path]) -> Path:
    number, candidate = 1, target
    while candidate in taken:
        number += 1
        candidate = target.with_name(f"{target.stem}-{number}{target.suffix}")
    taken.add(candidate)
    return candidate
