"""Which images a command line means, and where their annotated copies go."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yoloxfast.cli.output import hushed
from yoloxfast.media.images import SUFFIXES, read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Source", "check_is_free", "check_is_picture", "find_sources"]


@dataclass(frozen=True)
class Source:
    """An image file, or what could not be searched for images.

    Attributes
    ----------
    path : Path
    copy : Path
        Name of the annotated copy, relative to the output folder.
    problem : OSError or None
        Why a folder could not be searched.
    target : Path or None
        Where to write the annotated copy, if anywhere.
    """

    path: Path
    copy: Path
    problem: OSError | None = None
    target: Path | None = None

    def read(self) -> NDArray[np.uint8]:
        """Read the image; raises as `read_image` does, and for a folder that could not be searched."""
        if self.problem is not None:
            raise self.problem
        with hushed():
            return read_image(self.path)


def find_sources(arguments: Iterable[str], *, output: Path | None) -> list[Source]:
    """List the images that files, folders and globs name, each once, in order.

    What does not exist or cannot be searched is listed, too: it is reported when its turn comes. The copies of a
    folder's images keep their place in it; copies of the same name are numbered. An output folder inside a folder is
    not searched.

    Raises
    ------
    ValueError
        An empty argument, a folder without images, a glob that matches nothing, or a copy that would overwrite an
        image.
    """
    found: dict[str, Source] = {}
    for argument in arguments:
        for source in _expand(argument, output):
            found.setdefault(os.path.abspath(source.path), source)  # noqa: PTH100  # Path.absolute keeps ".."
    if output is None:
        return list(found.values())
    originals = {_identity_of(path) for path in found}
    taken: set[Path] = set()
    sources = []
    for source in found.values():
        target = _free(output / _writable(source.copy), taken)
        if _identity_of(target) in originals:
            raise ValueError(f"{target} would be overwritten by its annotated copy: choose another --output")
        sources.append(Source(source.path, source.copy, source.problem, target))
    return sources


def check_is_picture(path: Path, example: str) -> None:
    """Raise `ValueError` or `OSError` unless a picture may be written to this path."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected a file such as {example}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} is not an image file name, expected one that ends in {', '.join(sorted(SUFFIXES))}")


def check_is_free(
    file: str, sources: Iterable[Source], model: str, names: Path | None = None, *, option: str = "--json"
) -> None:
    """Raise `ValueError` if writing `file` would overwrite the model, its names, an image or an annotated copy."""
    name, suffix = os.path.splitext(model)  # noqa: PTH122  # Path.with_suffix raises for an empty name
    weights = [Path(f"{name}.bin")] if suffix.lower() == ".xml" else []  # of OpenVINO, beside the model
    files = [
        Path(model),
        *weights,
        *(path for source in sources for path in (source.path, source.target)),
        names,
    ]
    if _identity_of(file) in {_identity_of(path) for path in files if path is not None}:
        raise ValueError(f"{file} is read or written already: choose another {option}")


def _identity_of(path: str | Path) -> tuple[int, int] | str:
    """Return what all names of a file have in common, links and other spellings too; a free name stands for itself."""
    try:
        status = os.stat(path)  # noqa: PTH116  # the path may be a str
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _expand(argument: str, output: Path | None) -> list[Source]:
    if not argument:
        raise ValueError("a SOURCE is empty, expected a file, folder or glob")
    path = Path(argument)
    if os.path.isdir(argument):  # noqa: PTH112  # unlike Path.is_dir, never raises
        sources = list(_search(path, output))
        if not sources:
            raise ValueError(f"no images in folder {path} ({', '.join(sorted(SUFFIXES))})")
        return sources
    if os.path.lexists(argument) or not glob.has_magic(argument):
        return [Source(path, Path(path.name))]
    files = [Path(match) for match in sorted(_matches(argument)) if Path(match).is_file()]
    if not files:
        raise ValueError(f"no file matches {argument}")
    return [Source(file, Path(file.name)) for file in files]


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern


def _search(folder: Path, output: Path | None) -> Iterator[Source]:
    """List the images in a folder and below it, and the folders that cannot be searched."""
    hidden = None if output is None else os.path.realpath(output)
    problems: list[OSError] = []
    found = []
    for name, folders, files in os.walk(folder, onerror=problems.append):
        here = Path(name)
        folders[:] = [sub for sub in folders if os.path.realpath(here / sub) != hidden]
        found += [here / file for file in files if Path(file).suffix.lower() in SUFFIXES]
    yield from (Source(file, file.relative_to(folder)) for file in sorted(found))
    yield from (Source(Path(problem.filename), Path("unread"), problem) for problem in problems)


def _writable(name: Path) -> Path:
    return name if name.suffix.lower() in SUFFIXES else name.with_name(f"{name.name}.png")


def _free(target: Path, taken: set[Path]) -> Path:
    number, candidate = 1, target
    while candidate in taken:
        number += 1
        candidate = target.with_name(f"{target.stem}-{number}{target.suffix}")
    taken.add(candidate)
    return candidate
