"""CUDA graphs, which always need cuda-python, on the pretend driver."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pretend_driver import STREAM_CAPTURE_UNSUPPORTED
from yoloxfast import Detector, EngineError, MissingDependencyError
from yoloxfast.errors import how_to_install

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pretend_machine import World


def test_cuda_graphs_find_the_same(world: World, engine: Path, image: NDArray[np.uint8]) -> None:
    images = [np.roll(image, 20 * number, axis=1) for number in range(8)]
    with Detector(engine) as detector:
        alone = [detector.detect(image) for image in images]
    assert world.launches == 0
    with Detector(engine, cuda_graphs=True) as detector, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(detector.detect, images)) == alone
    assert world.launches == len(images)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            "cuStreamBeginCapture",
            "CUDA graphs cannot be used here: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, .*; leave cuda_graphs out",
        ),
        ("graph", "TensorRT 10.16.1 could not run the engine"),
    ],
)
def test_what_cannot_be_recorded_is_said(world: World, engine: Path, refusal: str, message: str) -> None:
    world.refuses.add(refusal)
    if refusal != "graph":
        world.fail(refusal, STREAM_CAPTURE_UNSUPPORTED)
    with pytest.raises(EngineError, match=message):
        Detector(engine, cuda_graphs=True)
    assert not world.live


def test_a_context_that_could_not_be_recorded_is_not_used_again(
    world: World, engine: Path, image: NDArray[np.uint8]
) -> None:
    with Detector(engine, cuda_graphs=True) as detector:
        alone = detector.detect(image)
        with detector.network.lend():
            world.fail("cuStreamBeginCapture", STREAM_CAPTURE_UNSUPPORTED)
            with pytest.raises(EngineError, match="CUDA graphs cannot be used here"):
                detector.detect(image)
            world.mend("cuStreamBeginCapture")
            assert detector.detect(image) == alone
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(detector.detect, [image] * 8)) == [alone] * 8


@pytest.mark.parametrize("world", ["pycuda"], indirect=True)
@pytest.mark.usefixtures("world")
def test_without_cuda_python_it_says_what_to_install(
    engine: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="cuda_graphs is True, but ONNX Runtime has no such option"):
        Detector(toy_model, cuda_graphs=True)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(
        MissingDependencyError, match=re.escape(f"cuda-python is not installed: {how_to_install('cuda-python')}")
    ):
        Detector(engine, cuda_graphs=True)
