"""The command line: `yoloxfast demo`, `detect`, `info`, `doctor`, `build`, `download`."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from yoloxfast import __version__
from yoloxfast.backends.first_run import is_endless
from yoloxfast.cli import build, demo, detect, doctor, download, info
from yoloxfast.cli.output import check_output, complain, flush_output, reason, standing_in, write
from yoloxfast.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command", "main"]

_FAILURE = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and says in one line what is wrong with the arguments."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILURE, f"{self.prog}: error: {message} (see {self.prog} --help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message is not None:
            complain(message)
        flush_output()
        raise SystemExit(status)

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002
        """Print the help or the version on standard output. What argparse has here says nothing if it cannot."""
        check_output()
        write(message, sys.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; by default the arguments of this process.

    Returns
    -------
    int
        Exit status: 0; 1 if some images could not be read or copied; 2 for a bad option or model, or output that cannot
        be written (one line on stderr); 130 after Ctrl-C; 141 if nobody reads the output any more.
    """
    with standing_in():
        try:
            options = _parser().parse_args(arguments)
            status = int(options.run(options))
            flush_output()
        except KeyboardInterrupt:
            complain("yoloxfast: interrupted")
            status = _INTERRUPTED
        except BrokenPipeError:
            status = _BROKEN_PIPE
        except (EngineError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
            file = f"{error.filename}: " if isinstance(error, OSError) and error.filename is not None else ""
            complain(f"yoloxfast: error: {file}{reason(error)}")
            status = _FAILURE
        with suppress(OSError):
            flush_output()
        return status


def command() -> int:
    """Run `main` as a process of its own, which ends also if the run of a model does not."""
    status = main()
    if is_endless():
        os._exit(status)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="yoloxfast", description="YOLOX object detection.")
    parser.add_argument("--version", action="version", version=f"yoloxfast {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, detect, info, doctor, build, download):
        command.add_parser(commands)
    return parser
