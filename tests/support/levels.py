"""Which levels this CPU has, and processes that are forced to one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAGS = set(CPU_INFO.read_text().split()) if CPU_INFO.exists() else set()
NEEDED = {
    "scalar": set(),
    "avx2": {"avx2"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "neon": {"asimd"},
}


def has(level: str) -> bool:
    return NEEDED[level] <= CPU_FLAGS


def run(level: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "YOLOXFAST_LEVEL": level, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
