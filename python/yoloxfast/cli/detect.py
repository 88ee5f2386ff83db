"""`yoloxfast detect`: objects in image files."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from yoloxfast._core import SEMANTICS
from yoloxfast.cli.lines import appended_lines, output_lines
from yoloxfast.cli.output import check_output, complain
from yoloxfast.cli.report import Report, track
from yoloxfast.cli.runtime import add_model_options, model_options
from yoloxfast.cli.sources import check_is_free, find_sources
from yoloxfast.cli.values import fraction, list_of, name_of, numbers_of, path_of, positive
from yoloxfast.detector import Detector
from yoloxfast.media.images import write_image

if TYPE_CHECKING:
    from pathlib import Path

    from yoloxfast.cli.sources import Source

_MAX_DIGITS = 10
"""Of a class id; what is longer is a name."""

_DESCRIPTION = """\
Detect objects in images: files, folders (with all folders in them) and globs.

MODEL is an .onnx file as YOLOX's export_onnx.py writes it; or a TensorRT engine
built from one (.engine, .plan, .trt), which is a program, so use only those you
trust; or OpenVINO's .xml; or the name of an official model, which is downloaded
once: yolox-nano, -tiny, -s, -l, -x; or demo, a small network of shapes, which
comes with this package.

Lists name, score and box of each object: left, top, right and bottom in pixels."""

_EPILOG = """\
examples:
  yoloxfast detect yolox-nano photo.jpg
  yoloxfast detect yolox-s photos --output annotated --json boxes.jsonl
  yoloxfast detect my.onnx 'night/*.png' --names my.txt --score 0.5

How a model wants its images, yoloxfast doctor finds out.

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
    parser.add_argument(
        "--output", metavar="DIR", type=path_of, help="write copies with the boxes drawn into this folder"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=name_of, help="write one line of JSON per image; - for standard output"
    )
    parser.add_argument("--score", metavar="T", type=fraction, default=0.25, help="least score, 0..1 (default 0.25)")
    parser.add_argument("--iou", metavar="T", type=fraction, default=0.45, help="largest overlap, 0..1 (default 0.45)")
    parser.add_argument("--classes", metavar="A,B", type=list_of, help="only these classes, by name or id: person,car")
    parser.add_argument("--agnostic", action="store_true", help="boxes of different classes suppress one another")
    parser.add_argument(
        "--semantics",
        metavar="NAME",
        choices=SEMANTICS,
        default="eval",
        help=f"whose detections these are, of YOLOX's programs: {', '.join(SEMANTICS)} (default: eval)",
    )
    parser.add_argument(
        "--max", metavar="N", type=positive, help="at most N objects per image, the best (default: all)"
    )
    parser.add_argument(
        "--names", metavar="FILE", type=path_of, help="text file with the names of the model's classes, one a line"
    )
    parser.add_argument("--quiet", action="store_true", help="do not list the objects")
    parser.add_argument(
        "--timings", action="store_true", help="say at the end, on standard error, how long each step took per image"
    )
    _add_input_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run)


def _add_input_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input", "The model gets (value * scale - mean) / std of values from 0 to 255.")
    group.add_argument("--legacy", action="store_true", help="the model is of YOLOX 0.1.0 or before: normalise images")
    group.add_argument("--scale", metavar="S", type=numbers_of, help="1/255 for values from 0 to 1 (default: 1)")
    group.add_argument(
        "--mean", metavar="M", type=numbers_of, help="one number, or one for each of the model's channels: A,B,C"
    )
    group.add_argument("--std", metavar="D", type=numbers_of, help="the same")
    group.add_argument("--input-color", choices=("bgr", "rgb"), help="order of the model's channels (default: bgr)")


def run(options: argparse.Namespace) -> int:
    """Detect; return the exit status."""
    import yoloxfast.opencv  # noqa: F401  # fails before a model is downloaded or a file overwritten

    sources = find_sources(options.source, output=options.output)
    is_file, is_output = options.json not in (None, "-"), options.json == "-"
    lists_objects = not options.quiet and not is_output
    if is_file:
        check_is_free(options.json, sources, options.model, options.names)
    if lists_objects:
        check_output()
    with ExitStack() as stack:
        write_line = stack.enter_context(output_lines()) if is_output else None
        detector = stack.enter_context(_open_detector(options))
        if options.output is not None:
            _make_folder(options.output)
        if is_file:
            write_line = stack.enter_context(appended_lines(options.json))
        report = stack.enter_context(Report(write_line=write_line, lists_objects=lists_objects))
        for source in track(sources):
            _detect_in(source, detector, report)
    if options.timings:
        complain(*str(detector.statistics).split("\n"))
    return 1 if report.failures else 0


def _detect_in(source: Source, detector: Detector, report: Report) -> None:
    """Detect in one image. Memory that it is refused does not end the run: the next may be smaller."""
    try:
        image = source.read()
    except (MemoryError, OSError, ValueError) as error:
        report.add_failure(source.path, error)
        return
    try:
        detections = detector.detect(image)
    except MemoryError as error:
        report.add_failure(source.path, error)
        return
    if source.target is not None:
        _make_folder(source.target.parent)
        try:
            write_image(source.target, detections.draw(image))
        except (MemoryError, ValueError) as error:
            report.add_failure(source.path, error)
    report.add(source.path, image.shape, detections)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is a file, expected a folder for the annotated copies") from None


def _open_detector(options: argparse.Namespace) -> Detector:
    classes = (
        None
        if options.classes is None
        else [int(name) if name.isdecimal() and len(name) < _MAX_DIGITS else name for name in options.classes]
    )
    return Detector(
        options.model,
        score_threshold=options.score,
        iou_threshold=options.iou,
        classes=classes,
        semantics=options.semantics,
        class_agnostic=options.agnostic,
        max_detections=options.max,
        names=options.names,
        legacy=options.legacy,
        scale=options.scale,
        mean=options.mean,
        std=options.std,
        input_color=options.input_color,
        **model_options(options),
    )
