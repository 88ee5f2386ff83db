"""What `yoloxfast detect` says of each image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from yoloxfast.cli.output import complain, reason, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from typing_extensions import Self

    from yoloxfast.detections import Detections

    Item = TypeVar("Item")

__all__ = ["Report", "track"]

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


class Report:
    """Lists and JSON lines, written as soon as an image is done: whole lines, so that Ctrl-C leaves valid files.

    Parameters
    ----------
    write_line : callable or None
        Writes a line of JSON; there is one per image.
    lists_objects : bool
        Whether to list the objects on standard output.
    """

    def __init__(self, *, write_line: Callable[[str], None] | None, lists_objects: bool) -> None:
        self.failures = 0
        self._images = 0
        self._objects = 0
        self._write_line = write_line
        self._lists_objects = lists_objects

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind not in (None, KeyboardInterrupt):
            return
        failures = f", {self.failures} failed" if self.failures else ""
        complain(f"{_count(self._images, 'image')}, {_count(self._objects, 'object')}{failures}")

    def add(self, path: Path, shape: tuple[int, ...], detections: Detections) -> None:
        """Say what was found in an image of this shape."""
        height, width, _ = shape
        if self._write_line is not None:
            facts: dict[str, Any] = {"image": str(path), "width": width, "height": height, **detections.to_dict()}
            self._write_line(json.dumps(facts))
        if self._lists_objects:
            lines = [f"{path}  {width}x{height}  {_count(len(detections), 'object')}"]
            lines += [
                f"  {found.name:<16}{found.score:5.2f}" + "".join(f"{value:8.0f}" for value in found.xyxy)
                for found in detections
            ]
            say(*lines)
        self._images += 1
        self._objects += len(detections)

    def add_failure(self, path: Path, error: Exception) -> None:
        """Say why an image could not be read, or its copy not be written."""
        self.failures += 1
        complain(f"{path}: {reason(error)}")


def track(items: Iterable[Item]) -> Iterable[Item]:
    """Show progress through images on terminals, where tqdm is installed."""
    only_on_terminals = None
    return items if tqdm is None else tqdm(items, unit="image", disable=only_on_terminals)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
