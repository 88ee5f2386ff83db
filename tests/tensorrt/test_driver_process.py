"""The pretend driver in a process of its own: what it is there from the first call to the last."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pretend_driver

if TYPE_CHECKING:
    from pathlib import Path

cuda = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")


def run(code: str, settings: str = "") -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with cuda-python on the pretend driver."""
    code = f"from cuda.bindings import driver as cuda\n{code}"
    command = [sys.executable, "-c", code]
    environment = pretend_driver.environment(settings)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


OPENED = """
cuda.cuInit(0)
cuda.cuCtxPushCurrent(cuda.cuDevicePrimaryCtxRetain(0)[1])
memory = cuda.cuMemAlloc(64)[1]
"""


def test_the_host_cannot_read_the_memory_of_a_gpu() -> None:
    ended = run(f"{OPENED}\nimport ctypes\nprint(bytes((ctypes.c_uint8 * 64).from_address(int(memory))))")
    assert (ended.returncode, ended.stdout) == (-signal.SIGSEGV, "")


def test_nothing_works_before_it_is_initialized() -> None:
    assert run("print(cuda.cuDeviceGetCount()[0].name)").stdout == "CUDA_ERROR_NOT_INITIALIZED\n"


def test_leaks_and_forks_are_in_the_report_of_a_process(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    code = f"""
{OPENED}
import os
child = os.fork()
if child == 0:
    print(cuda.cuMemFree(memory)[0].name, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    ended = run(code, f"report={report}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "CUDA_ERROR_NOT_INITIALIZED\n", "")
    assert report.read_text().splitlines() == [
        "cuMemFree: CUDA is used in a forked process",
        "leaked: 64 bytes of device memory",
    ]


def test_what_is_written_after_it_was_freed_is_in_the_report_of_a_process(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    code = f"""
{OPENED}
import ctypes
host = cuda.cuMemHostAlloc(64, 0)[1]
cuda.cuMemFreeHost(host)
ctypes.memset(host, 0, 64)
cuda.cuMemFree(memory)
"""
    assert run(code, f"report={report}").returncode == 0
    assert report.read_text() == "cuMemFree: page-locked memory was written after it was freed\n"


def test_a_setting_that_there_is_not_ends_the_process() -> None:
    ended = run("cuda.cuInit(0)", "nonsense=1")
    assert (ended.returncode, ended.stderr) == (
        -signal.SIGABRT,
        "PRETEND_CUDA has a setting that is not one: nonsense=1\n",
    )


def test_cuda_python_finds_each_function_by_its_name() -> None:
    """Those of the driver that cuda-python does not know are for pycuda."""
    for_pycuda = {"cuCtxDetach", "cuDeviceComputeCapability"}
    names = subprocess.run(
        ["nm", "--dynamic", "--defined-only", pretend_driver.built()], capture_output=True, text=True, check=True
    ).stdout.split()
    known = {name.split("_v")[0].removesuffix("WithFlags") for name in names if name.startswith("cu")}
    assert known - for_pycuda - {"cuGetProcAddress"} <= set(dir(cuda))
