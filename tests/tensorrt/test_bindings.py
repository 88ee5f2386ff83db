"""The real pycuda and the real cuda-python on the pretend driver, in processes of their own, and without any driver."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hosted_tensorrt
from onnx_engine import engine_of
from pretend_driver import environment
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")

DOUBLES = Path(hosted_tensorrt.__file__).parent
CODES = {
    1: "INVALID_VALUE, invalid argument",
    2: "OUT_OF_MEMORY, out of memory",
    3: "NOT_INITIALIZED, initialization error",
    34: "STUB_LIBRARY, CUDA driver is a stub library",
    46: "DEVICE_UNAVAILABLE, CUDA-capable device(s) is/are busy or unavailable",
    100: "NO_DEVICE, no CUDA-capable device is detected",
    101: "INVALID_DEVICE, invalid device ordinal",
    102: "DEVICE_NOT_LICENSED, device doesn't have valid Grid license",
    304: "OPERATING_SYSTEM, OS call failed or operation not supported on this OS",
    802: "SYSTEM_NOT_READY, system not yet initialized",
    803: "SYSTEM_DRIVER_MISMATCH, system has unsupported display driver / cuda driver combination",
    804: "COMPAT_NOT_SUPPORTED_ON_DEVICE, forward compatibility was attempted on non supported HW",
    999: "UNKNOWN, unknown error",
}
"""What cuInit may answer."""


@pytest.fixture(params=["pycuda", "cuda-python"])
def binding(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def run(code: str, binding: str, process: Mapping[str, str]) -> str:
    """Run code with one of them; it may warn of nothing."""
    hidden = "" if binding == "pycuda" else "import sys\nsys.modules['pycuda'] = None\n"
    command = [sys.executable, "-W", "error", "-c", hidden + code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=process)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def run_clean(code: str, binding: str, tmp_path: Path, settings: str = "") -> dict[str, Any]:
    """Run code that fills `found`; the driver may have nothing to report."""
    report = tmp_path / "report.txt"
    code = f"""
import json, sys
import numpy as np
found = {{}}
{code}
print(json.dumps(found))
"""
    words = run(code, binding, environment(f"report={report} {settings}", binding=binding))
    assert not report.exists() or report.read_text() == "", report.read_text()
    found: dict[str, Any] = json.loads(words)
    return found


OPENED = """
from yoloxfast import EngineError
from yoloxfast.tensorrt.cuda import Device
try:
    found = Device.numbered({device}, extra="tensorrt").facts
except (EngineError, ValueError) as error:
    found = {{"error": f"{{type(error).__name__}}: {{error}}"}}
"""


def opening(binding: str, tmp_path: Path, settings: str = "", device: int = 0) -> dict[str, Any]:
    """Return what a GPU is, or the error that it cannot be used by."""
    return run_clean(OPENED.format(device=device), binding, tmp_path, settings)


def test_copies_to_the_gpu_and_back_keep_values(binding: str, tmp_path: Path) -> None:
    found = run_clean(
        """
from yoloxfast.tensorrt.cuda import Device
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
    found["before"] = bool(np.isnan(target.array).all())
    stream.synchronize()
    found["target"], found["empty"], found["done"] = target.array.tolist(), empty.array.shape, stream.is_done()
    found["handle"] = stream.handle
    for owned in (source, target, empty, memory, stream):
        owned.free()
""",
        binding,
        tmp_path,
        "delay=20000",
    )
    assert found["before"]
    assert found["done"]
    assert found["target"] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert found["empty"] == [0, 4]
    assert found["handle"] > 0
    facts = found["facts"]
    assert int(facts.pop(binding).split(".")[0]) in (12, 13, 2026)
    assert facts == {
        "name": "Pretend GPU",
        "compute capability": "8.9",
        "memory": "1.0 GiB",
        "driver": "for CUDA 13.2",
    }


def test_errors_are_said_in_the_drivers_words(binding: str, tmp_path: Path) -> None:
    found = run_clean(
        """
from yoloxfast import EngineError
from yoloxfast.tensorrt.cuda import Device
device = Device.numbered(0, extra="tensorrt")
def failing(call):
    try:
        with device.current():
            call()
    except EngineError as error:
        return str(error)
found["device"] = failing(lambda: device.allocate(1 << 40, "a test"))
found["host"] = failing(lambda: device.page_locked((1 << 50,), np.dtype(np.uint8), "a test"))
""",
        binding,
        tmp_path,
    )
    words = {
        "pycuda": ("cuMemAlloc failed: out of memory", "cuMemHostAlloc failed: out of memory"),
        "cuda-python": ("CUDA_ERROR_OUT_OF_MEMORY, out of memory",) * 2,
    }[binding]
    assert found == {
        "device": f"out of memory: 1,099,511,627,776 bytes were asked for a test: {words[0]}",
        "host": f"out of memory: 1,125,899,906,842,624 bytes were asked for a test: {words[1]}",
    }


FORKED = """
import os
child = os.fork()
if child == 0:
    try:
        detector.detect(images[0])
    except EngineError as error:
        os._exit(0 if "CUDA does not survive a fork" in str(error) else 2)
    os._exit(1)
