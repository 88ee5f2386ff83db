"""What every runtime's contexts do: batches, several runs in flight, lending and closing."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.backends import open_network
from yoloxfast.backends.tensors import ANY_BATCH, Batches, BatchRange

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from yoloxfast.backends import Network

BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name)
    return name


@pytest.fixture
def images(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.roll(image, 20 * number, axis=1) for number in range(6)]


def raw_of(network: Network, images: list[NDArray[np.uint8]]) -> NDArray[Any]:
    """Run images in one batch; return the raw outputs of each."""
    with network.lend(len(images)) as context:
        for letterbox, image in zip(context.letterboxes, images, strict=False):
            letterbox(image)
        return context.run()[: len(images)].copy()


def test_a_batch_gives_what_its_images_give_alone(
    tmp_path: Path, backend: str, images: list[NDArray[np.uint8]]
) -> None:
    network = open_network(toy_network.build(tmp_path / "any.onnx", batch="batch"), backend=backend)
    assert str(network.batches) == "any"
    alone = [raw_of(network, [image])[0] for image in images]
    for count in (1, 2, 5, 6):
        found = raw_of(network, images[:count])
        assert len(found) == count
        np.testing.assert_allclose(found, alone[:count], rtol=0, atol=1e-5)


def test_a_fixed_batch_is_filled_up(tmp_path: Path, backend: str, images: list[NDArray[np.uint8]]) -> None:
    network = open_network(toy_network.build(tmp_path / "four.onnx", batch=4), backend=backend)
    assert str(network.batches) == "4"
    alone = np.stack([raw_of(network, [image])[0] for image in images])
    for wanted in (1, 3, 4):
        np.testing.assert_allclose(raw_of(network, images[:wanted]), alone[:wanted], rtol=0, atol=1e-5)
    with network.lend(9) as context:
        assert len(context.images) == len(context.letterboxes) == 4


@pytest.mark.parametrize(
    ("batches", "images", "batch", "index"),
    [
        (Batches([BatchRange(4, 4, 4)]), 1, 4, 0),
        (Batches([BatchRange(4, 4, 4)]), 9, 4, 0),
        (Batches([ANY_BATCH]), 7, 7, 0),
        (Batches([BatchRange(1, 4, 8)]), 3, 3, 0),
        (Batches([BatchRange(1, 4, 8)]), 20, 8, 0),
        (Batches([BatchRange(2, 4, 8)]), 1, 2, 0),
        (Batches([BatchRange(1, 1, 1), BatchRange(8, 8, 8)]), 1, 1, 0),
        (Batches([BatchRange(1, 1, 1), BatchRange(8, 8, 8)]), 2, 8, 1),
        (Batches([BatchRange(1, 8, 8), BatchRange(1, 1, 4)]), 1, 1, 1),
        (Batches([BatchRange(1, 8, 8), BatchRange(1, 1, 4)]), 3, 3, 1),
        (Batches([BatchRange(1, 8, 8), BatchRange(1, 1, 4)]), 7, 7, 0),
    ],
)
def test_the_best_fit_is_taken(batches: Batches, images: int, batch: int, index: int) -> None:
    assert batches.fit(images) == batch
    assert batches.range_of(batch) == index


def test_batches_say_what_they_are() -> None:
    ranges = Batches([BatchRange(1, 1, 1), BatchRange(2, 4, 8)])
    assert (str(ranges), ranges.least, ranges.largest) == ("1 or 2 to 8 (best 4)", 1, 8)


def test_runs_in_flight_do_not_meet(toy_model: Path, backend: str, images: list[NDArray[np.uint8]]) -> None:
    network = open_network(toy_model, backend=backend)
    alone = [raw_of(network, [image])[0] for image in images]
    contexts = [network.acquire() for _ in images]
    for _ in range(20):
        for context, image in zip(contexts, images, strict=True):
            context.letterboxes[0](image)
            context.submit()
        for context, raw in zip(contexts, alone, strict=True):
            np.testing.assert_array_equal(context.result()[0], raw)
    for context in contexts:
        network.release(context)
    network.close()


def test_a_run_that_nobody_waited_for_harms_no_later_one(
    toy_model: Path, backend: str, images: list[NDArray[np.uint8]]
) -> None:
    network = open_network(toy_model, backend=backend)
    expected = raw_of(network, images[:1])
    for _ in range(50):
        with network.lend() as context:
            context.letterboxes[0](images[1])
            context.submit()
        np.testing.assert_array_equal(raw_of(network, images[:1]), expected)


def test_contexts_of_few_batches_are_kept(tmp_path: Path, backend: str) -> None:
    network = open_network(toy_network.build(tmp_path / "any.onnx", batch="batch"), backend=backend)
    watched = []
    for count in range(1, 12):
        with network.lend(count) as context:
            watched.append(weakref.ref(context))
    del context
    gc.collect()
    assert [count for count, context in enumerate(watched, 1) if context() is not None] == [8, 9, 10, 11]
    with network.lend(11) as context:
        assert context is watched[-1]()


def test_closing_lets_runs_under_way_end(toy_model: Path, backend: str, image: NDArray[np.uint8]) -> None:
    network = open_network(toy_model, backend=backend)
    expected = raw_of(network, [image])
    with network.lend() as context:
        context.letterboxes[0](image)
        context.submit()
        network.close()
        np.testing.assert_array_equal(context.result(), expected)
    with pytest.raises(EngineError, match="the detector is closed"):
        network.acquire()
    network.close()


def test_many_threads_close_while_others_run(toy_model: Path, backend: str, image: NDArray[np.uint8]) -> None:
    for _ in range(5):
        detector = Detector(toy_model, backend=backend)
        alone = detector.detect(image)

        def work(number: int, detector: Detector = detector) -> object:
            if number % 8 == 7:
                detector.close()
            try:
                return detector.detect(image)
            except EngineError as error:
                return str(error)

        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(work, range(64)))
        assert all(result in (alone, "the detector is closed") for result in results)


FORKING = """
import gc, os, sys
import numpy as np
import yoloxfast
from yoloxfast.demo import draw_scene
detector = yoloxfast.Detector("demo", backend=sys.argv[1])
image = draw_scene(3).image
alone = detector.detect(image)
assert len(alone) > 0
with detector.network.lend() as context:
    context.letterboxes[0](image)
    context.submit()
    raw = context.result().copy()
