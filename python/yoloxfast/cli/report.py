"""What `yoloxfast detect` says of each image."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from yoloxfast.cli.output import reason, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from yoloxfast.detections import Detections

    Item = TypeVar("Item")

__all__ = ["Report"]

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


class Report:
    """Lists and JSON lines, written as soon as an image is done: whole lines, so that Ctrl-C leaves valid files.

    Parameters
    ----------
    json_file : str or None
        Where to write one line per image; "-" for standard output, which then has no lists.
    lists_objects : bool
        Whether to list the objects on standard output.
    """

    def __init__(self, *, json_file: str | None, lists_objects: bool) -> None:
        self.failures = 0
        self._images = 0
        self._objects = 0
        self._json: TextIO | None = None
        self._json_file = json_file
        self._lists_objects = lists_objects and json_file != "-"

    def __enter__(self) -> Self:
        if self._json_file == "-":
            self._json = sys.stdout
        elif self._json_file is not None:
            self._json = Path(self._json_file).open("w", encoding="ascii")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._json is not None and self._json is not sys.stdout:
            self._json.close()
        if kind not in (None, KeyboardInterrupt):
            return
        failures = f", {self.failures} failed" if self.failures else ""
        print(f"{_count(self._images, 'image')}, {_count(self._objects, 'object')}{failures}", file=sys.stderr)

    def track(self, items: Iterable[Item]) -> Iterable[Item]:
        """Show progress on terminals, where tqdm is installed."""
        only_on_terminals = None
        return items if tqdm is None else tqdm(items, unit="image", disable=only_on_terminals)

    def add(self, path: Path, shape: tuple[int, ...], detections: Detections) -> None:
        """Say what was found in an image of this shape."""
        height, width, _ = shape
        if self._json is not None:
            facts: dict[str, Any] = {"image": str(path), "width": width, "height": height, **detections.to_dict()}
            self._json.write(json.dumps(facts) + "\n")
            self._json.flush()
        if self._lists_objects:
            lines = [f"{path}  {width}x{height}  {_count(len(detections), 'object')}"]
            lines += [
                f"  {found.name:<16}{found.score:5.2f}" + "".join(f"{value:8.0f}" for value in found.xyxy)
                for found in detections
            ]
            say("\n".join(lines), sys.stdout)
        self._images += 1
        self._objects += len(detections)

    def add_failure(self, path: Path, error: Exception) -> None:
        """Say why an image could not be read, or its copy not be written."""
        self.failures += 1
        say(f"{path}: {reason(error)}", sys.stderr)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
