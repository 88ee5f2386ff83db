"""The TensorRT backend on a pretend GPU, which writes down every breach of the contract; not on a real one."""

from __future__ import annotations

import gc
import json
import re
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from golden import assert_same, options_of
from onnx_engine import engine_of
from pretend_driver import LAUNCH_FAILED, OUT_OF_MEMORY
from spans import most_running
from specification import expected
from yoloxfast import Detector, EngineError, MissingDependencyError, ModelError
from yoloxfast.cli import main
from yoloxfast.errors import how_to_install
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pretend_machine import World


def test_an_engine_finds_what_the_reference_finds(
    world: World, engine: Path, toy_model: Path, image: NDArray[np.uint8]
) -> None:
    with Detector(engine) as detector:
        assert detector.backend.name == "tensorrt"
        assert detector.input_size == toy_network.SIZE
        for part in (image, image[:50], image[:, :30], image):
            found = detector.detect(part)
            assert len(found) > 0
            assert found == expected(toy_model, part, toy_network.SIZE)
        assert world.live
    assert not world.live


@pytest.mark.parametrize(
    "variant",
    [
        {"dtype": np.float16},
        {"batch": "batch"},
        {"batch": 4},
        {"input_dtype": np.uint8},
        {"input_dtype": np.uint8, "channels_last": True},
    ],
    ids=str,
)
@pytest.mark.usefixtures("world")
def test_engines_are_taken_as_they_come(tmp_path: Path, variant: Any, image: NDArray[np.uint8]) -> None:
    model = toy_network.build(tmp_path / "model.onnx", **variant)
    with Detector(engine_of(model, tmp_path / "model.plan"), score_threshold=0.1) as detector:
        found = detector.detect(image)
        assert len(found) > 0
        assert found == expected(model, image, toy_network.SIZE, score_threshold=0.1)


@pytest.mark.usefixtures("world")
def test_any_thread_may_detect(engine: Path, image: NDArray[np.uint8]) -> None:
    images = [np.roll(image, 20 * number, axis=1) for number in range(16)]
    with Detector(engine) as detector:
        alone = [detector.detect(image) for image in images]
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(detector.detect, images * 4)) == alone * 4


@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_detections_of_eight_threads_on_coco_val_are_those_of_yolox(
    world: World, data: Path, tmp_path: Path, cuda_graphs: bool
) -> None:
    photos = json.loads((data / "golden/yolox_nano_416.json").read_text())
    engine = engine_of(data / "models/yolox_nano.onnx", tmp_path / "yolox_nano.engine")
    with (
        Detector(engine, cuda_graphs=cuda_graphs, **options_of("eval_0.3_0.45")) as detector,
        ThreadPoolExecutor(8) as threads,
    ):
        found = threads.map(lambda name: detector.detect(read_image(data / "coco_val/images" / name)), photos)
        for detections, golden in zip(found, photos.values(), strict=True):
            assert_same(detections, golden["eval_0.3_0.45"], pixels=0.01, score=1e-5)
    assert most_running(world.log) >= 2
    assert world.launches == cuda_graphs * len(photos)


def test_info_names_the_gpu_and_the_tensors(world: World, engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(engine)]) == 0
    lines = capsys.readouterr().out
    with Detector(engine) as detector:
        assert detector.backend.device == {
            "name": "Pretend GPU",
            "compute capability": "8.9",
            "memory": "1.0 GiB",
            "driver": "for CUDA 13.2",
            world.binding: {"pycuda": "2026.1", "cuda-python": "13.5.0"}[world.binding],
            "runtime": "TensorRT 10.16.1",
        }
    for fact in (
        "TensorRT 10.16.1",
        "Pretend GPU, compute capability 8.9, 1.0 GiB",
        "image (1, 3, 64, 96) float32",
        "out0 (1, 126, 8) float32",
    ):
        assert fact in lines


