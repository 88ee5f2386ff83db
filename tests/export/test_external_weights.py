"""ONNX files whose weights lie in other files: which are read, and which are refused before they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from yoloxfast import ModelError
from yoloxfast.export import digest_of

if TYPE_CHECKING:
    from pathlib import Path


def weight(location: str, name: str = "weight") -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def model_of(folder: Path, location: str, where: str = "initializer") -> Path:
    """Write a model that keeps a weight in a file of that name."""
    path, tensor = folder / "model.onnx", weight(location)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inner = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "inner", [], [output])
    nodes = {
        "initializer": helper.make_node("Identity", ["weight"], ["y"]),
        "constant": helper.make_node("Constant", [], ["y"], value=tensor),
        "branch": helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner),
    }
    initializers = [tensor] if where == "initializer" else [numpy_helper.from_array(np.array([True]), "yes")]
    graph = helper.make_graph([nodes[where]], "graph", [], [output], initializers)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


@pytest.mark.parametrize("where", ["initializer", "constant", "branch"])
def test_the_digest_covers_weights_in_other_files(tmp_path: Path, where: str) -> None:
    (tmp_path / "below").mkdir()
    path = model_of(tmp_path, "below/weights.bin", where)
    (tmp_path / "below/weights.bin").write_bytes(b"one")
    first = digest_of(path)
    assert digest_of(path) == first
    (tmp_path / "below/weights.bin").write_bytes(b"two")
    assert digest_of(path) != first


@pytest.mark.parametrize("where", ["initializer", "constant", "branch"])
@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "/dev/zero", "link", "a\0b", "loop", "../x"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str, where: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "x").write_bytes(b"not beside the model")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(ModelError, match=r"model\.onnx keeps weights in .*, expected a file in its own folder"):
        digest_of(model_of(folder, location, where))


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "too large", "missing"])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, kind: str) -> None:
    path = model_of(tmp_path, "weights.bin")
    weights = tmp_path / "weights.bin"
    match kind:
        case "a pipe":
            os.mkfifo(weights)
        case "a folder":
            weights.mkdir()
        case "too large":
            with weights.open("wb") as file:
                file.truncate(50 << 30)
    message = {"too large": "the file has 53,687,091,200 bytes", "missing": "which is not there"}
    with pytest.raises(ModelError, match=message.get(kind, f"this is {kind}, expected a regular file")):
        digest_of(path)
