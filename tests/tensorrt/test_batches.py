"""Contexts of engines for several images: each profile serves its batches, the rest is filled up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import toy_network
from onnx_engine import PROFILE, engine_of
from yoloxfast import Detector

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pretend_machine import World
    from yoloxfast.backends import Network

SIZE = toy_network.SIZE


def engine_with(tmp_path: Path, profiles: str) -> Path:
    model = toy_network.build(tmp_path / "any.onnx", batch="batch", metadata={PROFILE: profiles})
    return engine_of(model, tmp_path / "any.engine")


def raw_of(network: Network, images: list[NDArray[np.uint8]]) -> NDArray[Any]:
    with network.lend(len(images)) as context:
        for letterbox, image in zip(context.letterboxes, images, strict=False):
            letterbox(image)
        return context.run()[: len(images)].copy()


@pytest.mark.parametrize("cuda_graphs", [False, True])
@pytest.mark.parametrize(
    ("profiles", "batches"),
    [
        ("1:4:8", {1: 1, 3: 3, 8: 8, 9: 8}),
        ("2:4:8", {1: 2, 2: 2}),
        ("1:1:1 4:8:8", {1: 1, 2: 4, 5: 5, 20: 8}),
        ("8:8:8 1:1:1", {1: 1, 2: 8}),
    ],
)
def test_images_run_in_the_batch_that_fits_best(
    world: World,
    tmp_path: Path,
    image: NDArray[np.uint8],
    profiles: str,
    batches: dict[int, int],
    cuda_graphs: bool,
) -> None:
    images = [np.roll(image, 20 * number, axis=1) for number in range(8)]
    with Detector(engine_with(tmp_path, profiles), cuda_graphs=cuda_graphs) as detector:
        network = detector.network
        alone = [raw_of(network, [image])[0] for image in images]
        for count, batch in batches.items():
            with network.lend(count) as context:
                assert context.images.shape == (batch, 3, *SIZE)
            found = raw_of(network, images[:count])
            np.testing.assert_allclose(found, alone[: len(found)], rtol=0, atol=1e-5)
    assert not world.live


@pytest.mark.usefixtures("world")
def test_a_profile_of_another_size_is_left_out(
    tmp_path: Path, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_with(tmp_path, "1:1:1 4:4:4 2:2:2")

    def profile_shape(_: object, __: str, profile: int) -> list[tuple[int, ...]]:
        batch, scale = {0: (1, 1), 1: (4, 2), 2: (2, 1)}[profile]
        return [(batch, 3, SIZE[0] * scale, SIZE[1] * scale)] * 3

    monkeypatch.setattr("onnx_engine.OnnxEngine.get_tensor_profile_shape", profile_shape)
    with Detector(engine) as detector:
        assert str(detector.network.batches) == "1 or 2"
        alone = raw_of(detector.network, [image])
        np.testing.assert_allclose(raw_of(detector.network, [image] * 2)[1:], alone, rtol=0, atol=1e-5)


def test_a_profile_that_is_refused_is_an_error(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with(tmp_path, "1:1:1 4:4:4")
    monkeypatch.setattr("onnx_engine.OnnxExecution.set_optimization_profile_async", lambda *_: False)
    with Detector(engine) as detector:
        with pytest.raises(Exception, match="could not take optimization profile 1: it gave no reason"):
            detector.network.acquire(4)
        assert world.breaches == []
