"""`yoloxfast detect`: objects in image files."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

from yoloxfast.cli.sources import Source, find_sources
from yoloxfast.detector import Detector
from yoloxfast.errors import MissingDependencyError
from yoloxfast.images import read_image, write_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from yoloxfast.detections import Detections

_DESCRIPTION = """\
Detect objects in images: files, folders (with all folders in them) and globs.

MODEL is an .onnx file as YOLOX's export_onnx.py writes it, or the name of an
official model, which is downloaded once: yolox-nano, -tiny, -s, -l, -x."""

_EPILOG = """\
examples:
  yoloxfast detect yolox-nano photo.jpg
  yoloxfast detect yolox-s photos --output annotated --json boxes.jsonl
  yoloxfast detect my.onnx 'night/*.png' --names fish --score 0.5

An image that cannot be read is reported and the rest goes on; the exit status
is then 1. It is 2 for a bad option or model."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "detect",
        help="detect objects in image files",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of an official model")
    parser.add_argument("source", metavar="SOURCE", nargs="+", help="image file, folder or glob")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write copies with the boxes drawn into this folder")
    parser.add_argument("--json", metavar="FILE", help="write one line of JSON per image; - for standard output")
    parser.add_argument("--score", metavar="T", type=float, default=0.25, help="least score, 0..1 (default 0.25)")
    parser.add_argument("--iou", metavar="T", type=float, default=0.45, help="largest overlap, 0..1 (default 0.45)")
    parser.add_argument("--classes", metavar="A,B", type=_split, help="only these classes, by name or id: person,car")
    parser.add_argument("--agnostic", action="store_true", help="boxes of different classes suppress one another, too")
    parser.add_argument("--max", metavar="N", type=int, help="at most so many objects per image")
    parser.add_argument(
        "--names", metavar="A,B", type=_split, help="names of the model's classes, all of them in order"
    )
    parser.add_argument("--threads", metavar="N", type=int, help="threads of ONNX Runtime (default: one per core)")
    parser.add_argument("--quiet", action="store_true", help="do not list the objects")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect; return the exit status."""
    sources = find_sources(options.source, output=options.output)
    with ExitStack() as stack:
        detector = stack.enter_context(_open_detector(options))
        if options.output is not None:
            options.output.mkdir(parents=True, exist_ok=True)
        report = stack.enter_context(_Report(options))
        for source in _with_progress(sources):
            try:
                image = read_image(source.path)
            except (OSError, ValueError) as error:
                report.add_failure(source, error)
                continue
            detections = detector.detect(image)
            if source.target is not None:
                source.target.parent.mkdir(parents=True, exist_ok=True)
                write_image(source.target, detections.draw(image))
            report.add(source, image.shape, detections)
    return 1 if report.failures else 0


def _open_detector(options: argparse.Namespace) -> Detector:
    classes = None if options.classes is None else [int(name) if name.isdecimal() else name for name in options.classes]
    return Detector(
        options.model,
        score_threshold=options.score,
        iou_threshold=options.iou,
        classes=classes,
        class_agnostic=options.agnostic,
        max_detections=options.max,
        names=options.names,
        threads=options.threads,
    )


def _with_progress(sources: list[Source]) -> Iterator[Source]:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise MissingDependencyError("tqdm", extra="download") from error
    only_on_terminals = None
    yield from tqdm(sources, unit="image", disable=only_on_terminals)


class _Report:
    """What is said of each image, as soon as it is done: whole lines, so that Ctrl-C leaves valid files."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.failures = 0
        self._images = 0
        self._objects = 0
        self._json: IO[str] | None = None
        self._json_file: str | None = options.json
        self._lists_objects = not options.quiet and options.json != "-"

    def __enter__(self) -> Self:
        if self._json_file == "-":
            self._json = sys.stdout
        elif self._json_file is not None:
            self._json = Path(self._json_file).open("w", encoding="utf-8")  # closed in __exit__
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._json is not None and self._json is not sys.stdout:
            self._json.close()
        if kind not in (None, KeyboardInterrupt):
            return
        failures = f", {self.failures} could not be read" if self.failures else ""
        print(f"{_count(self._images, 'image')}, {_count(self._objects, 'object')}{failures}", file=sys.stderr)

    def add(self, source: Source, shape: tuple[int, ...], detections: Detections) -> None:
        height, width, _ = shape
        self._images += 1
        self._objects += len(detections)
        if self._json is not None:
            facts = {"image": str(source.path), "width": width, "height": height, **detections.to_dict()}
            self._json.write(json.dumps(facts, ensure_ascii=False) + "\n")
            self._json.flush()
        if self._lists_objects:
            lines = [f"{source.path}  {width}x{height}  {_count(len(detections), 'object')}"]
            lines += [
                f"  {found.name:<16}{found.score:5.2f}" + "".join(f"{value:8.0f}" for value in found.xyxy)
                for found in detections
            ]
            _print_above_progress("\n".join(lines), sys.stdout)

    def add_failure(self, source: Source, error: Exception) -> None:
        self.failures += 1
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        _print_above_progress(f"{source.path}: {reason}", sys.stderr)


def _print_above_progress(text: str, file: IO[str]) -> None:
    from tqdm import tqdm

    tqdm.write(text, file=file)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