if "before" in sys.argv:
    assert list(detector.stream([image] * 9)) == [alone] * 9
child = os.fork()
if child == 0:
    assert detector.detect(image) == alone
    assert list(detector.stream([image] * 9)) == [alone] * 9
    assert detector.detect_batch([image] * 5) == [alone] * 5
    with detector.network.lend() as first, detector.network.lend() as second:
        for context in (first, second):
            context.letterboxes[0](image)
            context.submit()
        for context in (first, second):
            np.testing.assert_array_equal(context.result(), raw)
    detector.close()
    del detector, context, first, second
    gc.collect()
    print("child", flush=True)
    os._exit(0)  # as multiprocessing does: ONNX Runtime itself waits forever where a fork exits otherwise
assert os.waitpid(child, 0)[1] == 0
assert detector.detect(image) == alone
print("parent")
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system does not fork")
@pytest.mark.parametrize("streams", ["before", "only in the fork"])
def test_a_forked_process_goes_on_and_ends(backend: str, streams: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING, backend, streams]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "child\nparent\n"), done.stderr


def test_what_is_not_a_yolox_is_refused_by_every_runtime(tmp_path: Path, backend: str) -> None:
    no_image = toy_network.build_tensor_input(tmp_path / "other.onnx")
    with pytest.raises(
        ModelError, match=r"other.onnx: not the input of a YOLOX: found x \(1, 10\) uint8; expected one"
    ):
        Detector(no_image, backend=backend)
    no_head = toy_network.build(tmp_path / "model.onnx", strides=(8, 16))
    with pytest.raises(ModelError, match=r"model.onnx: not a YOLOX head: found out0 \(1, 120, 8\)"):
        Detector(no_head, backend=backend)
    any_size = toy_network.build(tmp_path / "size.onnx", size=("height", "width"))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"takes any height and width: pass input_size=\(height, width\)"):
        Detector(any_size, backend=backend)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match=r"text.onnx is not a model that \w+ ?\w* can load"):
        Detector(tmp_path / "text.onnx", backend=backend)
