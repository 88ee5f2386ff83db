"""What is changed in an ONNX graph before it is built, run by ONNX Runtime."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import toy_network
from average_precision import average_precision
from converted import emulated, noise, prepare, run, session_of
from yoloxfast import Detector
from yoloxfast.demo import draw_scene
from yoloxfast.export.graph import digest_of
from yoloxfast.media.images import read_image
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("exported", [1, 2, "any"])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_each_image_of_a_batch_gives_what_it_gives_alone(
    tmp_path: Path, exported: int | str, batch: int | None
) -> None:
    model = toy_network.build(tmp_path / "model.onnx", batch=exported, hard_coded=exported != "any")
    network = prepare(model, batch=batch)
    images = noise(batch or 5, toy_network.SIZE)
    found = run(network, images)
    assert len(found) == len(images)
    copies = exported if isinstance(exported, int) else 1
    for image, raw in zip(images, found, strict=True):
        np.testing.assert_array_equal(raw, run(model, np.stack([image] * copies))[0])


def test_a_real_network_takes_any_batch(data: Path) -> None:
    for name, size in (("yolox_nano", (416, 416)), ("yolox_nano_384x640", (384, 640))):
        model = data / f"models/{name}.onnx"
        images = noise(3, size)
        found = run(prepare(model, batch=None), images)
        for image, raw in zip(images, found, strict=True):
            np.testing.assert_array_equal(raw, run(model, image[None])[0])


def test_only_the_batch_becomes_dynamic(tmp_path: Path) -> None:
    """A Reshape of weights to (1, ...), and one to a shape that starts with something else, stay as they are."""
    model = onnx.load(toy_network.build(tmp_path / "model.onnx", hard_coded=True))
    columns = 5 + toy_network.NUM_CLASSES
    grid = np.arange(columns, dtype=np.float32)
    for name, value in (
        ("grid", grid),
        ("grid shape", np.array([1, 1, columns])),
        ("flat shape", np.array([-1, columns])),
        ("last shape", np.array([1, -1, columns])),
    ):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(
        [
            helper.make_node("Reshape", ["grid", "grid shape"], ["grid 3"]),
            helper.make_node("Add", ["before", "grid 3"], ["sum"]),
            helper.make_node("Reshape", ["sum", "last shape"], ["out0"]),
        ]
    )
    onnx.save(model, tmp_path / "grid.onnx")
    images = noise(2, toy_network.SIZE)
    found = run(prepare(tmp_path / "grid.onnx", batch=None), images)
    for image, raw in zip(images, found, strict=True):
        np.testing.assert_array_equal(raw, run(tmp_path / "grid.onnx", image[None])[0])


@pytest.mark.parametrize("half", [False, True])
def test_bytes_say_what_floats_say(half: bool) -> None:
    images = noise(1, (256, 256))
    floats, bytes_ = (prepare(DEMO_MODEL, batch=1, half=half, takes_bytes=take) for take in (False, True))
    assert session_of(bytes_).get_inputs()[0].type == "tensor(uint8)"
    np.testing.assert_array_equal(run(bytes_, images), run(floats, images))


def ancestors(model: Any, name: str) -> list[str]:
    """Operators on the way to a tensor, back to the convolutions."""
    makers = {output: node for node in model.graph.node for output in node.output}
    node = makers.get(name)
    if node is None or node.op_type == "Conv":
        return []
    return [node.op_type, *(operator for value in node.input for operator in ancestors(model, value))]


def test_boxes_and_scores_stay_in_float32_and_all_before_does_not() -> None:
    model = onnx.load_from_string(prepare(DEMO_MODEL, batch=None, half=True))
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    convolutions = [types[node.output[0]] for node in model.graph.node if node.op_type == "Conv"]
    levels, outputs_of_a_level = 3, 3
    assert convolutions.count(TensorProto.FLOAT) == levels * outputs_of_a_level
    assert convolutions.count(TensorProto.FLOAT16) == len(convolutions) - levels * outputs_of_a_level
    assert "Concat" in ancestors(model, "output")
    assert "Cast" not in ancestors(model, "output"), "nothing is rounded after the last convolutions"
    raw = run(model.SerializeToString(), noise(1, (256, 256)))
    assert raw.dtype == np.float32
    assert (raw != raw.astype(np.float16)).mean() > 0.9


def test_half_precision_finds_the_shapes_that_single_precision_finds(tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(emulated(DEMO_MODEL))
    with Detector("demo", score_threshold=0.3) as single, Detector(half, score_threshold=0.3) as other:
        for seed in range(10):
            image = draw_scene(seed).image
            expected, found = single.detect(image), other.detect(image)
            assert found.class_ids.tolist() == expected.class_ids.tolist()
            np.testing.assert_allclose(found.xyxy, expected.xyxy, rtol=0, atol=0.5)
            np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=0.02)


def test_half_precision_costs_no_average_precision_on_coco_val(data: Path, tmp_path: Path) -> None:
    """With each tensor rounded as on a GPU."""
    model = data / "models/yolox_nano.onnx"
    truth = json.loads((data / "coco_val/annotations.json").read_text())
    found = {}
    for name, network in {
        "float32": model.read_bytes(),
        "float16": emulated(model),
    }.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(network)
        with Detector(path, score_threshold=0.001, iou_threshold=0.65) as detector:
            results: list[dict[str, Any]] = []
            for photo in truth["images"]:
                image = read_image(data / "coco_val/images" / photo["file_name"])
                results += detector.detect(image).to_coco(photo["id"])
        found[name] = average_precision(truth, results)
        print(name, found[name])
    assert all(found["float32"].ap - other.ap <= 0.002 for other in found.values())


def test_an_emulated_network_rounds_as_numpy_does(tmp_path: Path) -> None:
    """And what is above the range of float16 becomes infinite."""
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Mul", ["image", "factor"], ["product"]),
                helper.make_node("Conv", ["product", "one"], ["out"]),
            ],
            "rounding",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 64, 64])],
            [
                numpy_helper.from_array(np.array(np.pi, np.float32), "factor"),
                numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "one"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, tmp_path / "model.onnx")
    images = np.random.default_rng(0).normal(0, 300, (1, 3, 64, 64)).astype(np.float32)
    network = emulated(tmp_path / "model.onnx")
    rounded = (images.astype(np.float16).astype(np.float32) * np.float32(np.float16(np.pi))).astype(np.float16)
    np.testing.assert_array_equal(run(network, images), rounded)
    assert not np.isfinite(run(network, images + 30_000)).any()
    small = images / np.float32(2**27)
    rounded = (small.astype(np.float16).astype(np.float32) * np.float32(np.float16(np.pi))).astype(np.float16)
    assert len(np.unique(rounded)) < 2000, "these are subnormal"
    np.testing.assert_array_equal(run(network, small), rounded)


def test_graphs_of_other_exporters_are_taken(tmp_path: Path, toy_model: Path) -> None:
    """Constants as nodes, nodes without names, weights among the inputs."""
    model = onnx.load(toy_model)
    weights = list(model.graph.initializer)
    del model.graph.initializer[:]
    for weight in weights[::2]:
        model.graph.initializer.append(weight)
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    for weight in weights[1::2]:
        model.graph.node.insert(0, helper.make_node("Constant", [], [weight.name], value=weight))
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, tmp_path / "model.onnx")
    images = noise(1, toy_network.SIZE)
    network = prepare(tmp_path / "model.onnx", batch=1)
    np.testing.assert_array_equal(run(network, images), run(toy_model, images))
    half = run(prepare(tmp_path / "model.onnx", batch=1, half=True), images)
    np.testing.assert_allclose(half, run(toy_model, images), rtol=0, atol=0.02)


def test_nodes_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    model = onnx.load(DEMO_MODEL)
    for node in model.graph.node:
        node.name = "node"
    onnx.save(model, tmp_path / "model.onnx")
    found, expected = (prepare(path, batch=1, half=True) for path in (tmp_path / "model.onnx", DEMO_MODEL))
    assert len(found) < 1.1 * len(expected), "what comes before the last convolutions is float16"
    images = noise(1, (256, 256))
    np.testing.assert_array_equal(run(found, images), run(expected, images))


def test_weights_beside_the_file_count_for_its_digest(tmp_path: Path, toy_model: Path) -> None:
    path, beside = tmp_path / "model.onnx", tmp_path / "weights.bin"
    model = onnx.load(toy_model)
    onnx.save(model, path, save_as_external_data=True, location=beside.name, size_threshold=0)
    before = digest_of(path)
    content = bytearray(beside.read_bytes())
    content[-1] ^= 1
    beside.write_bytes(content)
    assert digest_of(path) != before
    assert digest_of(toy_model) == sha256(toy_model.read_bytes()).hexdigest()


def test_a_weight_beyond_float16_becomes_the_largest(tmp_path: Path) -> None:
    model = onnx.load(DEMO_MODEL)
    weight = next(weight for weight in model.graph.initializer if weight.data_type == TensorProto.FLOAT)
    values = numpy_helper.to_array(weight).copy()
    values.flat[:3] = 1e9, -1e9, -np.inf
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "model.onnx")
    weights = onnx.load_from_string(prepare(tmp_path / "model.onnx", batch=1, half=True)).graph.initializer
    (half,) = (numpy_helper.to_array(half) for half in weights if half.name == f"{weight.name}/half")
    assert half.flat[:3].tolist() == [65504, -65504, -np.inf]
