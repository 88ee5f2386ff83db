"""What the classes of a model are called: as its user says, else as its metadata say, else by default."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from reprlib import repr as shortened
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.classes import COCO_NAMES
from yoloxfast.limits import NAMES_BYTES
from yoloxfast.reading import read_file

if TYPE_CHECKING:
    from typing import TypeAlias

    Names: TypeAlias = str | os.PathLike[str] | Sequence[str] | Mapping[int, str] | Mapping[str, str]
    """The path of a file with one name a line; or the names of all classes, in order or by id."""

__all__ = ["class_names", "count_names", "read_names"]

_MAX_METADATA_CHARACTERS = 1 << 18
"""Each can cost Python 500 bytes when it reads them."""

_NO_METADATA: Mapping[str, str] = MappingProxyType({})
_OTHER_SUFFIXES = (".json", ".yaml", ".yml")


def class_names(names: Names | None, num_classes: int, metadata: Mapping[str, str] = _NO_METADATA) -> tuple[str, ...]:
    """Return one name per class.

    Parameters
    ----------
    names : Names or None
        What the user says. A string is always a path, never a name.
    num_classes : int
    metadata : mapping of str to str, optional
        The model's. If `names` is None, their "names" count: a list, or a dict by class id, in JSON or as Python writes
        it; or plain names, one a line or with commas between them. If they do not fit, a warning says so, and the
        classes are "class 0" and so on.

    Returns
    -------
    tuple of str
        Where neither says anything: COCO's names if there are 80 classes, else "class 0" and so on.

    Raises
    ------
    TypeError
        `names` are something else.
    ValueError
        Not one name per class, or a file that is not one of names.
    OSError
        The file cannot be read; `FileNotFoundError` if there is none.
    """
    if isinstance(names, (str, os.PathLike)):
        lines = read_names(names)
        if len(lines) != num_classes:
            expected = f"the number of lines in {os.fspath(names)} must be {num_classes}, one name for each class"
            raise ValueError(f"{expected}, got {len(lines)}")
        return lines
    if names is not None:
        return _one_per_class(names, num_classes)
    text = metadata.get("names", "").strip()
    if text:
        try:
            return _one_per_class(_parsed(text), num_classes)
        except (TypeError, ValueError) as error:
            message = f"{error}; the classes are called 'class 0' and so on, unless you pass names"
            warnings.warn(f"the class names in the model's metadata are not used: {message}", stacklevel=4)
    elif num_classes == len(COCO_NAMES):
        return COCO_NAMES
    return tuple(f"class {class_id}" for class_id in range(num_classes))


def count_names(names: Names | None, metadata: Mapping[str, str] = _NO_METADATA) -> int | None:
    """Count the classes that are named, as `class_names` would name them; None if none are, or names cannot be read."""
    text = metadata.get("names", "").strip()
    with suppress(TypeError, ValueError, OSError):
        if isinstance(names, (str, os.PathLike)):
            return len(read_names(names))
        if names is not None:
            return len(names)
        named = _parsed(text) if text else ()
        if len(named) > 1 or isinstance(named, Mapping) or text.startswith("["):  # else it may be any word
            return len(named)
    return None


def _one_per_class(names: Any, num_classes: int) -> tuple[str, ...]:
    """Return names as a tuple, else raise `TypeError` or `ValueError`.

    Strings with halves of UTF-16 pairs are refused: they crash OpenCV, and cannot be written to a file.
    """
    has_ids = isinstance(names, (Mapping, Sequence, np.ndarray)) and not isinstance(names, (str, bytes))
    if has_ids and len(names) != num_classes:
        raise ValueError(f"the number of names must be {num_classes}, one for each class, got {len(names)}")
    if isinstance(names, Mapping):
        by_id = {str(class_id): name for class_id, name in names.items()}
        ids = [str(class_id) for class_id in range(num_classes)]
        if by_id.keys() != set(ids):
            raise ValueError(
                f"names by class id must have the ids 0 to {num_classes - 1}, got {shortened(list(names))}"
            )
        names = [by_id[class_id] for class_id in ids]
    if not has_ids or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "names must be a sequence of strings, a dict of them by class id, or the path of a file with one name a"
            f" line, got {shortened(names)}"
        )
    for name in names:
        if not _is_unicode(name):
            raise ValueError(f"the name {name!r} is not Unicode text")
    return tuple(str(name) for name in names)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(text: str) -> Any:
    """Read names as exporters write them; nothing is executed, and no file is read.

    JSON comes first: Python would take its pairs of escapes for one letter as two halves.
    """
    if len(text) > _MAX_METADATA_CHARACTERS:
        raise ValueError(f"they have {len(text):,} characters, more than {_MAX_METADATA_CHARACTERS:,}")
    if text[0] not in "[({'\"":
        return _stripped(text.splitlines() if "\n" in text else text.split(","), "name")

    import json
    from ast import literal_eval

    for parse in (json.loads, literal_eval):
        with suppress(MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
            value = parse(text)
            return [value] if isinstance(value, str) else value
    raise ValueError(f"they are neither JSON nor a Python literal: {shortened(text)}")


def read_names(file: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read a file with one name a line; raises as `class_names` does."""
    if not os.path.lexists(file):  # unlike Path.exists, never raises
        hint = ""
        if file and isinstance(file, str):
            names = [name.strip() for name in file.split(",")]
            hint = f"; to give the names themselves, pass a list: {shortened(names)}"
        raise FileNotFoundError(f"no file of class names, one a line: {os.fspath(file)!r}{hint}")
    path = Path(file)
    try:
        return _lines_in(read_file(path, NAMES_BYTES), path.suffix)
    except ValueError as error:
        raise ValueError(f"{path} is not a file of class names, one a line: {error}") from None


def _lines_in(content: bytes, suffix: str) -> tuple[str, ...]:
    try:
        text = content.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("it is not UTF-8 text")
    if suffix.lower() in _OTHER_SUFFIXES or text.startswith(("[", "{")):
        raise ValueError("it is JSON or YAML, so load it, and pass the list or dict of names in it")
    return _stripped(text.splitlines(), "line")


def _stripped(names: Iterable[str], what: str) -> tuple[str, ...]:
    stripped = tuple(name.strip() for name in names)
    if "" in stripped:
        raise ValueError(f"{what} {stripped.index('') + 1} is empty")
    return stripped
