"""Engines of several outputs, in every form of a YOLOX network, on a pretend GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest

from forms import BOX_FORMS, ROW_FORMS
from onnx_engine import engine_of
from yoloxfast import Detector
from yoloxfast.demo import draw_scene
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from pretend_machine import World

FORMS = {name: form for name, form in (ROW_FORMS | BOX_FORMS).items() if name != "NonMaxSuppression"}
"""All but those whose length varies: TensorRT does not say the shape of their output before a run."""


@pytest.mark.parametrize("name", FORMS)
def test_an_engine_of_any_form_finds_what_its_network_finds(name: str, world: World, tmp_path: Path) -> None:
    form = FORMS[name]
    onnx.save(form.edit(onnx.load(DEMO_MODEL)), tmp_path / "form.onnx")
    needs: dict[str, Any] = {"num_classes": 8} if "num_classes" in form.needs else {}
    images = [draw_scene(seed).image for seed in (3000, 3001)]
    with Detector(tmp_path / "form.onnx", **needs) as network:
        names = network.names
        expected = [network.detect(image) for image in images]
    assert len(expected[0]) > 0
    with Detector(engine_of(tmp_path / "form.onnx", tmp_path / "form.engine"), names=names, **needs) as detector:
        assert [detector.detect(image) for image in images] == expected
        assert detector.detect_batch(images) == expected
        assert list(detector.stream(images)) == expected
    assert not world.live
