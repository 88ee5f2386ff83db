"""What commands print, and on which streams; nothing else in `yoloxfast.cli` writes to them."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

from yoloxfast.text import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = [
    "check_output",
    "complain",
    "descriptor_of",
    "escaped",
    "flush_output",
    "hushed",
    "reason",
    "say",
    "standing_in",
    "write",
]

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

_STANDARD_DESCRIPTORS = range(3)
_ERROR = 2


def reason(error: Exception) -> str:
    """Return what an error says, in one line, without the error number and the file of an `OSError`."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if not text:
        text = "not enough memory" if isinstance(error, MemoryError) else type(error).__name__
    return " ".join(line.strip() for line in text.split("\n") if line.strip())


def escaped(text: str) -> str:
    """Return a text with escapes for what moves the cursor, changes colours or ends the line, and for bytes of no text.

    Names of files and classes are other people's: a terminal must not obey them. Letters of all languages stay.
    """
    return "".join(letter if is_harmless(letter) else letter.encode("unicode_escape").decode() for letter in text)


def say(*lines: str) -> None:
    """Print lines, escaped, on standard output.

    Raises
    ------
    OSError
        It is closed, or cannot be written.
    """
    check_output()
    write(_text_of(lines), sys.stdout)


def complain(*lines: str) -> None:
    """Print lines, escaped, on standard error. Where that cannot be written, there is nobody to tell."""
    with suppress(OSError, ValueError):
        write(_text_of(lines), sys.stderr)


def write(text: str, file: TextIO) -> None:
    """Write a text above the progress bar; letters that the stream's encoding lacks are escaped.

    Raises
    ------
    OSError
        The stream cannot be written. Then it leads nowhere from here on.
    """
    encoding = getattr(file, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    with _discarding(file):
        if tqdm is None:
            file.write(text)
        else:
            tqdm.write(text, file=file, end="")
        file.flush()


def check_output() -> None:
    """Raise `OSError` if standard output is closed: commands ask before the work, not after it."""
    if _is_closed(sys.stdout):
        raise OSError(f"standard output is closed: redirect it to a file, or to {os.devnull} to discard it")


def flush_output() -> None:
    """Write out what is buffered: now, where a failure can be reported."""
    if not _is_closed(sys.stdout):
        with _discarding(sys.stdout):
            sys.stdout.flush()


@contextmanager
def standing_in() -> Iterator[None]:
    """Stand in for standard streams that this process was started without.

    Files that are opened later would get their numbers, and with them what libraries print there. Libraries also expect
    `sys.stderr` to be a file.
    """
    missing = {descriptor for descriptor in _STANDARD_DESCRIPTORS if not _is_open(descriptor)}
    for _ in missing:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: one of these
    with ExitStack() as stack:
        if descriptor_of(sys.stdout) in missing:
            stack.enter_context(redirect_stdout(None))
        if _is_closed(sys.stderr) or descriptor_of(sys.stderr) in missing:
            nowhere = stack.enter_context(os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
            stack.enter_context(redirect_stderr(nowhere))
        yield


def descriptor_of(file: TextIO | None) -> int | None:
    """Return the descriptor that a file of Python's own writes to; of others it is not certain that they do."""
    with suppress(OSError, ValueError):
        return file.fileno() if isinstance(file, TextIOWrapper) else None
    return None


@contextmanager
def hushed() -> Iterator[None]:
    """Keep C libraries from printing on standard error what commands say in their own words."""
    duplicate, nowhere = os.dup(_ERROR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _ERROR)
        yield
    finally:
        os.dup2(duplicate, _ERROR)
        os.close(nowhere)
        os.close(duplicate)


def _text_of(lines: tuple[str, ...]) -> str:
    return "".join(f"{escaped(line)}\n" for line in lines)


def _is_closed(file: TextIO | None) -> bool:
    return file is None or getattr(file, "closed", False)


def _is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


@contextmanager
def _discarding(file: TextIO) -> Iterator[None]:
    """Name the stream in an error, and send what is still buffered nowhere: Python would try again at exit."""
    try:
        yield
    except OSError as error:
        with suppress(AttributeError, OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, file.fileno())
            finally:
                os.close(nowhere)
            file.flush()
        if error.errno is not None:
            error.filename = "standard error" if file is sys.stderr else "standard output"
        raise
