"""Engines on a GPU, by `pytest -m gpu -s`; and the same tests on a pretend one, so that they run on any machine.

With TensorRT or TensorRT-RTX they run real engines. "on the host" runs the network there, between real streams and
memory, which is what a GPU can show that TensorRT does not support. YOLOXFAST_SOAK_SECONDS is how long the run without
a leak takes: 600 by default, on the pretend GPU 1.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hosted_tensorrt
from average_precision import average_precision
from golden import assert_same, options_of, report
from locations import DEMO_GOLDEN
from onnx_engine import engine_of
from real_gpu import free_memory, use_gpu
from tensorrt_double import doubles, forget_backend, forget_runtime
from yoloxfast import Detector, EngineError
from yoloxfast.demo import draw_scene
from yoloxfast.media.images import read_image
from yoloxfast.models import DEMO_MODEL
from yoloxfast.tensorrt import build_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MODE = "eval_0.3_0.45"
THREADS = 8
SIZES = {"480p": (480, 640), "1080p": (1080, 1920), "4K": (2160, 3840)}


@dataclass
class Machine:
    """What engines run on here."""

    kind: str
    runtime: str
    folder: Path
    binding: str
    is_real: bool
    is_hosted: bool

    def engine(self, model: Path, **options: Any) -> Path:
        path = self.folder / f"{model.stem}{len(list(self.folder.iterdir()))}.engine"
        if self.is_hosted:
            return engine_of(model, path)
        return build_engine(model, path, runtime=self.runtime, **options)

    def free_memory(self) -> int:
        """Bytes that are free on the GPU."""
        return free_memory(self.binding) if self.is_real else 0


@pytest.fixture(
    params=[
        pytest.param((runs, on, binding), marks=[pytest.mark.gpu] if on == "gpu" else [])
        for on in ("gpu", "pretend gpu")
        for runs in ("engine", "on the host")
        for binding in ("pycuda", "cuda-python")
    ],
    ids=", ".join,
)
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    runs, on, binding = request.param
    runtime, set_module = "tensorrt", partial(monkeypatch.setitem, sys.modules)
    with ExitStack() as stack:
        if on == "gpu":
            use_gpu(binding, monkeypatch)
        else:
            stack.enter_context(doubles(set_module, binding))
        if runs == "on the host":
            forget_runtime()
            hosted_tensorrt.install(set_module)
        elif on == "gpu" and find_spec("tensorrt") is None:
            pytest.importorskip("tensorrt_rtx_bindings", reason="neither TensorRT nor TensorRT-RTX is installed")
            runtime = "tensorrt-rtx"
        yield Machine(
            ", ".join(request.param), runtime, tmp_path, binding, is_real=on == "gpu", is_hosted=runs == "on the host"
        )
        forget_backend()


@pytest.fixture
def scenes() -> list[NDArray[np.uint8]]:
    return [draw_scene(seed).image for seed in range(2 * THREADS)]


def test_the_demo_network_finds_its_golden_detections(machine: Machine) -> None:
    golden = json.loads(DEMO_GOLDEN.read_text())["scenes"]
    with Detector(machine.engine(DEMO_MODEL), **options_of(MODE)) as detector:
        print(detector.backend.device)
        differences = [
            assert_same(detector.detect(draw_scene(int(seed)).image), facts[MODE], pixels=0.05, score=1e-4)
            for seed, facts in golden.items()
        ]
    report(f"demo network, {machine.kind}", differences)


def test_detections_on_coco_val_are_those_of_yolox(machine: Machine, data: Path) -> None:
    photos = json.loads((data / "golden/yolox_nano_416.json").read_text())
    engine = machine.engine(data / "models/yolox_nano.onnx")
    with Detector(engine, **options_of(MODE)) as detector, ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(lambda name: detector.detect(read_image(data / "coco_val/images" / name)), photos)
        differences = [
            assert_same(detections, golden[MODE], pixels=0.05, score=1e-4)
            for detections, golden in zip(found, photos.values(), strict=True)
        ]
    report(f"yolox-nano on coco_val, {machine.kind}", differences)


def test_half_precision_keeps_average_precision(machine: Machine, data: Path) -> None:
    if machine.is_hosted or not machine.is_real:
        pytest.skip("for ONNX Runtime tests/export/test_graph.py asks the same")
    truth = json.loads((data / "coco_val/annotations.json").read_text())
    found = []
    for precision in ("fp32", "fp16"):
        engine = machine.engine(data / "models/yolox_nano.onnx", precision=precision)
        with Detector(engine, score_threshold=0.001, iou_threshold=0.65) as detector:
            results: list[dict[str, Any]] = []
            for photo in truth["images"]:
                image = read_image(data / "coco_val/images" / photo["file_name"])
                results += detector.detect(image).to_coco(photo["id"])
        found.append(average_precision(truth, results))
    print(f"{machine.kind}: FP32 {found[0]}, FP16 {found[1]}")
    assert found[0].ap - found[1].ap <= 0.002


def test_threads_find_what_one_finds(machine: Machine, scenes: list[NDArray[np.uint8]]) -> None:
    with Detector(machine.engine(DEMO_MODEL)) as detector, ThreadPoolExecutor(THREADS) as threads:
        alone = [detector.detect(scene) for scene in scenes]
        assert list(threads.map(detector.detect, scenes * 20)) == alone * 20


@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_streams_and_batches_find_what_each_image_finds(
    machine: Machine, scenes: list[NDArray[np.uint8]], cuda_graphs: bool
) -> None:
    if cuda_graphs and machine.is_hosted:
        pytest.skip("what the host does cannot be recorded")
    if cuda_graphs and machine.is_real:
        pytest.importorskip("cuda.bindings", reason="cuda-python is not installed")
    with Detector(machine.engine(DEMO_MODEL), cuda_graphs=cuda_graphs) as detector:
        alone = [detector.detect(scene) for scene in scenes]
        ways: list[Any] = [detector.stream, detector.detect_batch] * 2
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(lambda way: list(way(scenes * 10)), ways):
                assert found == alone * 10
        rounds = 50 if machine.is_real else 2
        for name, way in (("one by one", lambda frames: map(detector.detect, frames)), ("stream", detector.stream)):
            began = perf_counter()
            assert list(way(scenes * rounds)) == alone * rounds
            seconds = (perf_counter() - began) / (rounds * len(scenes))
            print(f"{machine.kind}, CUDA graphs {cuda_graphs}, {name}: {1e6 * seconds:.0f} us an image")


def test_cuda_graphs_find_the_same(machine: Machine, scenes: list[NDArray[np.uint8]]) -> None:
    if machine.is_hosted:
        pytest.skip("what the host does cannot be recorded")
    if machine.is_real:
        pytest.importorskip("cuda.bindings", reason="cuda-python is not installed")
    engine = machine.engine(DEMO_MODEL)
    with Detector(engine) as plain, Detector(engine, cuda_graphs=True) as recorded:
        for scene in scenes:
            assert recorded.detect(scene) == plain.detect(scene)


def test_torch_in_the_same_process_keeps_working(machine: Machine, scenes: list[NDArray[np.uint8]]) -> None:
    if not machine.is_real:
        pytest.skip("torch asks more of a GPU than the pretend one can do")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")

    def multiply() -> float:
        return float((torch.ones(512, 512, device="cuda") @ torch.ones(512, 512, device="cuda")).sum())

    expected = multiply()
    with Detector(machine.engine(DEMO_MODEL)) as detector, ThreadPoolExecutor(4) as threads:
        alone = [detector.detect(scene) for scene in scenes]
        products = [threads.submit(multiply) for _ in range(50)]
        assert list(threads.map(detector.detect, scenes)) == alone
        assert multiply() == expected
        assert {product.result() for product in products} == {expected}
    assert multiply() == expected


def test_a_forked_child_is_told_so(machine: Machine, scenes: list[NDArray[np.uint8]]) -> None:
    with Detector(machine.engine(DEMO_MODEL)) as detector:
        detector.detect(scenes[0])
        child = os.fork()
        if child == 0:
            status = 1
            with suppress(BaseException):
                try:
                    detector.detect(scenes[0])
                except EngineError as error:
                    status = 0 if "CUDA does not survive a fork" in str(error) else 2
            os._exit(status)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert len(detector.detect(scenes[0])) > 0


def test_a_process_that_closes_nothing_ends_well(machine: Machine) -> None:
    if not machine.is_real or machine.is_hosted:
        pytest.skip("on the pretend GPU tests/tensorrt/test_bindings.py asks the same")
    engine = machine.engine(DEMO_MODEL)
    code = f"""
