"""Files that are taken for models, and operators that only one runtime has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest

from yoloxfast import Detector, ModelError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("suffix", ["onnx", "engine", "xml"])
@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a Git LFS pointer, not the model"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page, not the file that it links to"),
        (b"\n <HTML>", "a web page"),
        (b"PK\x03\x04" + bytes(60), "an archive or a PyTorch checkpoint: export it to ONNX, or unpack it"),
    ],
)
def test_what_a_file_really_is_is_said(tmp_path: Path, suffix: str, content: bytes, meaning: str) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=meaning) as error:
        Detector(path)
    assert str(error.value).count(str(path)) == 1


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_plugin_of_tensorrt_is_named(tmp_path: Path, backend: str) -> None:
    pytest.importorskip(backend)
    node = onnx.helper.make_node("EfficientNMS_TRT", ["images"], ["detections"])
    ports = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, 3, 32, 32]), ("detections", None))
    ]
    graph = onnx.helper.make_graph([node], "plugin", ports[:1], ports[1:])
    path = tmp_path / "plugin.onnx"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    message = r"plugin.onnx has the operator EfficientNMS_TRT\S*, a plugin of TensorRT: run it with backend='tensorrt'"
    with pytest.raises(ModelError, match=message):
        Detector(path, backend=backend)