found["child"] = os.waitpid(child, 0)[1]
found["engine"] = [detector.detect(image).xyxy.round(2).tolist() for image in images]
"""


@pytest.mark.parametrize("ending", ["detector.close()", "", FORKED], ids=["closed", "not closed", "forked"])
def test_an_engine_finds_what_onnx_runtime_finds_however_its_process_ends(
    binding: str, tmp_path: Path, ending: str
) -> None:
    engine = engine_of(DEMO_MODEL, tmp_path / "demo.engine")
    code = f"""
sys.path.insert(0, {str(DOUBLES)!r})
import hosted_tensorrt
from yoloxfast import Detector, EngineError
from yoloxfast.demo import draw_scene
hosted_tensorrt.install(sys.modules.__setitem__)
images = [draw_scene(seed).image for seed in range(4)]
with Detector({str(DEMO_MODEL)!r}, threads=1) as detector:
    found["model"] = [detector.detect(image).xyxy.round(2).tolist() for image in images]
detector = Detector({str(engine)!r})
found["engine"] = [detector.detect(image).xyxy.round(2).tolist() for image in images]
{ending}
"""
    found = run_clean(code, binding, tmp_path)
    assert found["engine"] == found["model"]
    assert all(found["engine"])
    assert found.get("child", 0) == 0


@pytest.mark.parametrize("code", CODES)
def test_a_driver_that_cannot_be_initialized_says_why(binding: str, tmp_path: Path, code: int) -> None:
    words = f"CUDA_ERROR_{CODES[code]}" if binding == "cuda-python" else f"cuInit failed: {CODES[code].split(', ')[1]}"
    found = opening(binding, tmp_path, f"fail=cuInit:{code}")
    assert found == {"error": f"EngineError: no NVIDIA GPU can be used: {words}"}


@pytest.mark.parametrize("visible", ["", "7", "-1", "1"])
def test_gpus_that_are_hidden_are_said_to_be(
    binding: str, tmp_path: Path, visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = opening(binding, tmp_path)["error"]
    assert found.startswith("EngineError: no NVIDIA GPU can be used: ")
    assert found.endswith(f"no CUDA-capable device is detected; CUDA_VISIBLE_DEVICES is {visible!r}")


def test_a_gpu_is_chosen_by_its_number(binding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opening(binding, tmp_path, "devices=2", device=1)["name"] == "Pretend GPU"
    none = "ValueError: device is 2, but this machine has 2 NVIDIA GPUs, numbered from 0"
    assert opening(binding, tmp_path, "devices=2", device=2) == {"error": none}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    hidden = "ValueError: device is 1, but this machine has 1 NVIDIA GPU, numbered from 0; CUDA_VISIBLE_DEVICES is '1'"
    assert opening(binding, tmp_path, "devices=2", device=1) == {"error": hidden}


def test_a_driver_that_pycuda_is_too_new_for_is_said_to_be_old() -> None:
    """The pretend driver without what pycuda refers to besides."""
    process = environment(binding="pycuda")
    process["LD_PRELOAD"] = process["LD_PRELOAD"].split(":")[0]
    code = f"import json, warnings\nwarnings.simplefilter('ignore')\n{OPENED.format(device=0)}\nprint(found['error'])"
    words = run(code, "pycuda", process)
    assert words.startswith("EngineError: the NVIDIA driver is too old for this pycuda (")
    assert "undefined symbol: cu" in words


def test_a_driver_that_cuda_python_is_too_new_for_is_said_to_be_old(tmp_path: Path) -> None:
    """One of CUDA 11, which has no cuGetProcAddress_v2."""
    driver = tmp_path / "libcuda.so.1"
    source = b"int cuInit(unsigned flags) { return 0; } int cuGetProcAddress(void) { return 500; }"
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-Wl,-soname,libcuda.so.1", "-o", str(driver)]
    subprocess.run(command, input=source, check=True)
    process = {**environment(), "LD_PRELOAD": str(driver)}
    words = run(f"{OPENED.format(device=0)}\nprint(found['error'])", "cuda-python", process)
    assert words.startswith("EngineError: no NVIDIA GPU can be used: the driver is too old for cuda-python 1")
    assert words.endswith("(Failed to get cuGetProcAddress_v2): update the driver\n")


def test_without_a_driver_it_says_so(binding: str) -> None:
    try:
        subprocess.run([sys.executable, "-c", "import ctypes; ctypes.CDLL('libcuda.so.1')"], check=True, stderr=-3)
    except subprocess.CalledProcessError:
        process = environment(binding=binding)
        del process["LD_PRELOAD"]
        words = run(f"{OPENED.format(device=0)}\nprint(found['error'])", binding, process)
        assert words.startswith("EngineError: no NVIDIA driver on this machine: ")
    else:
        pytest.skip("an NVIDIA driver is installed")


def test_pycuda_leaks_what_is_freed_under_another_retained_context(tmp_path: Path) -> None:
    """Why `Device` retains a primary context once."""
    code = """
import threading
import warnings
import pycuda.driver as cuda
warnings.simplefilter("ignore")
cuda.init()
first, second = (cuda.Device(0).retain_primary_context() for _ in range(2))
first.push()
memory = cuda.mem_alloc(64)
cuda.Context.pop()
def free():
    second.push()
    memory.free()
    cuda.Context.pop()
thread = threading.Thread(target=free)
thread.start()
thread.join()
"""
    report = tmp_path / "report.txt"
    run(code, "pycuda", environment(f"report={report}", binding="pycuda"))
    assert "leaked: 64 bytes of device memory" in report.read_text().splitlines()
