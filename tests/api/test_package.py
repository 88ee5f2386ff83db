from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from importlib.metadata import metadata, requires
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import yoloxfast
from locations import PROJECT
from synthetic import synthetic_raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def python(*arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout


def test_importing_yoloxfast_imports_no_optional_or_heavy_package(tmp_path: Path) -> None:
    code = "import sys, numpy; before = set(sys.modules); import yoloxfast; print(*set(sys.modules) - before)"
    modules = set(python("-c", code, cwd=tmp_path).split())
    packages = {name.partition(".")[0] for name in modules}
    assert packages - set(sys.stdlib_module_names) == {"yoloxfast"}
    assert not modules & {"asyncio", "http.client", "multiprocessing", "ssl", "subprocess", "urllib.request"}


def test_the_reference_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    code = "import sys, yoloxfast; print('cv2' in sys.modules, yoloxfast.reference.nms.__name__, 'cv2' in sys.modules)"
    assert python("-c", code, cwd=tmp_path) == "False nms True\n"
    with pytest.raises(AttributeError, match="no attribute 'refrence'"):
        yoloxfast.refrence  # noqa: B018


def test_all_public_names_exist_and_are_documented() -> None:
    for name in yoloxfast.__all__:
        assert hasattr(yoloxfast, name)
        assert name.startswith("__") or getattr(yoloxfast, name).__doc__


def test_versions_agree() -> None:
    assert metadata("yoloxfast")["Version"] == yoloxfast.__version__
    assert f"## {yoloxfast.__version__}" in (PROJECT / "CHANGELOG.md").read_text()


def test_only_numpy_is_required() -> None:
    required = {re.split(r"[^\w-]", line)[0] for line in requires("yoloxfast") or [] if "extra ==" not in line}
    assert required == {"numpy"}


def test_the_core_crate_knows_neither_python_nor_numpy() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not on the PATH")
    command = [cargo, "tree", "--offline", "--package", "yoloxfast-core", "--edges", "normal", "--prefix", "none"]
    tree = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    crates = {line.split()[0] for line in tree.splitlines() if line}
    assert "half" in crates
    assert not crates & {"pyo3", "numpy", "ndarray"}


RAW = synthetic_raw()
POST = yoloxfast.PostProcessor((640, 640))
IMAGE = np.zeros((1080, 1920, 3), np.uint8)
BOXES = np.tile(np.array([[0, 0, 5, 5]], np.float32), (2000, 1)) + np.arange(2000, dtype=np.float32)[:, None] * 10


@pytest.mark.parametrize(
    "call",
    [
        lambda: POST(RAW, score_threshold=0.001),
        lambda: POST.decode(RAW),
        lambda: yoloxfast.nms(BOXES, np.ones(2000, np.float32)),
        lambda: yoloxfast.letterbox(IMAGE, (640, 640)),
    ],
    ids=["postprocess", "decode", "nms", "letterbox"],
)
def test_native_calls_release_the_gil(call: Callable[[], Any]) -> None:
    """With endless turns, another thread runs only where the caller lets go of the GIL by itself.

    On a busy machine the main thread may wait for a core, so the worker goes on until it was seen at work.
    """
    done: list[int] = []
    seen: set[int] = set()

    def between() -> set[int]:
        return seen - {0, len(done)}

    def work() -> None:
        while len(done) < 5000 and not between():
            call()
            done.append(1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        worker = threading.Thread(target=work)
        worker.start()
        while worker.is_alive():
            seen.add(len(done))
            time.sleep(0)
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert between(), "the main thread never ran while the worker was at work"
