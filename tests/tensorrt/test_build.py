"""Engines that the real TensorRT-RTX builds, which needs no GPU for that; running them does."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import toy_network
import yoloxfast
from command_line import assert_fails
from yoloxfast import EngineError, MissingDependencyError, ModelError
from yoloxfast.cli import main
from yoloxfast.models import DEMO_MODEL
from yoloxfast.tensorrt import build_engine
from yoloxfast.tensorrt.cache import cached_engine
from yoloxfast.tensorrt.engine_file import read_engine, version_in
from yoloxfast.tensorrt.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

rtx = pytest.importorskip(
    "tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed; there are wheels for Linux on x86-64"
)

RUNTIME = "tensorrt-rtx"
MAGIC = b"vtrt"
"""What plans begin with."""


class Logger(rtx.ILogger):  # type: ignore[name-defined, misc]
    def __init__(self) -> None:
        rtx.ILogger.__init__(self)
        self.words: list[str] = []

    def log(self, _: object, message: str) -> None:
        self.words.append(message)


def assert_is_whole(plan: memoryview) -> None:
    """TensorRT-RTX itself finds no fault in a plan; without a driver it only misses that."""
    assert plan[: len(MAGIC)] == MAGIC
    assert version_in(plan) == rtx.__version__
    logger = Logger()
    runtime = rtx.Runtime(logger)
    _, problems = runtime.get_engine_validity(plan)
    for problem in ("MALFORMED_ENGINE", "VERSION_MISMATCH"):
        assert not problems & int(rtx.EngineInvalidityDiagnostics.__members__[problem])
    runtime.deserialize_cuda_engine(plan)
    assert not [words for words in logger.words if "Serialization" in words]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("batch", [None, 2, (1, 2, 4)], ids=str)
def test_a_network_is_built(tmp_path: Path, precision: Any, batch: Any) -> None:
    model = toy_network.build(
        tmp_path / "model.onnx", hard_coded=True, metadata={"names": "['a', 'b', 'c']", "author": "somebody"}
    )
    engine = build_engine(
        model, tmp_path / "other name.engine", runtime=RUNTIME, precision=precision, batch=batch, workspace=0.5
    )
    plan, metadata = read_engine(engine)
    assert_is_whole(plan)
    expected = {
        "names": "['a', 'b', 'c']",
        "author": "somebody",
        "source": "model.onnx",
        "source sha256": sha256(model.read_bytes()).hexdigest(),
        "backend": "tensorrt-rtx",
        "runtime": f"TensorRT-RTX {rtx.__version__}",
        "precision": precision,
        "input": "float32",
        "batch": {None: "1", 2: "2", (1, 2, 4): "1:2:4"}[batch],
        "input size": "64 x 96 (height x width)",
        "strides": "8, 16, 32",
        "classes": "3",
        "yoloxfast": yoloxfast.__version__,
    }
    assert expected.items() <= metadata.items()


def test_an_engine_keeps_the_names_of_a_file(
    tmp_path: Path, toy_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, engine = tmp_path / "names.txt", tmp_path / "toy.engine"
    names.write_text("cat\ndog\n")
    arguments = ["build", str(toy_model), "-o", str(engine), "--runtime", RUNTIME, "--names", str(names)]
    assert_fails(capsys, *arguments, message="names.txt must be 3, one name for each class, got 2")
    assert not engine.exists()
    names.write_text("cat\ndog\nfish\n")
    assert main(arguments) == 0
    assert read_engine(engine).metadata["names"] == "['cat', 'dog', 'fish']"


def test_an_engine_does_not_get_cocos_names_where_the_model_has_others(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", num_classes=80, metadata={"names": "cat, " * 80 + "cat"})
    with pytest.warns(UserWarning, match="metadata are not used: the number of names must be 80") as said:
        engine = build_engine(model, tmp_path / "toy.engine", runtime=RUNTIME)
    assert said[0].filename == __file__
    assert read_engine(engine).metadata["names"].startswith("['class 0', 'class 1'")


def test_the_precision_and_the_input_reach_tensorrt(tmp_path: Path) -> None:
    """The network's weights are most of its plan: in float16 it is smaller; and the input has the dtype asked for."""
    plans = {
        precision: read_engine(
            build_engine(DEMO_MODEL, tmp_path / f"{precision}.engine", runtime=RUNTIME, precision=precision)
        ).plan
        for precision in ("fp32", "fp16")
    }
    assert len(plans["fp16"]) < 0.8 * len(plans["fp32"])
    for plan in plans.values():
        assert_is_whole(plan)


def test_a_real_network_is_built(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, engine = data / "models/yolox_nano.onnx", tmp_path / "nano.engine"
    arguments = [
        "build",
        model,
        "-o",
        engine,
        "--runtime",
        RUNTIME,
        "--precision",
        "fp16",
        "--batch",
        "1:4:8",
        "--bytes",
    ]
    assert main(list(map(str, arguments))) == 0
    assert "bytes, fp16, batch 1:4:8, TensorRT-RTX" in capsys.readouterr().out
    plan, metadata = read_engine(engine)
    assert_is_whole(plan)
    assert metadata["input"] == "uint8"


def test_a_truncated_engine_is_malformed(tmp_path: Path, toy_model: Path) -> None:
    engine = build_engine(toy_model, tmp_path / "toy.engine", runtime=RUNTIME)
    engine.write_bytes(engine.read_bytes()[:-100])
    plan, metadata = read_engine(engine)
    assert metadata == {}
    with pytest.raises(AssertionError):
        assert_is_whole(plan)


def test_the_command_builds_into_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["build", "demo", "--runtime", RUNTIME]) == 0
    assert capsys.readouterr().out.startswith("shapes.engine: ")
    assert main(["info", "shapes.engine"]) == 0
    lines = capsys.readouterr().out
    for fact in ("built by       TensorRT-RTX", "['circle', 'ring',", "batch          1\n", "runs here      no: "):
        assert fact in lines


