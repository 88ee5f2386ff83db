"""Models whose first run never ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from yoloxfast import Detector, ModelError
from yoloxfast.limits import FIRST_RUN_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

ANCHORS = 84


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Write a network that loops for ever before it gives the raw output of a YOLOX."""
    tensor, weight = helper.make_tensor_value_info, numpy_helper.from_array
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes on"]), helper.make_node("Sin", ["value"], ["next"])],
        "body",
        [
            tensor("i", TensorProto.INT64, []),
            tensor("go", TensorProto.BOOL, []),
            tensor("value", TensorProto.FLOAT, None),
        ],
        [tensor("goes on", TensorProto.BOOL, []), tensor("next", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Reshape", ["mean", "ones"], ["first"]),
            helper.make_node("Loop", ["", "true", "first"], ["last"], body=body),
            helper.make_node("Expand", ["last", "shape"], ["output"]),
        ],
        "endless",
        [tensor("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [tensor("output", TensorProto.FLOAT, [1, ANCHORS, 7])],
        [
            weight(np.array(True), "true"),
            weight(np.array([1, 1, 1]), "ones"),
            weight(np.array([1, ANCHORS, 7]), "shape"),
        ],
    )
    path = tmp_path / "endless.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_a_first_run_without_end_is_ended(endless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FIRST_RUN_SECONDS.variable, "1")
    began = time.monotonic()
    with pytest.raises(
        ModelError, match=r"endless\.onnx: its first run was not done after 1 seconds: to allow more, set"
    ):
        Detector(endless)
    assert 1 <= time.monotonic() - began < 5


def test_ctrl_c_ends_a_first_run_without_end(endless: Path) -> None:
    script = f"""
import os, signal, threading, yoloxfast
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    yoloxfast.Detector({str(endless)!r})
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_what_openvino_cannot_end_is_said_and_left_alone(endless: Path) -> None:
    """It goes on, in its own thread, until the process ends; nothing that it uses is freed."""
    pytest.importorskip("openvino")
    script = f"""
import gc, os, yoloxfast
try:
    yoloxfast.Detector({str(endless)!r}, backend="openvino")
except yoloxfast.ModelError as error:
    print(error)
gc.collect()
print(len(yoloxfast.Detector("demo", backend="openvino").detect(__import__("numpy").zeros((64, 64, 3), "uint8"))))
os._exit(0)
"""
    environment = {**os.environ, FIRST_RUN_SECONDS.variable: "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert "its first run was not done after 1 seconds" in done.stdout
    assert done.stdout.endswith("\n0\n")
    assert done.returncode == 0


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_the_constructor_also_where_the_run_goes_on(endless: Path, presses: int) -> None:
    pytest.importorskip("openvino")
    script = f"""
import os, signal, threading, yoloxfast
for press in range({presses}):
    threading.Timer(1 + press, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    yoloxfast.Detector({str(endless)!r}, backend="openvino")
except KeyboardInterrupt:
    print("interrupted", flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_command_line_ends_by_itself(endless: Path, backend: str) -> None:
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-m", "yoloxfast", "info", str(endless), "--backend", backend],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, FIRST_RUN_SECONDS.variable: "1"},
    )
    assert done.returncode == 2
    assert "its first run was not done after 1 seconds" in done.stderr


def test_the_command_line_says_so(endless: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "yoloxfast", "info", str(endless)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (130, "yoloxfast: interrupted\n")
