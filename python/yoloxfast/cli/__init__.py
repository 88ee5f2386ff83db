"""The command line: `yoloxfast demo`, `detect`, `build`, `info`, `download`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from yoloxfast import __version__
from yoloxfast.cli import build, demo, detect, download, info
from yoloxfast.cli.output import reason
from yoloxfast.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_FAILURE = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and says in one line what is wrong with the arguments."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILURE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


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
    try:
        options = _parser().parse_args(arguments)
        status = int(options.run(options))
        _flush_output()
    except KeyboardInterrupt:
        print("yoloxfast: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except (EngineError, ImportError, MemoryError, OSError, ValueError) as error:
        file = f"{error.filename}: " if isinstance(error, OSError) and error.filename is not None else ""
        print(f"yoloxfast: error: {file}{' '.join(reason(error).split())}", file=sys.stderr)
        return _FAILURE
    return status


def _flush_output() -> None:
    """Write out what is buffered: now, where a failure can be reported."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
        raise


def _discard_output() -> None:
    """Keep Python from trying again at exit, where it would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="yoloxfast", description="YOLOX object detection.")
    parser.add_argument("--version", action="version", version=f"yoloxfast {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, detect, build, info, download):
        command.add_parser(commands)
    return parser
