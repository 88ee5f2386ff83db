"""What may not be built, because the converted network would find something else."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import toy_network
from yoloxfast import ModelError
from yoloxfast.backends import open_network
from yoloxfast.export import Conversion, checked_graph

if TYPE_CHECKING:
    from pathlib import Path

ANCHORS, COLUMNS = 126, 5 + toy_network.NUM_CLASSES


def with_end(path: Path, nodes: list[Any], weights: dict[str, Any], **variant: Any) -> Path:
    """Write a toy network whose output "before" goes through more nodes, to "out0"."""
    model = onnx.load(toy_network.build(path, **variant))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items())
    onnx.save(model, path)
    return path


def convert(path: Path, **changes: Any) -> None:
    with closing(open_network(path)) as source:
        checked_graph(path, source, Conversion(**({"batch": source.batches.least} | changes)))


@pytest.mark.parametrize("exported", [1, 2, 3])
@pytest.mark.parametrize("batch", [4, None])
def test_a_batch_that_the_graph_cannot_have_is_refused(tmp_path: Path, exported: int, batch: Any) -> None:
    """Its last Reshape holds the exported batch where nobody can tell that it is one."""
    nodes = [
        helper.make_node("Reshape", ["before", "flat"], ["line"]),
        helper.make_node("Reshape", ["line", "target"], ["out0"]),
    ]
    weights = {"flat": [-1], "target": [exported, -1, COLUMNS]}
    path = with_end(tmp_path / "model.onnx", nodes, weights, batch=exported, hard_coded=True)
    convert(path)
    with pytest.raises(ModelError, match=r"model.onnx cannot be converted to the same precision, .* images give"):
        convert(path, batch=batch)


@pytest.mark.parametrize("half", [False, True])
def test_images_of_a_batch_may_not_mix(tmp_path: Path, half: bool) -> None:
    nodes = [
        helper.make_node("Slice", ["before", "begin", "end"], ["first"]),
        helper.make_node("Mul", ["before", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "first"], ["out0"]),
    ]
    weights = {"begin": [0], "end": [1], "zero": np.float32(0)}
    path = with_end(tmp_path / "model.onnx", nodes, weights, batch="any")
    convert(path, half=half)
    with pytest.raises(ModelError, match=r"cannot be converted to .*: a column of its raw output differs by"):
        convert(path, half=half, batch=None)


def with_beginning(path: Path, steps: list[tuple[str, float | None]]) -> Path:
    """Write a toy network whose image goes through more nodes first: an operator, and its other operand."""
    model = onnx.load(toy_network.build(path))
    for node in model.graph.node:
        node.input[0] = node.input[0].replace("image", f"step {len(steps) - 1}")
    before = "image"
    for number, (operator, value) in enumerate(steps):
        name, operands = f"step {number}", [before]
        if value is not None:
            operands.append(f"operand {number}")
            model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), operands[1]))
        model.graph.node.insert(number, helper.make_node(operator, operands, [name]))
        before = name
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([("Mul", 1000), ("Relu", None), ("Mul", 1 / 1000)], "values leave the range of float16; use fp32"),
        (
            [("Mul", 1 / 8), ("Add", 50_000), ("Sub", 50_000), ("Mul", 8)],
            r"a column of its raw output differs by",
        ),
    ],
    ids=["too large", "too fine"],
)
def test_what_float16_cannot_hold_is_refused(tmp_path: Path, steps: Any, problem: str) -> None:
    """ONNX Runtime, which computes float16 in float32, would not notice."""
    path = with_beginning(tmp_path / "model.onnx", steps)
    convert(path)
    with pytest.raises(ModelError, match=f"cannot be converted to float16, .*: {problem}"):
        convert(path, half=True)


def test_what_onnx_runtime_cannot_run_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["before", "line"], ["flat"]),
        helper.make_node("Reshape", ["flat", "target"], ["out0"]),
    ]
    weights = {"line": [ANCHORS * COLUMNS], "target": [1, ANCHORS, COLUMNS]}
    path = with_end(tmp_path / "model.onnx", nodes, weights, hard_coded=True)
    convert(path)
    with pytest.raises(ModelError, match=r"model.onnx cannot be converted to the same precision, batch 4: ONNX"):
        convert(path, batch=4)
