"""`Detector("model.onnx", backend="tensorrt")` and `build_engine`, with the double of TensorRT and its builder."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

import tensorrt_builder_double as double
import toy_network
from specification import expected
from tensorrt_double import forget_backend
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.cli import main
from yoloxfast.files import replacing
from yoloxfast.tensorrt import build_engine
from yoloxfast.tensorrt.engine_file import read_engine, write_engine

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pretend_machine import World


FP32 = "fp32 profile None"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where engines are kept."""
    monkeypatch.setenv("YOLOXFAST_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


def engines_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.engine"))


def test_an_onnx_file_is_built_once(world: World, toy_model: Path, image: NDArray[np.uint8], folder: Path) -> None:
    for _ in range(2):
        with Detector(toy_model, backend="tensorrt") as detector:
            assert detector.detect(image) == expected(toy_model, image, toy_network.SIZE)
            assert detector.backend.name == "tensorrt"
    assert world.built == [FP32]
    assert len(engines_in(folder)) == 1


def test_another_model_precision_version_or_gpu_is_another_engine(
    world: World, toy_model: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Detector(toy_model, backend="tensorrt").close()
    other = toy_network.build(tmp_path / "toy.onnx", num_classes=5)
    Detector(other, backend="tensorrt").close()
    Detector(other, backend="tensorrt", precision="fp16").close()
    assert world.built == [FP32, FP32, "tf32 profile None"]
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", "11.4.0")
    for name in ("Pretend GPU", "Other GPU"):
        forget_backend()
        world.set(f"name={name}")
        Detector(other, backend="tensorrt").close()
    assert world.built == [FP32, FP32, "tf32 profile None", FP32, FP32]
    assert len(engines_in(folder)) == 5


def damage(engine: Path) -> None:
    content = bytearray(engine.read_bytes())
    content[100] ^= 1
    engine.write_bytes(content)


def cut(engine: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:1000])


def replace_by_that_of_another_model(engine: Path) -> None:
    plan, metadata = read_engine(engine)
    with replacing(engine) as file:
        write_engine(file, bytes(plan), {**metadata, "source sha256": "0" * 64})


def replace_by_a_plan_that_does_not_load(engine: Path) -> None:
    metadata = read_engine(engine).metadata
    with replacing(engine) as file:
        write_engine(file, b"another plan", metadata)


@pytest.mark.parametrize("spoil", [damage, cut, replace_by_that_of_another_model, replace_by_a_plan_that_does_not_load])
def test_an_engine_that_was_spoiled_is_built_again(
    world: World, toy_model: Path, image: NDArray[np.uint8], folder: Path, spoil: Any
) -> None:
    Detector(toy_model, backend="tensorrt").close()
    (engine,) = engines_in(folder)
    spoil(engine)
    for _ in range(2):
        with Detector(toy_model, backend="tensorrt") as detector:
            assert detector.detect(image) == expected(toy_model, image, toy_network.SIZE)
    assert world.built == [FP32, FP32]


@pytest.mark.usefixtures("world")
def test_a_build_that_fails_is_not_tried_again(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = Mock(side_effect=ModelError("not today"))
    monkeypatch.setattr("yoloxfast.export.conversion.Graph", convert)
    with pytest.raises(ModelError, match="not today"):
        Detector(toy_model, backend="tensorrt")
    convert.assert_called_once()


def test_a_build_that_fails_leaves_nothing_behind(world: World, toy_model: Path, folder: Path) -> None:
    world.refuses.add("build")
    with pytest.raises(EngineError, match="could not build the engine: the double was told to refuse"):
        Detector(toy_model, backend="tensorrt")
    assert engines_in(folder) == []
    world.refuses.clear()
    Detector(toy_model, backend="tensorrt").close()
    assert len(engines_in(folder)) == 1


@pytest.mark.usefixtures("world")
def test_a_cache_may_be_read_only(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Detector(toy_model, backend="tensorrt").close()
    monkeypatch.setattr("yoloxfast.tensorrt.cache.FileLock", Mock(side_effect=PermissionError))
    Detector(toy_model, backend="tensorrt").close()


@pytest.mark.usefixtures("world")
def test_a_model_may_not_change_while_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_network.build(tmp_path / "model.onnx")
    build = double.Builder.build_serialized_network

    def change(*arguments: Any) -> Any:
        toy_network.build(model, num_classes=5)
        return build(*arguments)

    monkeypatch.setattr(double.Builder, "build_serialized_network", change)
    with pytest.raises(ModelError, match=r"model\.onnx has changed while it was built; build it again"):
        build_engine(model, tmp_path / "model.engine")
    assert not (tmp_path / "model.engine").exists()


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    "metadata", [{"backend": "tensorrt-lean"}, {"names": "[]"}, {"runtime": "TensorRT 9"}], ids=str
)
def test_metadata_of_another_version_are_no_riddle(
    tmp_path: Path, metadata: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = tmp_path / "some.engine"
    with replacing(engine) as file:
        write_engine(file, b"a plan", metadata)
    with pytest.raises(ModelError, match=r"some.engine (is an engine of tensorrt-lean|is not an engine|was built by)"):
        Detector(engine)
    assert main(["info", str(engine)]) == 0
    assert "runs here" in capsys.readouterr().out


@pytest.mark.usefixtures("world")
def test_an_engine_of_another_version_or_gpu_says_both(toy_model: Path, tmp_path: Path) -> None:
    engine = build_engine(toy_model, tmp_path / "toy.engine")
    plan, metadata = read_engine(engine)
    with replacing(engine) as file:
        write_engine(file, b"for another GPU", metadata)
    with pytest.raises(
        ModelError, match=r"is not an engine for TensorRT 10.16.1 on Pretend GPU: the plan .*; it was built"
    ):
        Detector(engine)
    with replacing(engine) as file:
        write_engine(file, bytes(plan), {**metadata, "runtime": "TensorRT 10.3.0", "gpu": "NVIDIA A100"})
    said = "was built by TensorRT 10.3.0, and this is TensorRT 10.16.1: it was built for NVIDIA A100; build it again"
    with pytest.raises(ModelError, match=said):
        Detector(engine)


@pytest.mark.usefixtures("world")
def test_an_engine_knows_its_names_and_runtime(
    tmp_path: Path, image: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    model = toy_network.build(tmp_path / "model.onnx", metadata={"names": "['fish', 'cat', 'dog']"})
    engine = build_engine(model, tmp_path / "model.trt")
    with Detector(engine) as detector:
        assert detector.names == ("fish", "cat", "dog")
        assert detector.detect(image) == Detector(model).detect(image)
    assert main(["info", str(engine)]) == 0
    lines = capsys.readouterr().out
    for fact in ("Pretend GPU, compute capability 8.9, 1.0 GiB", "TensorRT 10.16.1", "3: fish, cat, dog"):
        assert fact in lines


@pytest.mark.usefixtures("world")
def test_an_engine_is_run_by_what_built_it(
    tmp_path: Path, toy_model: Path, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, metadata = read_engine(build_engine(toy_model, tmp_path / "toy.engine"))
    with replacing(tmp_path / "rtx.engine") as file:
        of_rtx = {"backend": "tensorrt-rtx", "runtime": "TensorRT-RTX 1.7.1"}
        write_engine(file, bytes(plan), {**metadata, **of_rtx})
    rtx = ModuleType("tensorrt_rtx")
    rtx.__dict__.update(vars(sys.modules["tensorrt"]), __version__="1.7.1")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    with Detector(tmp_path / "rtx.engine") as detector:
        assert detector.backend.name == "tensorrt-rtx"
        assert detector.detect(image) == expected(toy_model, image, toy_network.SIZE)
    with pytest.raises(ModelError, match=r"is an engine of tensorrt-rtx, not of tensorrt: leave backend out"):
        Detector(tmp_path / "rtx.engine", backend="tensorrt")
