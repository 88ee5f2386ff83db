"""Graphs that ONNX Runtime takes, and that few exporters write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import toy_network
from converted import noise, prepare, run, session_of
from yoloxfast import ModelError
from yoloxfast.backends import open_network
from yoloxfast.export import Conversion, checked_graph
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path


def test_a_graph_within_the_graph_is_kept_or_refused(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.graph.node[-1].output[0] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "inner weight"))
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Add", ["before", "inner weight"], ["sum"])], "branch", [], [output])
    model.graph.node.append(
        helper.make_node("If", ["always"], ["out0"], name="choice", then_branch=branch, else_branch=branch)
    )
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, toy_network.SIZE)
    np.testing.assert_array_equal(run(prepare(tmp_path / "model.onnx", batch=1), images), run(toy_model, images))
    for change, message in (({"half": True}, "float16"), ({"takes_bytes": True}, "uint8 input")):
        with pytest.raises(ModelError, match=rf"model.onnx cannot be converted to {message}: If choice holds a graph"):
            prepare(tmp_path / "model.onnx", batch=1, **change)


def test_nodes_may_be_in_any_order(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, toy_network.SIZE)
    np.testing.assert_array_equal(run(prepare(tmp_path / "model.onnx", batch=1), images), run(toy_model, images))


def test_scales_that_a_graph_computes_stay_in_float32(tmp_path: Path) -> None:
    model = onnx.load(DEMO_MODEL)
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    model.graph.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), "ones"))
    scales = helper.make_node("Mul", [resize.input[2], "ones"], ["scales"])
    resize.input[2] = "scales"
    model.graph.node.insert(0, scales)
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, (256, 256))
    found = run(prepare(tmp_path / "model.onnx", batch=1, half=True), images)
    np.testing.assert_array_equal(found, run(prepare(DEMO_MODEL, batch=1, half=True), images))


def test_a_weight_that_two_nodes_use_is_converted_once(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    for node in model.graph.node:
        node.input[0] = node.input[0].replace("image", "twice")
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    model.graph.node.insert(0, helper.make_node("Mul", ["image", "one"], ["once"]))
    model.graph.node.insert(1, helper.make_node("Mul", ["once", "one"], ["twice"]))
    onnx.save(model, tmp_path / "model.onnx")
    half = onnx.load_from_string(prepare(tmp_path / "model.onnx", batch=1, half=True))
    assert [weight.name for weight in half.graph.initializer].count("one/half") == 1


def test_a_weight_may_be_an_output(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.graph.initializer.append(numpy_helper.from_array(np.arange(3, dtype=np.float32), "version"))
    model.graph.output.append(helper.make_tensor_value_info("version", TensorProto.FLOAT, [3]))
    onnx.save(model, tmp_path / "model.onnx")
    network = prepare(tmp_path / "model.onnx", batch=1, half=True)
    _, version = session_of(network).run(None, {"image": noise(1, toy_network.SIZE).astype(np.float32)})
    assert version.tolist() == [0, 1, 2]


def test_zeros_mean_as_in_the_input_also_where_they_did_not(tmp_path: Path) -> None:
    model = onnx.load(toy_network.build(tmp_path / "model.onnx", hard_coded=True))
    model.opset_import[0].version = 14
    fixed = [node for node in model.graph.node if node.op_type == "Reshape"][:-1]
    for node in fixed:
        node.attribute.append(helper.make_attribute("allowzero", 1))
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(2, toy_network.SIZE)
    found = run(prepare(tmp_path / "model.onnx", batch=None), images)
    for image, raw in zip(images, found, strict=True):
        np.testing.assert_array_equal(raw, run(tmp_path / "model.onnx", image[None])[0])


def test_a_network_of_float16_may_be_built_in_float16(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", dtype=np.float16, hard_coded=True)
    source = open_network(model)
    for conversion in (Conversion(4), Conversion(4, half=True), Conversion(4, half=True, takes_bytes=True)):
        session = session_of(checked_graph(model, source, conversion).serialized())
        taken = "tensor(uint8)" if conversion.takes_bytes else "tensor(float16)"
        assert (session.get_inputs()[0].type, session.get_inputs()[0].shape[0]) == (taken, 4)


def test_outputs_that_are_left_out_make_no_circle(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.graph.node[-1].output[0] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.array(1e9, np.float32), "most"))
    model.graph.node.append(helper.make_node("Clip", ["before", "", "most"], ["clipped"]))
    model.graph.node.append(helper.make_node("Dropout", ["clipped"], ["out0", ""]))
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, toy_network.SIZE)
    np.testing.assert_array_equal(run(prepare(tmp_path / "model.onnx", batch=1), images), run(toy_model, images))


def test_weights_of_old_files_are_inputs(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.ir_version = 3
    model.opset_import[0].version = 8
    for weight in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    for node in model.graph.node:
        if node.op_type == "Split":
            node.attribute.append(helper.make_attribute("split", [4, 1 + toy_network.NUM_CLASSES]))
            del node.input[1]
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, toy_network.SIZE)
    np.testing.assert_array_equal(run(prepare(tmp_path / "model.onnx", batch=1), images), run(toy_model, images))


def test_weights_that_onnx_does_not_follow_are_refused(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "blobs").mkdir()
    onnx.save(onnx.load(toy_model), tmp_path / "model.onnx", save_as_external_data=True, location="w", size_threshold=0)
    (tmp_path / "w").rename(tmp_path / "blobs/w")
    (tmp_path / "w").symlink_to(tmp_path / "blobs/w")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be read: "):
        prepare(tmp_path / "model.onnx", batch=1)
