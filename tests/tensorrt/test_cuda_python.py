"""The real cuda-python, in a process of its own: without a driver, and with a stand-in for the driver."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import hosted_tensorrt
from onnx_engine import engine_of
from yoloxfast.models import DEMO_MODEL

if sys.platform != "linux":
    pytest.skip("the driver is found by the name it has on Linux", allow_module_level=True)
if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
    pytest.skip("cuda-bindings is not installed", allow_module_level=True)

DOUBLES = Path(hosted_tensorrt.__file__).parent


def run(code: str, **environment: str) -> str:
    """Run code without pycuda; it may warn of nothing."""
    code = f"import sys\nsys.modules['pycuda'] = None\n{code}"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-in."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("driver")
    source, library = DOUBLES / "libcuda_double.c", folder / "libcuda.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library], check=True)
    return folder


def test_without_a_driver_it_says_so(engine: Path) -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("an NVIDIA driver is installed")
    words = run(f"""
import yoloxfast
try:
    yoloxfast.Detector({str(engine)!r})
except yoloxfast.EngineError as error:
    print(error)
""")
    assert words.startswith("no NVIDIA driver on this machine: ")


def run_with_driver(driver: Path, code: str) -> dict[str, Any]:
    """Run code that fills `found`; at the end nothing is left on the GPU, and no context is current."""
    words = run(
        f"""
import ctypes, json
import numpy as np
from yoloxfast.tensorrt.cuda import Device
found = {{}}
{code}
double = ctypes.CDLL("libcuda.so.1")
print(json.dumps(found | {{"live": double.double_live(), "depth": double.double_depth()}}))
""",
        LD_LIBRARY_PATH=str(driver),
    )
    found: dict[str, Any] = json.loads(words)
    assert (found.pop("live"), found.pop("depth")) == (0, 0)
    return found


def test_copies_to_the_gpu_and_back_keep_values(driver: Path) -> None:
    found = run_with_driver(
        driver,
        """
device = Device.numbered(0, extra="tensorrt")
found["facts"] = device.facts
with device.current():
    stream, memory = device.stream(), device.allocate(24, "a test")
    source, target, empty = (
        device.page_locked(shape, np.dtype(np.float16), "a test") for shape in ((3, 4), (3, 4), (0, 4))
    )
    source.array[:] = np.arange(12).reshape(3, 4)
    stream.copy_to_device(memory.address, source.array)
    stream.copy_to_host(target.array, memory.address)
    stream.synchronize()
    found["target"], found["empty"] = target.array.tolist(), empty.array.shape
    found["handle"] = stream.handle
    for owned in (source, target, empty, memory, stream):
        owned.free()
""",
    )
    assert found["target"] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert found["empty"] == [0, 4]
    assert found["handle"] > 0
    facts = found["facts"]
    assert facts.pop("cuda-python")[:3] in ("12.", "13.")
    assert facts == {
        "name": "Stand-in",
        "compute capability": "8.9",
        "memory": "1.0 GiB",
        "driver": "for CUDA 13.2",
    }


def test_errors_are_said_in_the_drivers_words(driver: Path) -> None:
    found = run_with_driver(
        driver,
        """
from yoloxfast import EngineError
device = Device.numbered(0, extra="tensorrt")
def failing(call):
    try:
        with device.current():
            call()
    except EngineError as error:
        return str(error)
found["device"] = failing(lambda: device.allocate(1 << 40, "a test"))
found["host"] = failing(lambda: device.page_locked((1 << 40,), np.dtype(np.uint8), "a test"))
found["context"] = failing(lambda: [device._gpu.pop(), device._gpu.pop()])
""",
    )
    short = "out of memory: 1,099,511,627,776 bytes were asked for a test: CUDA_ERROR_OUT_OF_MEMORY, out of memory"
    assert found == {
        "device": short,
        "host": short,
        "context": "CUDA failed: CUDA_ERROR_INVALID_CONTEXT, invalid device context",
    }


def test_an_engine_finds_what_onnx_runtime_finds(driver: Path, tmp_path: Path) -> None:
    engine = engine_of(DEMO_MODEL, tmp_path / "demo.engine")
    found = run_with_driver(
        driver,
        f"""
sys.path.insert(0, {str(DOUBLES)!r})
import hosted_tensorrt
from yoloxfast import Detector
from yoloxfast.demo import draw_scene
hosted_tensorrt.install(sys.modules.__setitem__)
images = [draw_scene(seed).image for seed in range(4)]
for name, model in (("engine", {str(engine)!r}), ("model", {str(DEMO_MODEL)!r})):
    with Detector(model) as detector:
        found[name] = [detector.detect(image).xyxy.round(2).tolist() for image in images]
""",
    )
    assert found["engine"] == found["model"]
    assert all(found["engine"])
