"""`yoloxfast download`: official models."""

from __future__ import annotations

import argparse

from yoloxfast.cli.output import check_output, say
from yoloxfast.models import MODELS_VARIABLE, OFFICIAL_MODELS, checked_name, download


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "download",
        help="download official models",
        description="Download official models (YOLOX release 0.1.1rc0, Apache-2.0), verify them and print where they"
        f" lie. A folder named in the environment variable {MODELS_VARIABLE} is searched first.",
    )
    parser.add_argument("names", metavar="NAME", nargs="+", type=_name, help=", ".join(OFFICIAL_MODELS))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Download; return the exit status."""
    check_output()
    for name in options.names:
        say(str(download(name)))
    return 0


def _name(text: str) -> str:
    try:
        return checked_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
