"""`yoloxfast info`: what a model is."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from yoloxfast.cli.output import check_output, escaped, reason, say
from yoloxfast.cli.runtime import add_model_options, model_options
from yoloxfast.detector import Detector
from yoloxfast.errors import EngineError, ModelError
from yoloxfast.models import find_model
from yoloxfast.tensorrt import SUFFIXES
from yoloxfast.tensorrt.engine_file import read_engine

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from yoloxfast.backends.head import Head

_LABELS = {"runtime": "built by", "gpu": "built for", "yoloxfast": "by yoloxfast"}
"""What the metadata of engines are called, where the model's facts have the same names."""

_HIDDEN = {"recipe"}
"""What the other metadata say already."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "info",
        help="say what a model is",
        description="Say what a model is: its input, output, classes and runtime. Runs it once, to be sure;"
        " for an engine it also shows, even without a GPU, what it was built from.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a model")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; return the exit status."""
    check_output()
    facts = _engine_facts(find_model(options.model))
    try:
        with Detector(options.model, **model_options(options)) as detector:  # runs it once, to be sure
            facts |= facts_of(detector)
    except (EngineError, ImportError, ModelError) as error:
        if not facts:
            raise
        facts["runs here"] = f"no: {reason(error)}"
    say_facts(facts)
    return 0


def facts_of(detector: Detector) -> dict[str, str]:
    """Return what a model is."""
    head = detector.network.head
    return {
        **detector.network.describe(),
        "input size": "{} x {} (height x width)".format(*head.input_size),
        **({} if head.is_finished else _grid_facts(head)),
        "classes": f"{head.num_classes}: {', '.join(detector.names)}",
    }


def _grid_facts(head: Head) -> dict[str, str]:
    return {"strides": ", ".join(map(str, head.strides)), "anchors": str(head.num_anchors)}


def say_facts(facts: dict[str, str]) -> None:
    """Print facts in two columns."""
    width = 2 + max(len(escaped(key)) for key in facts)
    for key, value in facts.items():
        first, others, text = f"{escaped(key):<{width}}", " " * width, escaped(value).strip() or "-"
        say(*wrap(text, width=100, initial_indent=first, subsequent_indent=others, break_long_words=False))


def _engine_facts(path: Path) -> dict[str, str]:
    """Read what an engine file says of itself, for which no GPU is needed."""
    if path.suffix.lower() not in SUFFIXES:
        return {}
    plan, metadata = read_engine(path)
    if not metadata:
        return {"model": f"{path} ({len(plan):,} bytes), which does not say what it is"}
    return {_LABELS.get(key, key): value for key, value in metadata.items() if key not in _HIDDEN}
