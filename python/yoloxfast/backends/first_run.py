"""The run that finds out what a model is. A file may hold a loop without end, and runtimes do not hear Ctrl-C."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

from yoloxfast.errors import ModelError
from yoloxfast.limits import FIRST_RUN_SECONDS

if TYPE_CHECKING:
    from yoloxfast.backends.backend import Context

__all__ = ["first_run", "is_endless"]

_LOOK_AGAIN_SECONDS = 0.0002
_CANCEL_SECONDS = 5

_endless: list[Context] = []
"""Contexts in which a run goes on that its runtime cannot end: their buffers stay as long as the process."""


def first_run(context: Context) -> None:
    """Run what was written into the input; Ctrl-C and a limit end it.

    Raises
    ------
    ModelError
        It takes too long.
    EngineError
        The runtime failed.
    """
    seconds = FIRST_RUN_SECONDS.value
    context.submit()
    is_done = False
    try:
        is_done = _is_done_within(seconds, context)
    finally:
        if not is_done:
            _cancel(context)
    if not is_done:
        raise ModelError(
            f"its first run was not done after {seconds} seconds: to allow more, set {FIRST_RUN_SECONDS.variable} in"
            " the environment"
        )
    context.result()


def _cancel(context: Context) -> None:
    _endless.append(context)  # first of all: Ctrl-C may be pressed again
    context.cancel()
    if _is_done_within(_CANCEL_SECONDS, context):
        context.settle()
        _endless.remove(context)


def is_endless(context: Context | None = None) -> bool:
    """Whether a run goes on that cannot be ended: in this context, or in any."""
    return any(context in (None, other) for other in _endless)


def _is_done_within(seconds: float, context: Context) -> bool:
    until = monotonic() + seconds
    while not context.is_done():
        if monotonic() > until:
            return False
        sleep(_LOOK_AGAIN_SECONDS)
    return True
