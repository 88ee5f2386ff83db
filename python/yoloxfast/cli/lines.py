"""Lines that programs read: each is written at once and whole, and nothing else stands between them."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from functools import partial
from typing import TYPE_CHECKING

from yoloxfast.cli.output import check_output, descriptor_of, flush_output, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO, TypeAlias

    Writer: TypeAlias = Callable[[str], None]

__all__ = ["appended_lines", "output_lines"]

_OUTPUT, _ERROR = 1, 2
"""Descriptors, by which C and C++ print."""

_BINARY = getattr(os, "O_BINARY", 0)


@contextmanager
def appended_lines(file: str) -> Iterator[Writer]:
    """Empty a file, and return what appends a line to it.

    Lines are there as soon as they are written: who looks at the file during a long run sees how far it is, and after
    Ctrl-C it has all that was done. Replacing it at the end would keep it from both. Of two runs that write to the same
    file at the same time, the second empties it when it starts; then their lines mix, but no line breaks another.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | _BINARY, 0o666)
    try:
        yield partial(_append, descriptor=descriptor, name=file)
    finally:
        with _naming(file):
            os.close(descriptor)


@contextmanager
def output_lines() -> Iterator[Writer]:
    """Return what writes a line to standard output; all else that is printed there meanwhile goes to standard error.

    Runtimes print from C++, and so to the process's descriptor: it leads to standard error while a duplicate of it
    takes the lines. A `sys.stdout` that leads elsewhere takes them itself.

    Raises
    ------
    OSError
        Standard output is closed.
    """
    check_output()
    output = sys.stdout
    with ExitStack() as stack:
        writer = partial(_print, file=output)
        descriptor = descriptor_of(output)
        if descriptor is not None and os.path.sameopenfile(descriptor, _OUTPUT):
            duplicate = stack.enter_context(_duplicated_output())
            if descriptor == _OUTPUT:
                writer = partial(_append, descriptor=duplicate, name="standard output")
        stack.enter_context(redirect_stdout(sys.stderr))
        yield writer


def _append(line: str, *, descriptor: int, name: str) -> None:
    """Write a line in one call of the system, which adds it to a file whole; a pipe may take it in parts."""
    content = memoryview(f"{line}\n".encode("ascii"))
    with _naming(name):
        while content:
            content = content[os.write(descriptor, content) :]


def _print(line: str, *, file: TextIO) -> None:
    write(f"{line}\n", file)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = name
        raise


@contextmanager
def _duplicated_output() -> Iterator[int]:
    """Lend a duplicate of the descriptor of standard output, which leads to standard error meanwhile."""
    flush_output()
    _flush_c()
    duplicate = os.dup(_OUTPUT)
    try:
        os.dup2(_ERROR, _OUTPUT)
        try:
            yield duplicate
        finally:
            with suppress(OSError):
                flush_output()
            _flush_c()
            os.dup2(duplicate, _OUTPUT)
    finally:
        os.close(duplicate)


def _flush_c() -> None:
    """Write out what C and C++ have buffered for standard output: later, it would follow the lines."""
    with suppress(AttributeError, ImportError, OSError):
        import ctypes

        ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None).fflush(None)