def test_what_the_parser_does_not_know_is_said_in_its_words(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.graph.node[-1].output[0] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((2, 2), np.float32), "square"))
    model.graph.node.extend(
        [
            helper.make_node("Det", ["square"], ["nothing"], name="determinant"),
            helper.make_node("Add", ["before", "nothing"], ["out0"]),
        ]
    )
    onnx.save(model, tmp_path / "model.onnx")
    engine = tmp_path / "model.engine"
    engine.write_bytes(b"old")
    with pytest.raises(ModelError, match=r"TensorRT-RTX .* cannot parse .*: Det determinant: UNSUPPORTED_NODE"):
        build_engine(tmp_path / "model.onnx", engine, runtime=RUNTIME)
    assert engine.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.engine", "model.onnx"]


def test_what_is_no_yolox_is_refused_before_it_is_built(tmp_path: Path) -> None:
    no_head = toy_network.build(tmp_path / "model.onnx", strides=(8, 16))
    with pytest.raises(ModelError, match="not a YOLOX head"):
        build_engine(no_head, runtime=RUNTIME)
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ModelError, match=r"text\.onnx is not an ONNX file"):
        build_engine(tmp_path / "text.onnx", runtime=RUNTIME)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "4:2:8"], "batch is 4:2:8, expected a number of images, 1 to 4096, or the least, the best and"),
        (["--batch", "0"], "batch is 0, expected"),
        (["--batch", "1:2"], "batch is 1:2, expected"),
        (["--batch", "many"], "'many' is neither MIN:OPT:MAX nor a number"),
        (["--precision", "int8"], "invalid choice: 'int8'"),
        (["--workspace", "0"], "workspace is 0.0 GiB, expected 0.001 to 10000"),
        (["--workspace", "1e20"], "workspace is 1e+20 GiB, expected 0.001 to 10000"),
        (["--workspace", "nan"], "workspace is nan GiB, expected 0.001 to 10000"),
        (["-o", "nowhere/x.engine"], "no folder nowhere for the engine"),
        (["-o", "/"], "/ is not a file, expected one for the engine"),
        (["-o", "/dev/null"], "/dev/null is not a file, expected one for the engine"),
        (["-o", "copy.onnx"], "copy.onnx has the suffix '.onnx', expected .engine, .plan, .trt for an engine"),
        (["--device", "1"], "device is 1, but TensorRT-RTX builds for all GPUs: leave it at 0"),
    ],
    ids=str,
)
def test_bad_options_are_one_line(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert_fails(capsys, "build", "demo", "--runtime", RUNTIME, *options, message=message)


def test_bad_arguments_are_refused(tmp_path: Path, toy_model: Path) -> None:
    options: Any
    for options, message in (
        ({"runtime": "onnxruntime"}, "runtime is 'onnxruntime', expected 'tensorrt' or 'tensorrt-rtx'"),
        ({"precision": "int8"}, "precision is 'int8', expected 'fp32' or 'fp16'"),
    ):
        with pytest.raises(ValueError, match=message):
            build_engine(toy_model, tmp_path / "x.engine", **options)
    with pytest.raises(TypeError, match=r"batch must be a whole number or three of them, got 1\.5"):
        build_engine(toy_model, tmp_path / "x.engine", batch=1.5)  # type: ignore[arg-type]
    (tmp_path / "x.engine").touch()
    with pytest.raises(ModelError, match=r"x\.engine is not an ONNX file"):
        build_engine(tmp_path / "x.engine", runtime=RUNTIME)


def test_without_a_gpu_tensorrt_builds_nothing(toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises((EngineError, MissingDependencyError)):
        build_engine(toy_model, tmp_path / "x.engine")
    assert not (tmp_path / "x.engine").exists()


def build_in_cache(model: Path) -> tuple[Path, int]:
    """Return the engine, and which file that is."""
    from yoloxfast.tensorrt.building import EngineBuilder

    builder, recipe = EngineBuilder(RUNTIME, 0), Recipe()
    build = partial(builder.build, model, recipe=recipe)
    engine = cached_engine(model.stem, builder.identity(model, recipe), build)
    return engine, engine.stat().st_ino


def test_processes_that_want_the_same_engine_build_it_once(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLOXFAST_ENGINES", str(tmp_path / "engines"))
    with get_context("spawn").Pool(3) as processes:
        engines = processes.map(build_in_cache, [toy_model] * 3)
    assert len(set(engines)) == 1
    engine, _ = engines[0]
    assert_is_whole(read_engine(engine).plan)
    assert build_in_cache(toy_model) == engines[0]