import yoloxfast
from yoloxfast.demo import draw_scene
detector = yoloxfast.Detector({str(engine)!r})
print(len(detector.detect(draw_scene(1).image)))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout) > 0


def test_a_long_run_leaks_nothing(machine: Machine, scenes: list[NDArray[np.uint8]]) -> None:
    """A third of the time warms up: after it neither the process nor what is taken of the GPU grows."""
    seconds = float(os.environ.get("YOLOXFAST_SOAK_SECONDS", "600" if machine.is_real else "1"))
    engine = machine.engine(DEMO_MODEL)
    began, runs = monotonic(), 0
    free, largest = None, 0
    while monotonic() - began < seconds:
        with Detector(engine) as detector, ThreadPoolExecutor(THREADS) as threads:
            runs += len(list(threads.map(detector.detect, scenes * 10)))
        if free is None and monotonic() - began > seconds / 3:
            free, largest = machine.free_memory(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert free is not None
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - largest
    taken = free - machine.free_memory()
    print(f"{machine.kind}: {runs} runs in {seconds:.0f} s, the process grew by {grown} KiB, {taken} bytes of the GPU")
    assert taken <= 0
    assert grown < 20_000


def time_of(call: Callable[[], object], rounds: int) -> float:
    """Median time of a call, in ms."""
    times = []
    for _ in range(rounds):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    return 1e3 * median(times[rounds // 6 :])


def test_timing_table(machine: Machine) -> None:
    """Printed, not judged; each detector finds the same number of shapes."""
    variants: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {"as exported": ({}, {})}
    if not machine.is_hosted:
        variants |= {
            "fp16": ({"precision": "fp16"}, {}),
            "fp16, uint8 input": ({"precision": "fp16", "takes_bytes": True}, {}),
            "fp16, uint8 input, CUDA graph": ({"precision": "fp16", "takes_bytes": True}, {"cuda_graphs": True}),
        }
    if machine.is_real and find_spec("cuda") is None:
        del variants["fp16, uint8 input, CUDA graph"]
    rows, rounds = [], 300 if machine.is_real else 3
    for name, (built, opened) in variants.items():
        with Detector(machine.engine(DEMO_MODEL, **built), **opened) as detector:
            counts = set()
            for size, (height, width) in SIZES.items():
                scene = draw_scene(5).image
                image = np.resize(scene, (height, width, 3))
                with detector.network.lend() as context:
                    letterbox = time_of(partial(context.letterboxes[0], image), rounds)
                    run = time_of(context.run, rounds)
                rows.append((name, size, letterbox, run, time_of(partial(detector.detect, image), rounds)))
                counts.add(len(detector.detect(scene)))
            assert len(counts) == 1
            assert counts != {0}
    print(f"\n{machine.kind}: demo network, ms\n{'':32}{'frame':>7}{'letterbox':>11}{'run':>9}{'detect':>9}")
    for name, size, *times in rows:
        print(f"{name:32}{size:>7}{times[0]:11.3f}{times[1]:9.3f}{times[2]:9.3f}")
