"""`yoloxfast demo`: a scene drawn, its shapes found."""

from __future__ import annotations

import argparse
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoloxfast.cli.output import check_output, say
from yoloxfast.cli.sources import check_is_picture
from yoloxfast.cli.values import path_of
from yoloxfast.detector import Detector
from yoloxfast.errors import missing
from yoloxfast.matching import iou_matrix, match
from yoloxfast.media.images import write_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from yoloxfast.demo import Scene
    from yoloxfast.detections import Detection, Detections

    Row = tuple[str, ...]

_DESCRIPTION = """\
Draw a scene of shapes, find them with the small YOLOX that comes with this
package, and show both side by side. Downloads nothing.

Lists what was drawn beside what was found there (a box that overlaps it with an
IoU of at least 0.5) and how long each step takes on this machine."""

_DEFAULT_OUTPUT = "yoloxfast-demo.png"
_SEEDS = range(2**32)
_NEW_SEEDS = 1_000_000
_NOTHING = "-"
_ROUNDS = 30


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "demo",
        help="see it work at once: nothing to download",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=path_of,
        default=Path(_DEFAULT_OUTPUT),
        help=f"where to write the picture with the boxes (default {_DEFAULT_OUTPUT})",
    )
    parser.add_argument(
        "--seed", metavar="N", type=_seed, help="number of the scene (default: any, a new one each time)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show; return the exit status."""
    from yoloxfast.demo import draw_scene

    check_output()
    check_is_picture(options.output, _DEFAULT_OUTPUT)
    seed = secrets.randbelow(_NEW_SEEDS) if options.seed is None else options.seed
    scene = draw_scene(seed)
    with Detector("demo") as detector:
        tabulate = _import_tabulate()
        detections = detector.detect(scene.image)
        write_image(options.output, detections.draw(scene.image))
        detector.statistics.reset()  # the first run is slower
        for _ in range(_ROUNDS):
            detector.detect(scene.image)

    height, width, _ = scene.image.shape
    say(f"Scene {seed}: {len(scene.xyxy)} shapes on {width} x {height} pixels, boxes as left, top, right, bottom", "")
    headers = ("drawn", "box drawn", "found", "box found", "score", "IoU")
    alignment = ("left", "right", "left", "right", "right", "right")
    rows = compare(scene, detections)
    right = sum(drawn == found for drawn, _, found, *_ in rows)
    say(*tabulate(rows, headers, disable_numparse=True, colalign=alignment).split("\n"))
    wrong = sum(found != _NOTHING for _, _, found, *_ in rows) - right
    say("", f"{right} of {len(scene.xyxy)} shapes found and correctly labelled; other detections: {wrong}", "")
    say(*str(detector.statistics).split("\n"))
    say("", f"The picture with the boxes: {options.output}")
    return 0


def _import_tabulate() -> Any:
    try:
        from tabulate import tabulate
    except ImportError as error:
        raise missing("tabulate", error, extra="tools") from error
    return tabulate


def compare(scene: Scene, detections: Detections) -> list[Row]:
    """Return a row for each shape, with the detection that fits it, and one for each detection that fits none."""
    from yoloxfast.demo import CLASSES

    ious = iou_matrix(scene.xyxy, detections.xyxy)
    found = match(ious)
    rows = []
    for shape, (class_id, box) in enumerate(zip(scene.class_ids, scene.xyxy, strict=True)):
        drawn = (CLASSES[class_id], _text(box))
        if shape in found:
            index = found[shape]
            rows.append((*drawn, *_columns(detections[index]), f"{ious[shape, index]:.2f}"))
        else:
            rows.append((*drawn, _NOTHING, "", "", ""))
    others = set(range(len(detections))) - set(found.values())
    return rows + [(_NOTHING, "", *_columns(detections[index]), "") for index in sorted(others)]


def _columns(detection: Detection) -> Row:
    return detection.name, _text(detection.xyxy), f"{detection.score:.2f}"


def _text(box: NDArray[np.float32]) -> str:
    return " ".join(f"{value:4.0f}" for value in box)


def _seed(text: str) -> int:
    with suppress(ValueError):
        if (value := int(text)) in _SEEDS:
            return value
    raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {_SEEDS[-1]}, got {text:.20}")
