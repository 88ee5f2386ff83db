"""`yoloxfast demo`: a scene drawn, its shapes found."""

from __future__ import annotations

import argparse
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.cli.output import check_output, say
from yoloxfast.cli.values import path_of
from yoloxfast.detector import Detector
from yoloxfast.errors import missing
from yoloxfast.media.images import SUFFIXES, write_image

if TYPE_CHECKING:
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
_LEAST_IOU = 0.5
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
    _check_picture(options.output)
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

    ious = _iou(scene.xyxy, detections.xyxy)
    found = _match(ious)
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


def _match(ious: NDArray[np.float32]) -> dict[int, int]:
    """Give each detection, best first, the free shape that it fits best; return the detection of each shape."""
    found: dict[int, int] = {}
    for index, overlaps in enumerate(ious.T):
        free = [shape for shape in np.flatnonzero(overlaps >= _LEAST_IOU).tolist() if shape not in found]
        if free:
            found[max(free, key=overlaps.__getitem__)] = index
    return found


def _iou(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the IoU of each box with each other box, (boxes, others)."""
    overlap = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
    intersection = overlap.clip(0).prod(axis=2)
    areas, other_areas = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (boxes, others))
    iou: NDArray[np.float32] = intersection / (areas[:, None] + other_areas - intersection)
    return iou


def _check_picture(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected a file such as {_DEFAULT_OUTPUT}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} is not an image file name, expected one that ends in {', '.join(sorted(SUFFIXES))}")


def _seed(text: str) -> int:
    with suppress(ValueError):
        if (value := int(text)) in _SEEDS:
            return value
    raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {_SEEDS[-1]}, got {text:.20}")
