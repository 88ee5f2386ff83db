"""What the log of the pretend driver shows: which streams were at work at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pretend_driver import Span


def most_in_flight(log: Iterable[Span]) -> int:
    """Return how many streams had an input and were not waited for yet, at most."""
    log = list(log)
    begun = [(span.put, True, span.stream) for span in log if span.what == "copy to device"]
    waited = [(span.began, False, span.stream) for span in log if span.what == "synchronize"]
    return _most(begun + waited)


def most_running(log: Iterable[Span]) -> int:
    """Return how many streams ran a network at the same time, at most."""
    runs = [span for span in log if span.what == "host function"]
    return _most(
        [(span.began, True, span.stream) for span in runs] + [(span.ended, False, span.stream) for span in runs]
    )


def _most(changes: list[tuple[int, bool, int]]) -> int:
    busy, most = set[int](), 0
    for _, begins, stream in sorted(changes):
        (busy.add if begins else busy.discard)(stream)
        most = max(most, len(busy))
    return most
