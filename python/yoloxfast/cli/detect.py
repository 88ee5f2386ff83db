"""`yoloxfast detect`: objects in image files."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, suppress
from pathlib import Path

from yoloxfast.cli.report import Report
from yoloxfast.cli.sources import check_is_free, find_sources
from yoloxfast.detector import Detector
from yoloxfast.media.images import write_image

_DESCRIPTION = """\
Detect objects in images: files, folders (with all folders in them) and globs.

MODEL is an .onnx file as YOLOX's export_onnx.py writes it; or a TensorRT engine
of one (.engine, .plan, .trt), which is a program, so use only those you trust;
or the name of an official model, which is downloaded once: yolox-nano, -tiny,
-s, -l, -x; or demo, a small network of shapes, which comes with this package.

Lists name, score and box of each object: left, top, right and bottom in pixels."""

_EPILOG = """\
examples:
  yoloxfast detect yolox-nano photo.jpg
  yoloxfast detect yolox-s photos --output annotated --json boxes.jsonl
  yoloxfast detect my.onnx 'night/*.png' --names fish --score 0.5

Annotated copies keep their names and their places in a folder; where two have
the same name, the second becomes NAME-2.

An image that cannot be read is reported and the rest goes on; the exit status
is then 1. It is 2 for a bad option or model, or if output cannot be written."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "detect",
        help="detect objects in image files",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a model")
    parser.add_argument("source", metavar="SOURCE", nargs="+", help="image file, folder or glob")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write copies with the boxes drawn into this folder")
    parser.add_argument("--json", metavar="FILE", help="write one line of JSON per image; - for standard output")
    parser.add_argument("--score", metavar="T", type=_fraction, default=0.25, help="least score, 0..1 (default 0.25)")
    parser.add_argument("--iou", metavar="T", type=_fraction, default=0.45, help="largest overlap, 0..1 (default 0.45)")
    parser.add_argument("--classes", metavar="A,B", type=_list, help="only these classes, by name or id: person,car")
    parser.add_argument("--agnostic", action="store_true", help="boxes of different classes suppress one another, too")
    parser.add_argument("--max", metavar="N", type=_positive, help="at most so many objects per image (default: all)")
    parser.add_argument("--names", metavar="A,B", type=_list, help="names of the model's classes, all of them in order")
    parser.add_argument("--legacy", action="store_true", help="the model is of YOLOX 0.1.0 or before: normalise images")
    parser.add_argument(
        "--threads", metavar="N", type=_positive, help="threads of ONNX Runtime (default: one per core)"
    )
    parser.add_argument("--quiet", action="store_true", help="do not list the objects")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect; return the exit status."""
    sources = find_sources(options.source, output=options.output)
    if options.json not in (None, "-"):
        check_is_free(options.json, sources, options.model)
    with ExitStack() as stack:
        detector = stack.enter_context(_open_detector(options))
        if options.output is not None:
            _make_folder(options.output)
        report = stack.enter_context(Report(json_file=options.json, lists_objects=not options.quiet))
        for source in report.track(sources):
            try:
                image = source.read()
            except (OSError, ValueError) as error:
                report.add_failure(source.path, error)
                continue
            detections = detector.detect(image)
            if source.target is not None:
                _make_folder(source.target.parent)
                try:
                    write_image(source.target, detections.draw(image))
                except ValueError as error:
                    report.add_failure(source.path, error)
            report.add(source.path, image.shape, detections)
    return 1 if report.failures else 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is a file, expected a folder for the annotated copies") from None


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
        legacy=options.legacy,
        threads=options.threads,
    )


def _fraction(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (value := float(text)) <= 1:
            return value
    raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")


def _positive(text: str) -> int:
    with suppress(ValueError):
        if (value := int(text)) >= 1:
            return value
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")


def _list(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected names with commas between them, got none")
    return names
