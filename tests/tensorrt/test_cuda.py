"""Which of pycuda and cuda-python is used, and what is said where CUDA cannot be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest

from tensorrt_double import forget_backend
from yoloxfast import Detector, EngineError, MissingDependencyError
from yoloxfast.errors import how_to_install
from yoloxfast.tensorrt import build_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pretend_machine import World

CUDA_PYTHON = ("cuda", "cuda.bindings", "cuda.bindings.driver")
PYCUDA = ("pycuda", "pycuda.driver")


@pytest.fixture(name="_forgotten")
def forgotten() -> Iterator[None]:
    forget_backend()
    yield
    forget_backend()


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A package of that name, the driver of which cannot be imported."""
    name, driver, error = request.param
    package = tmp_path / name
    package.mkdir(parents=True)
    (tmp_path / name.partition("/")[0] / "__init__.py").touch()
    (package / "__init__.py").write_text("__version__ = '0'")
    (package / driver).write_text(f"raise {error}")
    monkeypatch.syspath_prepend(tmp_path)
    forget_backend()
    for module in (*PYCUDA, *CUDA_PYTHON):
        if module.startswith(name.partition("/")[0]):
            monkeypatch.delitem(sys.modules, module, raising=False)


def forget_broken(*modules: str) -> None:
    forget_backend()
    for module in modules:
        sys.modules.pop(module, None)


@pytest.mark.parametrize(("device", "message"), [(1, "device is 1, but"), (-1, "device is -1, but"), (2**40, "but")])
def test_a_device_that_is_not_there_is_said(world: World, engine: Path, device: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message} this machine has 1 NVIDIA GPU, numbered from 0"):
        Detector(engine, device=device)
    world.set("devices=2")
    if device != 1:
        with pytest.raises(ValueError, match=f"{message} this machine has 2 NVIDIA GPUs, numbered from 0"):
            Detector(engine, device=device)
    else:
        with Detector(engine, device=device):
            assert world.live


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("device", ["cuda:0", "0", 0.0, None])
def test_a_device_that_is_not_a_number_is_said(engine: Path, device: Any) -> None:
    with pytest.raises(TypeError, match=f"device must be the number of a GPU, got {device!r}"):
        Detector(engine, device=device)


def test_without_a_gpu_it_says_so(world: World, engine: Path) -> None:
    world.set("devices=0")
    with pytest.raises(EngineError, match=r"no NVIDIA GPU can be used: .*no CUDA-capable device is detected"):
        Detector(engine)


