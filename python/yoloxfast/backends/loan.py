"""Borrowing the context of a network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from yoloxfast.errors import forget_frames

if TYPE_CHECKING:
    from types import TracebackType

    from yoloxfast.backends.backend import Context

__all__ = ["Loan"]


class _Lender(Protocol):
    def acquire(self, images: int) -> Context: ...
    def release(self, context: Context) -> None: ...


class Loan:
    """A context, borrowed for a `with` block. An error that leaves the block keeps none of its buffers alive."""

    __slots__ = ("_context", "_images", "_network", "_since")

    def __init__(self, network: _Lender, images: int) -> None:
        self._network, self._images = network, images

    def __enter__(self) -> Context:
        self._since = sys.exc_info()[1]
        self._context = self._network.acquire(self._images)
        return self._context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            forget_frames(error, since=self._since)
        try:
            self._context.settle()
        finally:
            self._network.release(self._context)
            del self._context, self._since
