"""The real pycuda as build_pycuda.py builds it: without a driver, and over a driver that has no functions."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from locations import PROJECT, PYCUDA

if TYPE_CHECKING:
    from pathlib import Path

needs_pycuda = pytest.mark.skipif(not (PYCUDA / ".built").is_file(), reason=f"pycuda is not built: no folder {PYCUDA}")


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PYCUDA), **environment},
    )


@needs_pycuda
def test_without_a_driver_pycuda_names_what_it_could_not_load() -> None:
    if run("import ctypes; ctypes.CDLL('libcuda.so.1')").returncode == 0:
        pytest.skip("an NVIDIA driver is installed")
    words = run("import pycuda.driver").stderr.splitlines()[-1]
    assert words.startswith("ImportError: libcuda.so.1: cannot open shared object file")


@needs_pycuda
def test_functions_that_a_driver_lacks_are_not_supported(tmp_path: Path) -> None:
    driver, unsupported = tmp_path / "libcuda.so.1", PYCUDA / "libcuda_unsupported.so"
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-Wl,-soname,libcuda.so.1", "-o", driver], check=True)
    code = """
import pycuda.driver
try:
    pycuda.driver.init()
except pycuda.driver.LogicError as error:
    print(error)
"""
    ended = run(code, LD_PRELOAD=f"{driver}:{unsupported}")
    assert (ended.stdout, ended.stderr) == ("cuInit failed: operation not supported\n", "")


def test_the_build_touches_no_folder_that_it_did_not_make(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.touch()
    script = PROJECT / "tests/support/build_pycuda.py"
    ended = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False)
    assert (ended.returncode, list(tmp_path.iterdir())) == (1, [mine])
    assert ended.stderr.startswith(f"{tmp_path} exists and was not built by this script")