def peak_of(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("world")
def test_a_call_allocates_nothing_as_large_as_an_image_or_an_output(tmp_path: Path) -> None:
    model = toy_network.build(tmp_path / "model.onnx", size=(320, 320), num_classes=80)
    output = 2100 * 85 * 4
    with Detector(engine_of(model, tmp_path / "model.engine"), score_threshold=1) as detector:
        small, large = (np.zeros((side, side, 3), np.uint8) for side in (100, 2000))
        for image in (small, large):
            detector.detect(image)
        peaks = [peak_of(partial(detector.detect, image)) for image in (small, large)]
    assert abs(peaks[1] - peaks[0]) < 50_000
    assert max(peaks) < 1.5 * output, "the double's ONNX Runtime makes one, we none"


def test_two_runs_may_be_in_flight(world: World, engine: Path, image: NDArray[np.uint8]) -> None:
    with Detector(engine) as detector:
        network = detector.network
        with network.lend() as first, network.lend() as second:
            first.letterboxes[0](image)
            first.submit()
            second.letterboxes[0](image[:40])
            second.submit()
            outputs = [context.result().copy() for context in (first, second)]
            for context, part, output in zip((first, second), (image, image[:40]), outputs, strict=True):
                context.letterboxes[0](part)
                np.testing.assert_array_equal(context.run(), output)
    assert world.breaches == []


def test_a_run_is_done_when_it_was_waited_for(world: World, engine: Path, image: NDArray[np.uint8]) -> None:
    world.set("delay=20000")
    with Detector(engine) as detector, detector.network.lend() as context:
        context.letterboxes[0](image)
        context.submit()
        assert not context.is_done()
        world.fail("cuStreamQuery", LAUNCH_FAILED, times=1)
        assert context.is_done(), "a run that failed is over"
        assert not context.is_done()
        context.wait()
        assert context.is_done()
        assert np.isfinite(context.result()).all()


def test_a_closed_detector_says_so_and_lets_calls_under_way_end(
    world: World, engine: Path, image: NDArray[np.uint8]
) -> None:
    detector = Detector(engine)
    with detector.network.lend() as context:
        detector.close()
        context.letterboxes[0](image)
        assert np.isfinite(context.run()).all()
    assert not world.live
    detector.close()
    with pytest.raises(EngineError, match="the detector is closed"):
        detector.detect(image)


def test_a_detector_that_nobody_closes_is_closed_when_it_goes(world: World, engine: Path) -> None:
    detector = Detector(engine)
    assert world.live
    del detector
    gc.collect()
    assert not world.live


def test_what_is_still_open_at_exit_is_closed(world: World, engine: Path, image: NDArray[np.uint8]) -> None:
    detectors = [Detector(engine) for _ in range(3)]
    detectors[0].detect(image)
    sys.modules["yoloxfast.backends.network"]._close_all()  # noqa: SLF001
    assert not world.live


@pytest.mark.parametrize("refusal", ["context", "address", "execute"])
def test_what_the_runtime_refuses_is_an_error_in_its_words(world: World, engine: Path, refusal: str) -> None:
    world.refuses.add(refusal)
    words = "the double was told to refuse" if refusal == "execute" else "it gave no reason"
    with pytest.raises(EngineError, match=f"TensorRT 10.16.1 could not .*: {words}"):
        Detector(engine)


def test_a_run_that_fails_harms_no_later_one(world: World, engine: Path, image: NDArray[np.uint8]) -> None:
    with Detector(engine) as detector:
        alone = detector.detect(image)
        world.refuses.add("execute")
        with pytest.raises(EngineError, match="could not run the engine"):
            detector.detect(image[::-1])
        world.refuses.clear()
        assert detector.detect(image) == alone


def test_a_run_that_could_not_be_started_leaves_the_input_free(
    world: World, engine: Path, image: NDArray[np.uint8]
) -> None:
    world.set("delay=20000")
    with Detector(engine) as detector, detector.network.lend() as context:
        context.letterboxes[0](image)
        world.refuses.add("execute")
        with pytest.raises(EngineError, match="could not run the engine"):
            context.submit()
        context.letterboxes[0](image[::-1])


@pytest.mark.usefixtures("world")
def test_an_input_outside_the_profile_is_refused(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnx_engine.OnnxExecution.set_input_shape", lambda *_: False)
    with pytest.raises(EngineError, match=r"TensorRT 10.16.1 could not take an input of \(1, 3, 64, 96\): it gave no"):
        Detector(engine)


def test_too_little_memory_says_how_much_was_asked_for(world: World, engine: Path) -> None:
    message = r"out of memory: 73,728 bytes were asked for image \(1, 3, 64, 96\) float32: .*out of memory"
    world.set("memory=10000")
    with pytest.raises(EngineError, match=message):
        Detector(engine)
    world.set(f"memory={1 << 30}")
    world.fail("cuMemHostAlloc", OUT_OF_MEMORY)
    with pytest.raises(EngineError, match=message):
        Detector(engine)
    assert not world.live


def test_a_file_that_is_no_engine_is_refused(world: World, tmp_path: Path) -> None:
    path = tmp_path / "foreign.engine"
    path.write_bytes(b"something else")
    with pytest.raises(
        ModelError, match=r"foreign.engine is not an engine for TensorRT 10.16.1 on Pretend GPU: the plan"
    ):
        Detector(path)
    assert not world.live
    version = b"".join(b"\x02\x80\x01\x00" + bytes([number]) for number in (7, 2, 3, 4))
    path.write_bytes(b"ptrt" + bytes(20) + version + bytes(100))
    with pytest.raises(ModelError, match=r"its header says that version 7.2.3.4 wrote it"):
        Detector(path)


@pytest.mark.usefixtures("world")
def test_an_engine_that_is_no_yolox_is_refused(tmp_path: Path) -> None:
    no_head = toy_network.build(tmp_path / "model.onnx", strides=(8, 16))
    with pytest.raises(ModelError, match=r"model.engine: not a YOLOX head: found out0 \(1, 120, 8\)"):
        Detector(engine_of(no_head, tmp_path / "model.engine"))
    no_image = toy_network.build_tensor_input(tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"found x \(1, 10\) uint8; expected one input"):
        Detector(engine_of(no_image, tmp_path / "other.engine"))


@pytest.mark.usefixtures("world")
def test_options_of_other_runtimes_are_refused(engine: Path) -> None:
    with pytest.raises(ValueError, match="threads is 2, but TensorRT has no such option: leave it out"):
        Detector(engine, threads=2)
    with pytest.raises(ValueError, match=r"providers is .*, but TensorRT has no such option: leave it out"):
        Detector(engine, providers=["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="precision is 'fp16', but an engine's precision is fixed when it is built"):
        Detector(engine, precision="fp16")
    with pytest.raises(
        MissingDependencyError, match=re.escape(f"tensorrt_rtx is not installed: {how_to_install('tensorrt-rtx')}")
    ):
        Detector(engine, backend="tensorrt-rtx")


@pytest.mark.usefixtures("world")
def test_without_tensorrt_or_its_library_it_says_so(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        MissingDependencyError, match=re.escape(f"tensorrt is not installed: {how_to_install('tensorrt')}")
    ):
        Detector(engine)
    monkeypatch.delitem(sys.modules, "tensorrt")
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"tensorrt cannot be imported \(libnvinfer\.so\.10: cannot open"):
        Detector(engine)
