"""Fixtures: toy networks for every clone, real models and photos where they are at hand."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import toy_network
import yoloxfast
from leftovers import assert_threads_end, running_threads
from locations import DATA
from onnx_engine import engine_of
from pretend_machine import new_world, switch_off
from tensorrt_double import doubles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pretend_machine import World

    Images = list[NDArray[np.uint8]]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real models, photos and golden detections."""
    if not DATA.is_dir():
        pytest.skip(f"real models and photos are not at hand: no folder {DATA} (YOLOXFAST_DATA names another)")
    return DATA


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_network.build(tmp_path_factory.mktemp("toy") / "toy.onnx")


@pytest.fixture
def toy_detector(toy_model: Path) -> Iterator[yoloxfast.Detector]:
    with yoloxfast.Detector(toy_model, threads=1) as detector:
        yield detector


@pytest.fixture(params=["pycuda", "cuda-python"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A pretend GPU, reached first by the real pycuda, then by the real cuda-python, and a double of TensorRT."""
    with doubles(lambda name, module: monkeypatch.setitem(sys.modules, name, module), request.param) as world:
        yield world


@pytest.fixture
def world_to_break() -> Iterator[World]:
    """A pretend GPU for the real cuda-python; unlike `world`, it may end with rules broken and memory not freed."""
    yield new_world("cuda-python")
    gc.collect()
    switch_off()


@pytest.fixture
def engine(toy_model: Path, tmp_path: Path) -> Path:
    """A toy network in an engine of the double."""
    return engine_of(toy_model, tmp_path / "toy.engine")


@pytest.fixture
def image() -> NDArray[np.uint8]:
    """Blocks of colour, so that cells differ."""
    blocks = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)
    return np.kron(blocks, np.ones((20, 20, 1), np.uint8))


@pytest.fixture
def images(image: NDArray[np.uint8]) -> Images:
    """Eleven different images of different sizes."""
    return [np.roll(image, 20 * number, axis=1)[: 120 - 3 * number, : 180 - 5 * number] for number in range(11)]


@pytest.fixture
def photos(tmp_path: Path, image: NDArray[np.uint8]) -> Path:
    """A folder with images in it and below it, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "more/a.png")):
        cv2.imwrite(str(folder / name), np.roll(image, 20 * number, axis=1))
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(params=list(product(("onnxruntime", "openvino"), (1, 4, "batch"))), ids=str)
def detector(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[yoloxfast.Detector]:
    backend, batch = request.param
    pytest.importorskip(backend)
    model = toy_network.build(tmp_path / "model.onnx", batch=batch)
    with yoloxfast.Detector(model, backend=backend, score_threshold=0.3) as detector:
        yield detector


@pytest.fixture
def _no_thread_is_left() -> Iterator[None]:
    with suppress(ImportError):
        import_module("openvino")  # which has a thread of its own
    before = running_threads()
    yield
    assert_threads_end(before)
