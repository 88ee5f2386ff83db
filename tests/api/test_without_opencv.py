"""Without OpenCV, or with one that cannot be loaded: detecting works, and all else says in one sentence what to do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from locations import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = PROJECT / "python/yoloxfast"
INSTALL = "pip install opencv-python-headless, which needs no display and so runs in containers too"
REPAIR = f"to install it: pip uninstall --yes opencv-python opencv-python-headless, then {INSTALL}"
XCB = "libxcb.so.1: cannot open shared object file: No such file or directory"

SAY_SO = {
    "missing": (
        "raise ModuleNotFoundError(\"No module named 'cv2'\", name='cv2')",
        f"cv2 is not installed: {INSTALL}",
    ),
    "not loadable": (
        f"raise ImportError('{XCB}')",
        f"cv2 cannot be imported ({XCB}); {REPAIR}",
    ),
    "half of it": (
        "raise ModuleNotFoundError(\"No module named 'numpy.core'\", name='numpy.core')",
        f"cv2 cannot be imported (No module named 'numpy.core'); {REPAIR}",
    ),
    "two builds": (
        "raise AttributeError(\"module 'cv2' has no attribute 'typing'\")",
        f"cv2 cannot be imported (module 'cv2' has no attribute 'typing'); {REPAIR}",
    ),
    "an empty folder": (
        "",
        f"cv2 cannot be imported (cannot import name 'imdecode' from 'cv2' ({{cv2}})); {REPAIR}",
    ),
}
"""What cv2 does when it is imported, and what is said then."""

CALLS = {
    "read_image": "from yoloxfast.media.images import read_image; read_image('photo.png')",
    "detect": "detector.detect('photo.png')",
    "detect_batch": "detector.detect_batch(['photo.png'])",
    "stream": "list(detector.stream(['photo.png']))",
    "write_image": "from yoloxfast.media.images import write_image; write_image('photo.png', image)",
    "draw": "detector.detect(image).draw(image)",
    "reference": "yoloxfast.reference",
    "from reference": "from yoloxfast.reference import nms",
    "draw_scene": "from yoloxfast.demo import draw_scene; draw_scene(1)",
}

PREPARE = """
import numpy, yoloxfast
image = numpy.zeros((120, 180, 3), numpy.uint8)
detector = yoloxfast.Detector("demo", threads=1)
"""

DETECT = """
detector.detect(image), detector.detect_batch([image] * 3), list(detector.stream([image] * 3))
tensor, scale = yoloxfast.letterbox(image, (256, 256))
yoloxfast.letterbox_batch([image], (256, 256)), yoloxfast.Letterbox(tensor)(image)
with detector.network.lend(1) as context:
    context.letterboxes[0](image)
    context.submit()
    raw = context.result()[0].copy()
detections = yoloxfast.PostProcessor((256, 256), num_classes=raw.shape[1] - 5)(raw, scale=scale)
yoloxfast.nms(detections.xyxy, detections.scores)
detections.to_json(), detections.to_coco(image_id=1)
detector.warmup(1)
print("detected")
"""


def run(folder: Path, cv2: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder, where `import cv2` runs this code."""
    (folder / "packages").mkdir(exist_ok=True)
    (folder / "packages/cv2.py").write_text(cv2)
    paths = os.pathsep.join((str(folder / "packages"), str(PACKAGE.parent)))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def sentence(folder: Path, fault: str) -> str:
    return SAY_SO[fault][1].format(cv2=folder / "packages/cv2.py")


def test_detecting_needs_no_opencv(tmp_path: Path) -> None:
    done = run(tmp_path, SAY_SO["missing"][0], "-c", PREPARE + DETECT)
    assert (done.stdout, done.stderr) == ("detected\n", "")


@pytest.mark.parametrize("arguments", [("info", "demo"), ("--version",), ("detect", "--help")], ids=str)
def test_commands_that_touch_no_image_need_no_opencv(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, SAY_SO["missing"][0], "-m", "yoloxfast", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("fault", SAY_SO)
def test_what_needs_opencv_says_how_to_install_it(tmp_path: Path, fault: str) -> None:
    """Say so each time, not only the first."""
    tries = "".join(
        f"""
for _ in range(2):
    try:
        {call}
    except yoloxfast.MissingDependencyError as error:
        print(error)
"""
        for call in CALLS.values()
    )
    done = run(tmp_path, SAY_SO[fault][0], "-c", PREPARE + tries)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [sentence(tmp_path, fault)] * 2 * len(CALLS)


@pytest.mark.parametrize("fault", SAY_SO)
@pytest.mark.parametrize("command", ["detect", "demo"])
def test_commands_say_it_in_one_line_and_lose_no_file(tmp_path: Path, fault: str, command: str) -> None:
    outputs = {"boxes.jsonl": "of yesterday", "scene.png": "of yesterday"}
    for name, content in outputs.items():
        (tmp_path / name).write_text(content)
    arguments = {
        "detect": ("demo", "scene.png", "--output", "annotated", "--json", "boxes.jsonl"),
        "demo": ("--output", "scene.png"),
    }
    done = run(tmp_path, SAY_SO[fault][0], "-m", "yoloxfast", command, *arguments[command])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"yoloxfast: error: {sentence(tmp_path, fault)}\n"
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == outputs
    assert not (tmp_path / "annotated").exists()


def test_one_file_imports_cv2_and_all_others_get_it_from_there() -> None:
    """Any other import would end in the system's own words for a library that is missing."""
    importing = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            modules += [node.value] if isinstance(node, ast.Constant) and node.value == "cv2" else []
            if any(re.match(r"cv2\b", module) for module in modules):
                importing.add(path.relative_to(PACKAGE).as_posix())
    assert importing == {"opencv.py"}
