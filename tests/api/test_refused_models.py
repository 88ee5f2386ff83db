"""Files that are not a YOLOX model, and what the errors say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import toy_network
from yoloxfast import Detector, ModelError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"rank": 2}, r"found out0 \(126, 8\) float32; .* must be \(1, 126, 5 \+ classes\)"),
        ({"strides": (8, 16)}, r"found out0 \(1, 120, 8\).*input of 64x96"),
        ({"num_classes": 0}, r"found out0 \(1, 126, 5\)"),
        ({"outputs": 2}, "can be read in several ways, .* export it with one of them"),
        ({"sigmoid": False}, "expected 0 to 1, or logits of objectness and all classes"),
        ({"decoded": True}, "not the boxes of a YOLOX head: found widths and heights up to"),
        ({"size": ("height", "width")}, r"takes any height and width: pass input_size=\(height, width\)"),
        ({"size": (200_000, 200_000)}, "1 to 8192"),
    ],
    ids=str,
)
def test_a_model_that_is_no_yolox_is_refused(tmp_path: Path, variant: Any, message: str) -> None:
    model = toy_network.build(tmp_path / "model.onnx", **variant)
    with pytest.raises(ModelError, match=message) as caught:
        Detector(model)
    assert str(model) in str(caught.value)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    model = toy_network.build_tensor_input(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"found x \(1, 10\) uint8"):
        Detector(model)


def test_files_that_are_no_models_are_refused(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "truncated.onnx").write_bytes(toy_model.read_bytes()[:500])
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "empty.onnx").touch()
    for name in ("truncated", "text", "empty"):
        with pytest.raises(ModelError, match=f"{name}.onnx is not a model that ONNX Runtime can load"):
            Detector(tmp_path / f"{name}.onnx")
    with pytest.raises(FileNotFoundError, match=r"no model file .*missing\.onnx$"):
        Detector(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match="this is a folder, expected a regular file"):
        Detector(tmp_path)
    (tmp_path / "model.pth").write_text("weights")
    with pytest.raises(ModelError, match=r"unknown suffix, expected \.onnx"):
        Detector(tmp_path / "model.pth")
    renamed = tmp_path / "model.bin"
    renamed.write_bytes(toy_model.read_bytes())
    assert Detector(renamed, backend="onnxruntime").num_classes == 3
