"""Which runtime opens which file, and what is said of options that it does not have."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from yoloxfast import Detector, MissingDependencyError, ModelError
from yoloxfast.backends import NAMES, OPTIONS, open_network
from yoloxfast.errors import how_to_install

if TYPE_CHECKING:
    from pathlib import Path


def test_the_suffix_decides_unless_a_backend_is_named(toy_model: Path, tmp_path: Path) -> None:
    assert open_network(toy_model).backend.name == "onnxruntime"
    assert open_network(str(toy_model)).backend.name == "onnxruntime"
    shouted = tmp_path / "TOY.ONNX"
    shouted.write_bytes(toy_model.read_bytes())
    assert open_network(shouted).backend.name == "onnxruntime"
    assert open_network("demo").backend.name == "onnxruntime"
    assert open_network("demo", backend="openvino").backend.name == "openvino"


def test_an_unknown_runtime_is_refused(toy_model: Path) -> None:
    expected = ", ".join(map(repr, NAMES))
    with pytest.raises(ValueError, match=f"unknown backend 'ncnn', expected {expected}"):
        Detector(toy_model, backend="ncnn")


@pytest.mark.parametrize(
    ("backend", "file", "message"),
    [
        ("onnxruntime", "model.engine", r"model.engine is not for ONNX Runtime, which takes \.onnx, \.ort"),
        ("onnxruntime", "model.xml", r"model.xml is not for ONNX Runtime"),
        ("openvino", "model.plan", r"model.plan is not for OpenVINO, which takes \.xml, \.onnx"),
        (None, "model.pth", r"model.pth has an unknown suffix, expected \.onnx, \.ort, \.xml, \.engine"),
        (None, "model", "model has an unknown suffix"),
    ],
)
def test_a_file_that_a_runtime_does_not_take_is_refused(
    tmp_path: Path, backend: str | None, file: str, message: str
) -> None:
    (tmp_path / file).write_bytes(b"weights")
    with pytest.raises(ModelError, match=message):
        Detector(tmp_path / file, backend=backend)


@pytest.mark.parametrize(
    ("backend", "options", "message"),
    [
        ("onnxruntime", {"precision": "fp16"}, "precision is 'fp16', but ONNX Runtime has no such option"),
        ("onnxruntime", {"cuda_graphs": True}, "cuda_graphs is True, but ONNX Runtime has no such option"),
        ("openvino", {"cuda_graphs": True}, "cuda_graphs is True, but OpenVINO has no such option"),
        ("openvino", {"providers": ["CPUExecutionProvider"]}, r"providers is .*, but OpenVINO has no such option"),
    ],
)
def test_an_option_that_a_runtime_does_not_have_is_refused(
    toy_model: Path, backend: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Detector(toy_model, backend=backend, **options)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_values_that_say_nothing_are_taken_by_every_runtime(toy_model: Path, backend: str) -> None:
    with Detector(toy_model, backend=backend, **OPTIONS) as detector:  # type: ignore[arg-type]
        assert detector.backend.name == backend


@pytest.mark.parametrize(("backend", "extra"), [("onnxruntime", "cpu"), ("openvino", "openvino")])
def test_a_runtime_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, toy_model: Path, backend: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, backend, None)
    monkeypatch.delitem(sys.modules, f"yoloxfast.backends.{backend}", raising=False)
    message = re.escape(f"{backend} is not installed: {how_to_install(extra)}")
    with pytest.raises(MissingDependencyError, match=message):
        Detector(toy_model, backend=backend)
