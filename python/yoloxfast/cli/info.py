"""`yoloxfast info`: what a model is."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from yoloxfast.detector import Detector

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "info",
        help="say what a model is",
        description="Say what a model is: its input, output, classes and runtime. Runs it once, to be sure.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a model")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; return the exit status."""
    with Detector(options.model) as detector:
        head = detector.backend.head
        facts = {
            **detector.backend.describe(),
            "input size": "{} x {} (height x width)".format(*head.input_size),
            "strides": ", ".join(map(str, head.strides)),
            "anchors": str(head.num_anchors),
            "classes": f"{head.num_classes}: {', '.join(detector.names)}",
        }
    for key, value in facts.items():
        print(fill(value, width=100, initial_indent=f"{key:<12}", subsequent_indent=" " * 12, break_long_words=False))
    return 0
