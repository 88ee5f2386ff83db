"""`yoloxfast doctor`: how a model is to be fed."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any

from yoloxfast.cli.contact_sheet import ContactSheet
from yoloxfast.cli.info import facts_of, say_facts
from yoloxfast.cli.output import check_output, complain, reason, say
from yoloxfast.cli.report import track
from yoloxfast.cli.runtime import add_model_options, model_options
from yoloxfast.cli.sources import check_is_free, check_is_picture, find_sources
from yoloxfast.cli.values import path_of
from yoloxfast.detector import Detector
from yoloxfast.feeding import FeedingTest
from yoloxfast.media.images import write_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yoloxfast.cli.sources import Source
    from yoloxfast.feeding import Trial

_DESCRIPTION = """\
Say what a model is, and how it wants its images: channels in order BGR or RGB,
values from 0 to 255, from 0 to 1, or normalised with ImageNet's mean and
deviation, as YOLOX 0.1.0 did it.

PHOTO is an image file, folder or glob. Best are six photos or more of what the
model was trained to find; labels are not needed. Each photo and its mirror
image are run in each way. A model that is fed rightly finds the same in both:
their agreement is the sum of the scores of the boxes that do."""

_EPILOG = """\
examples:
  yoloxfast doctor model.onnx photos
  yoloxfast doctor model.onnx a.jpg b.jpg c.jpg --output sheet.jpg

What differs by less than 10 % cannot be told apart. Which semantics are right
depends on the program of YOLOX whose detections you want: all are counted."""

MAX_PHOTOS = 50
"""Of more, every second or third and so on is tried."""
_MIN_PHOTOS, _ENOUGH_PHOTOS = 3, 6
_MIN_BOXES = 5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor",
        help="find out how a model is to be fed",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a model")
    parser.add_argument("source", metavar="PHOTO", nargs="+", help="image file, folder or glob")
    parser.add_argument(
        "--output", metavar="FILE", type=path_of, help="write a picture of what is found in each way into this file"
    )
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Try; return the exit status."""
    import yoloxfast.opencv  # noqa: F401  # fails before a model is downloaded

    check_output()
    sources = find_sources(options.source, output=None)
    if options.output is not None:
        check_is_picture(options.output, "sheet.jpg")
        check_is_free(str(options.output), sources, options.model, option="--output")
    sheet = ContactSheet()
    with Detector(options.model, **model_options(options)) as detector:
        say_facts(facts_of(detector))
        test = FeedingTest(detector.network, detector.names)
        _try_photos(sources[:: ceil(len(sources) / MAX_PHOTOS)], test, sheet)
        if test.num_photos == 0:
            raise ValueError("none of the photos can be read")
        ranking = test.ranking()
        problems = [trial.problem for trial in ranking if trial.problem is not None and trial.agreeing == 0]
        if len(problems) == len(ranking):
            raise problems[0]
        by_semantics = _by_semantics(sources[:_ENOUGH_PHOTOS], test, ranking[0])
    say("", *_table(ranking, test.num_photos, len(sources)), "", *_verdict(test))
    say("", *(f"    detector = {_code(options, trial)}" for trial in test.contenders()))
    say("", *by_semantics)
    if options.output is not None:
        rows = [test.trials.index(trial) for trial in ranking]
        write_image(options.output, sheet.draw(rows, [f"{trial.feeding}: {trial.agreement:.1f}" for trial in ranking]))
        say("", f"What is found in each way: {options.output}")
    return 0


def _try_photos(sources: Iterable[Source], test: FeedingTest, sheet: ContactSheet) -> None:
    for source in track(sources):
        try:
            photo = source.read()
        except (MemoryError, OSError, ValueError) as error:
            complain(f"{source.path}: {reason(error)}")
            continue
        sheet.add(photo, test.add(photo))


def _by_semantics(sources: Iterable[Source], test: FeedingTest, trial: Trial) -> list[str]:
    """Say how many boxes each of YOLOX's programs finds: no photo tells which of them is meant."""
    counts: Counter[str] = Counter()
    num_photos = 0
    for source in sources:
        with suppress(MemoryError, OSError, ValueError):
            counts.update(test.count_by_semantics(trial, source.read()))
            num_photos += 1
    found = ", ".join(f"{semantics} {count}" for semantics, count in counts.items())
    return [
        f"Boxes in {_count(num_photos, 'photo')} at 0.3/0.45, by semantics: {found}.",
        "Which is right depends on the program of YOLOX whose detections you want.",
    ]


def _table(ranking: Iterable[Trial], num_photos: int, num_sources: int) -> list[str]:
    of_all = f", of {num_sources}," if num_sources > MAX_PHOTOS else ""
    return [
        f"Run on {_count(num_photos, 'photo')}{of_all} and the mirror image of each:",
        f"{'fed with':<18}{'boxes':>7}{'also in mirror':>16}{'agreement':>11}",
        *(f"{trial.feeding!s:<18}{trial.boxes:7}{trial.agreeing:16}{trial.agreement:11.1f}" for trial in ranking),
    ]


def _verdict(test: FeedingTest) -> list[str]:
    """Say which way of feeding fits, or why that cannot be told."""
    best, *others = test.contenders()
    photos = _count(test.num_photos, "photo")
    if best.agreeing < _MIN_BOXES:
        return [
            f"Cannot tell: {_count(best.agreeing, 'box', 'boxes')} found in a photo and in its mirror image, too few.",
            "Pass photos of what the model was trained to find. If these are such photos, it may be fed in a way",
            "that was not tried here, or not be trained.",
        ]
    if test.num_photos < _MIN_PHOTOS:
        return [
            f"Cannot tell from {photos}: pass at least {_MIN_PHOTOS}, better {_ENOUGH_PHOTOS} or more. Best so far:"
        ]
    fits, more = "Fits best", list[str]()
    if test.num_photos < _ENOUGH_PHOTOS:
        fits, more = "Probably fits best", [f"{photos} may mislead: {_ENOUGH_PHOTOS} or more are surer."]
    if not others:
        return [f"{fits}: {best.feeding}.", *more]
    if {trial.feeding.values for trial in others} == {best.feeding.values}:
        return [
            f"{fits}: values {best.feeding.values}. Cannot tell whether BGR or RGB: they agree within 10 %.",
            "More photos may tell; to some models, the order of the channels makes no difference.",
            *more,
        ]
    return [f"Cannot tell: {len(others) + 1} ways of feeding agree within 10 %. More photos may tell. The best first:"]


def _code(options: argparse.Namespace, trial: Trial) -> str:
    """Return the line of Python that opens the model for this way of feeding."""
    given = model_options(options)
    said = {name: value for name, value in given.items() if value is not None and (name, value) != ("device", 0)}
    arguments = [f"{name}={_literal(value)}" for name, value in (said | trial.feeding.options).items()]
    return f"yoloxfast.Detector({', '.join([_literal(options.model), *arguments])})"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "1 / 255" if value == 1 / 255 else repr(value)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
