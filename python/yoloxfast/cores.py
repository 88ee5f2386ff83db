"""How many cores there are for runs."""

from __future__ import annotations

import os

__all__ = ["count_cores"]


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
