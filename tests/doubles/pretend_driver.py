"""The pretend CUDA driver of `driver/`: built, loaded into this process, set up and asked what happened."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from locations import PROJECT, PYCUDA

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    SetModule = Callable[[str, ModuleType | None], None]

UNSUPPORTED = PYCUDA / "libcuda_unsupported.so"
"""The functions that pycuda refers to and the pretend driver does not have."""

HostFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

INVALID_VALUE, OUT_OF_MEMORY, NO_DEVICE, LAUNCH_FAILED = 1, 2, 100, 719
STREAM_CAPTURE_UNSUPPORTED = 900


class Span(NamedTuple):
    """What a stream did, or a wait for it; times in ns."""

    stream: int
    what: str
    put: int
    began: int
    ended: int


@cache
def built() -> Path:
    """Build the driver, and return the library."""
    if sys.platform != "linux":
        pytest.skip("the pretend driver goes by the name that the driver has on Linux")
    if shutil.which("cargo") is None:
        pytest.skip("the pretend driver needs Rust: cargo is not installed")
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--package=pretend-cuda", "--message-format=json"]
    made = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    artifacts = [name for line in made for name in json.loads(line).get("filenames", ())]
    (library,) = (Path(name) for name in artifacts if Path(name).name == "libpretend_cuda.so")
    return library


def environment(settings: str = "", *, binding: str = "cuda-python") -> dict[str, str]:
    """Return the environment of a process that finds the pretend driver as its driver."""
    libraries = [str(built())]
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if binding == "pycuda":
        skip_without_pycuda()
        libraries.append(str(UNSUPPORTED))
        paths.append(str(PYCUDA))
    return {
        **os.environ,
        "LD_PRELOAD": ":".join(libraries),
        "PRETEND_CUDA": settings,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def skip_without_pycuda() -> None:
    if not UNSUPPORTED.exists():
        pytest.skip(f"pycuda is not built: no file {UNSUPPORTED}")


@cache
def loaded() -> Any:
    """Load the driver into this process, where whoever loads libcuda.so.1 then finds it."""
    library = built()
    if "libcuda.so" in Path("/proc/self/maps").read_text():
        pytest.skip("a real driver is in use in this process")
    driver = ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    driver.pretend_set.argtypes = [ctypes.c_char_p]
    driver.pretend_read.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    driver.pretend_read.restype = ctypes.c_size_t
    driver.pretend_bytes.argtypes = [ctypes.c_uint64, ctypes.c_size_t]
    driver.pretend_bytes.restype = ctypes.c_void_p
    driver.cuLaunchHostFunc.argtypes = [ctypes.c_void_p, HostFunction, ctypes.c_void_p]
    driver.cuStreamIsCapturing.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
    return driver


def is_loaded() -> bool:
    return loaded.cache_info().currsize > 0


def set_up(setting: str) -> None:
    """Change a setting, as control.rs lists them."""
    assert loaded().pretend_set(setting.encode()) == 1, setting


def read(which: str) -> list[str]:
    """Return the lines of one of the lists that control.rs names."""
    buffer = ctypes.create_string_buffer(1 << 24)
    size = loaded().pretend_read(which.encode(), buffer, len(buffer))
    assert size <= len(buffer), which
    return buffer.raw[:size].decode().splitlines()


def log() -> list[Span]:
    """Return what the streams did, in the order in which it ended."""
    fields = (line.split("\t") for line in read("log"))
    return [Span(int(stream), what, *map(int, times)) for stream, what, *times in fields]


def current_context() -> int:
    """Return the handle of the context that is current on this thread, or 0."""
    context = ctypes.c_void_p()
    loaded().cuCtxGetCurrent(ctypes.byref(context))
    return context.value or 0


def is_recorded(stream: int) -> bool | None:
    """Whether a stream is recorded into a graph; None for an unknown stream."""
    status = ctypes.c_int()
    error = loaded().cuStreamIsCapturing(stream, ctypes.byref(status))
    return None if error else status.value != 0


def launch(stream: int, function: Any) -> bool:
    """Put a host function on a stream; whether that could be done."""
    return bool(loaded().cuLaunchHostFunc(stream, function, None) == 0)


def use_binding(binding: str, set_module: SetModule) -> None:
    """Have `import pycuda` find the real pycuda, or nothing if the real cuda-python is wanted; that is always there."""
    loaded()
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
    modules = {"pycuda": None, "pycuda.driver": None} if binding == "cuda-python" else pycuda_modules()
    for name, module in modules.items():
        set_module(name, module)


@cache
def pycuda_modules() -> dict[str, ModuleType]:
    """Import the real pycuda, and hide it again; it cannot be imported twice."""
    skip_without_pycuda()
    ctypes.CDLL(str(UNSUPPORTED), ctypes.RTLD_GLOBAL)
    sys.path.append(str(PYCUDA))
    try:
        import pycuda.driver
    finally:
        sys.path.remove(str(PYCUDA))
    assert Path(pycuda.driver.__file__).is_relative_to(PYCUDA)
    names = [name for name in sys.modules if name.split(".")[0] == "pycuda"]
    return {name: sys.modules.pop(name) for name in names}
