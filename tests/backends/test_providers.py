"""Execution providers of ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime as ort
import pytest

from specification import expected
from yoloxfast import Detector, EngineError, ModelError
from yoloxfast.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Made = list[tuple[str, dict[str, Any]]]

CPU, CUDA, OTHER = "CPUExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider"
SIZE = (64, 96)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """An ONNX Runtime for GPUs, whose sessions run on the CPU; and the providers that it was asked for."""
    asked: Made = []

    class Session(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, model: Path, options: Any, *, providers: Made, enable_fallback: int) -> None:
            assert enable_fallback == 0
            if providers[0][0] == "DmlExecutionProvider" and "broken" in providers[0][1]:
                raise RuntimeError("its libraries are not there")
            asked[:] = providers
            super().__init__(model, options, providers=[CPU])

        def get_providers(self) -> list[str]:
            return [name for name, _ in asked if name != "CoreMLExecutionProvider"] or [CPU]

    monkeypatch.setattr(ort, "InferenceSession", Session)
    names = [CUDA, "DmlExecutionProvider", "CoreMLExecutionProvider", CPU]
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)
    return asked


def test_the_cpu_is_the_default(toy_model: Path, made: Made) -> None:
    with Detector(toy_model) as detector:
        assert made == [(CPU, {})]
        assert detector.backend.device["providers"] == CPU


@pytest.mark.parametrize(
    ("providers", "device", "asked"),
    [
        ([CUDA], 0, [(CUDA, {"device_id": 0})]),
        ([CUDA, CPU], 1, [(CUDA, {"device_id": 1}), (CPU, {})]),
        ((name for name in (CUDA,)), 2, [(CUDA, {"device_id": 2})]),
        (
            [(CUDA, {"cudnn_conv_algo_search": "DEFAULT"})],
            1,
            [(CUDA, {"device_id": 1, "cudnn_conv_algo_search": "DEFAULT"})],
        ),
        ([("DmlExecutionProvider", {})], 3, [("DmlExecutionProvider", {"device_id": 3})]),
    ],
    ids=str,
)
def test_providers_and_their_options_reach_onnx_runtime(
    toy_model: Path, image: NDArray[np.uint8], made: Made, providers: Any, device: int, asked: Made
) -> None:
    parts = [image, image[:40], image[::-1]]
    with Detector(toy_model) as detector:
        alone = [detector.detect(part) for part in parts]
    with Detector(toy_model, providers=providers, device=device) as detector:
        assert made == asked
        assert detector.backend.device["providers"] == ", ".join(name for name, _ in asked)
        assert [detector.detect(part) for part in parts] == alone


@pytest.mark.usefixtures("made")
def test_info_says_which_provider_runs(toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(toy_model), "--providers", f"{CUDA},{CPU}", "--device", "1"]) == 0
    assert f"{CUDA}, {CPU}" in capsys.readouterr().out


@pytest.mark.skipif(OTHER not in ort.get_available_providers(), reason=f"this ONNX Runtime has no {OTHER}")
def test_a_real_session_with_another_provider_finds_the_same(toy_model: Path, image: NDArray[np.uint8]) -> None:
    with Detector(toy_model, providers=[OTHER, CPU]) as detector:
        assert detector.backend.device["providers"] == f"{OTHER}, {CPU}"
        for part in (image, image[:40], image):
            assert detector.detect(part) == expected(toy_model, part, SIZE)


@pytest.mark.usefixtures("made")
def test_a_provider_that_fails_is_told_from_a_model_that_is_none(toy_model: Path, tmp_path: Path) -> None:
    broken: Any = [("DmlExecutionProvider", {"broken": True})]
    with pytest.raises(EngineError, match=r"cannot load .*toy.onnx for DmlExecutionProvider: its libraries are not"):
        Detector(toy_model, providers=broken)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match=r"text.onnx is not a model that ONNX Runtime can load"):
        Detector(tmp_path / "text.onnx", providers=broken)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"providers": ["TensorrtExecutionProvider"]},
            ValueError,
            rf"provider 'TensorrtExecutionProvider' is not in this ONNX Runtime, which has {CUDA}, Dml",
        ),
        ({"providers": []}, ValueError, "providers is empty, expected some of CUDAExecutionProvider"),
        ({"providers": CUDA}, TypeError, rf"providers must be a list, got '{CUDA}': pass \['{CUDA}'\]"),
        ({"providers": 5}, TypeError, "providers must be a list, got 5"),
        ({"providers": [5]}, TypeError, r"a provider is a name, or \(name, options\), got 5"),
        ({"providers": [CPU], "device": 1}, ValueError, f"device is 1, but {CPU} does not take the number of a GPU"),
        ({"device": 1}, ValueError, f"device is 1, but {CPU} does not take the number of a GPU"),
        ({"device": "GPU"}, TypeError, "device must be the number of a GPU for ONNX Runtime, got 'GPU'"),
        ({"providers": [CUDA], "device": -1}, ValueError, "device is -1, expected the number of a GPU, from 0 on"),
        (
            {"providers": ["CoreMLExecutionProvider", CPU]},
            EngineError,
            "ONNX Runtime could not load CoreMLExecutionProvider, and would run on CPUExecutionProvider instead",
        ),
    ],
)
def test_bad_providers_are_refused(
    toy_model: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Detector(toy_model, **options)
