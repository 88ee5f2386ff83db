"""`build_engine` with the double of TensorRT and its builder."""

from __future__ import annotations

from signal import SIGINT, pthread_kill
from threading import Event, main_thread
from time import sleep
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import helper

import tensorrt_builder_double as double
import toy_network
from tensorrt_builder_double import TIMINGS
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.tensorrt import build_engine
from yoloxfast.tensorrt.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pretend_machine import World


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where timings are kept."""
    monkeypatch.setenv("YOLOXFAST_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.mark.parametrize(
    "options", [{"batch": (1, 2, 4)}, {"batch": 3}, {"takes_bytes": True}, {"precision": "fp16"}], ids=str
)
def test_engines_as_they_are_built_find_the_same(
    world: World, tmp_path: Path, image: NDArray[np.uint8], options: Any
) -> None:
    model = toy_network.build(tmp_path / "model.onnx", hard_coded=True)
    engine = build_engine(model, tmp_path / "model.engine", workspace=2, **options)
    assert f"WORKSPACE {2 << 30}" in world.built
    profile = ":".join(map(str, options["batch"])) if isinstance(options.get("batch"), tuple) else None
    assert world.built[-1].endswith(f"profile {profile}")
    found, should = Detector(engine).detect(image), Detector(model).detect(image)
    assert len(found) > 0
    if "precision" in options:
        np.testing.assert_allclose(found.xyxy, should.xyxy, rtol=0, atol=0.5)
    else:
        assert found == should


def test_tensorrt_11_is_always_strongly_typed(
    world: World, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(double.NetworkDefinitionCreationFlag, "__members__", MappingProxyType({"STRONGLY_TYPED": 0}))
    build_engine(toy_model, tmp_path / "toy.engine")
    assert world.breaches == []


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("stored", [None, TIMINGS, b"those of another GPU"])
def test_timings_are_kept_for_the_next_build(
    toy_model: Path, tmp_path: Path, folder: Path, stored: bytes | None
) -> None:
    timings = folder / "TensorRT-10.16.1-Pretend-GPU,-compute-capability-8.9.timings"
    if stored is not None:
        folder.mkdir(0o700)
        timings.write_bytes(stored)
    build_engine(toy_model, tmp_path / "toy.engine")
    assert timings.read_bytes() == TIMINGS


@pytest.mark.usefixtures("world")
def test_what_the_parser_does_not_know_is_said(tmp_path: Path, toy_model: Path) -> None:
    model = onnx.load(toy_model)
    model.graph.node[-1].output[0] = "before"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1e9, np.float32), "large"))
    model.graph.node.append(helper.make_node("Mod", ["before", "large"], ["out0"], name="last", fmod=1))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"TensorRT 10.16.1 cannot parse .*: Mod last: UNSUPPORTED_NODE, the double"):
        build_engine(tmp_path / "model.onnx", tmp_path / "model.engine")


@pytest.mark.usefixtures("world")
def test_a_profile_that_is_refused_is_said(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(double.IBuilderConfig, "add_optimization_profile", lambda *_: -1)
    with pytest.raises(EngineError, match=r"TensorRT 10.16.1 could not take batches \(1, 2, 4\)"):
        build_engine(toy_model, tmp_path / "toy.engine", batch=(1, 2, 4))


@pytest.mark.usefixtures("world")
def test_a_build_that_breaks_is_cleared_away(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(builder: object, network: object, config: object) -> None:
        raise OSError(f"{builder} {network} {config}"[:5])

    monkeypatch.setattr(double.Builder, "build_serialized_network", build)
    with pytest.raises(OSError, match="<tens"):
        build_engine(toy_model, tmp_path / "toy.engine")


def test_ctrl_c_ends_a_build(world: World, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = Event()

    def cancel(progress: Progress) -> None:
        progress.is_cancelled = True
        cancelled.set()

    def build(builder: Any, *arguments: Any) -> Any:
        sleep(0.3)  # until the main thread waits
        for _ in range(2):
            pthread_kill(main_thread().ident or 0, SIGINT)
            sleep(0.1)
        assert cancelled.wait(10)
        return of_double(builder, *arguments)

    of_double = double.Builder.build_serialized_network
    monkeypatch.setattr(Progress, "cancel", cancel)
    monkeypatch.setattr(double.Builder, "build_serialized_network", build)
    with pytest.raises(KeyboardInterrupt):
        build_engine(toy_model, tmp_path / "toy.engine")
    assert world.built == [], "the double builds nothing once it is told to stop"
    assert list(tmp_path.glob("*.engine")) == []
