"""The cores that runs on a CPU share with the host."""

from __future__ import annotations

import os

__all__ = ["SPARE_RUNS", "count_cores"]

SPARE_RUNS = 4
"""Of a backend on the CPU. Without them, the same frames take 1 to 2 % more time of two cores (YOLOX-Nano)."""


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