def test_a_driver_that_counts_no_gpu_is_said(world: World, engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's documentation allows a count of 0; drivers return an error instead, as in the test above."""
    binding = import_module(f"yoloxfast.tensorrt.{world.binding.replace('-', '_')}")
    monkeypatch.setattr(binding, "device_count", lambda: 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(EngineError, match=r"^no NVIDIA GPU can be used: the driver finds none$"):
        Detector(engine)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(EngineError, match=r"the driver finds none; CUDA_VISIBLE_DEVICES is '0'$"):
        Detector(engine)


def test_a_gpu_is_opened_once(world: World, engine: Path, toy_model: Path, tmp_path: Path) -> None:
    """Another retained context would be written down."""
    build_engine(toy_model, tmp_path / "built.engine")
    for _ in range(2):
        with Detector(engine), Detector(tmp_path / "built.engine"):
            pass
    assert world.retained == 1


def test_threads_that_open_a_gpu_at_once_share_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from yoloxfast.tensorrt.cuda import Device

    opened = Device._opened  # noqa: SLF001

    def opened_slowly(number: int, binding: Any) -> Device:
        sleep(0.1)
        return opened(number, binding)

    monkeypatch.setattr(Device, "_opened", opened_slowly)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda _: Device.numbered(0, extra="tensorrt"), range(4)))) == 1
    assert world.retained == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    code = """
import os, sys
from yoloxfast.tensorrt.cuda import Device
with Device._lock:
    child = os.fork()
    if child == 0:
        os._exit(not Device._lock.acquire(blocking=False))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("world")
def test_a_forked_process_is_refused(engine: Path, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    with Detector(engine) as detector:
        with monkeypatch.context() as forked:
            forked.setattr("os.getpid", lambda: -1)
            with pytest.raises(EngineError, match="CUDA does not survive a fork"):
                detector.detect(image)
        assert len(detector.detect(image)) > 0
        with monkeypatch.context() as forked:
            forked.setattr("os.getpid", lambda: -1)
            detector.close()  # what the child drops at its end is the parent's


@pytest.mark.usefixtures("_forgotten")
def test_a_model_that_is_not_there_is_said_before_what_building_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pycuda", *CUDA_PYTHON):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FileNotFoundError, match=r"no model file .*missing\.onnx"):
        build_engine(tmp_path / "missing.onnx")


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
@pytest.mark.parametrize("absent", [("pycuda", *CUDA_PYTHON), ("pycuda", *CUDA_PYTHON[1:])], ids=str)
@pytest.mark.usefixtures("_forgotten")
def test_without_pycuda_and_cuda_python_it_says_what_brings_all(
    engine: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, absent: tuple[str, ...]
) -> None:
    for module in absent:
        monkeypatch.setitem(sys.modules, module, None)
    message = f"^neither pycuda nor cuda-python is installed: {re.escape(how_to_install(runtime))}$"
    with pytest.raises(MissingDependencyError, match=message):
        Detector(engine, backend=runtime)


@pytest.mark.usefixtures("_forgotten")
def test_without_both_nothing_is_built(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pycuda", *CUDA_PYTHON):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match="neither .*" + re.escape(how_to_install("tensorrt"))):
        build_engine(toy_model, tmp_path / "toy.engine")


SAY_SO = {
    "driver": (
        ("pycuda", "driver.py", "ImportError('libcuda.so.1: cannot open shared object file')"),
        EngineError,
        r"^no NVIDIA driver on this machine: libcuda\.so\.1: cannot open shared object file$",
    ),
    "symbol": (
        ("pycuda", "driver.py", "ImportError('undefined symbol')"),
        MissingDependencyError,
        r"^pycuda cannot be imported \(undefined symbol\): install it again; or .*: "
        + re.escape(how_to_install("cuda-python")),
    ),
    "dependency": (
        ("pycuda", "driver.py", "ModuleNotFoundError('No module named pytools', name='pytools')"),
        MissingDependencyError,
        r"^pycuda cannot be imported \(No module named pytools\): install it again",
    ),
}


@pytest.mark.parametrize(("broken", "kind", "message"), SAY_SO.values(), ids=SAY_SO, indirect=["broken"])
@pytest.mark.usefixtures("broken", "_forgotten")
def test_a_broken_pycuda_is_not_passed_over(engine: Path, kind: type[Exception], message: str) -> None:
    try:
        with pytest.raises(kind, match=message):
            Detector(engine)
    finally:
        forget_broken(*PYCUDA)


@pytest.mark.parametrize("broken", [("cuda/bindings", "driver.py", "ImportError('undefined symbol')")], indirect=True)
@pytest.mark.usefixtures("broken", "_forgotten")
def test_a_broken_cuda_python_is_said(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    remedy = re.escape(how_to_install("cuda-python"))
    message = rf"^cuda-python cannot be imported \(undefined symbol\); to install it: {remedy}$"
    try:
        with pytest.raises(MissingDependencyError, match=message):
            Detector(engine)
    finally:
        forget_broken(*CUDA_PYTHON)


@pytest.mark.parametrize("world", ["cuda-python"], indirect=True)
@pytest.mark.usefixtures("world")
def test_a_driver_that_is_not_there_is_said(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(_: int) -> None:
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    monkeypatch.setattr(sys.modules["cuda.bindings.driver"], "cuInit", init)
    with pytest.raises(EngineError, match=r"^no NVIDIA driver on this machine: Failed to dlopen libcuda\.so\.1$"):
        Detector(engine)
