"""A real GPU, reached by pycuda or by cuda-python."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tensorrt_double import forget_backend
from yoloxfast import EngineError

if TYPE_CHECKING:
    from yoloxfast.tensorrt.cuda import Device

_opened: dict[str, Device] = {}
"""The GPU by each binding: kept, so that its primary context, which TensorRT may hold on to, is never released."""


def use_gpu(binding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the backend reach the GPU that way, or skip the test."""
    forget_backend()
    if binding == "cuda-python":
        monkeypatch.setitem(sys.modules, "pycuda", None)
    from yoloxfast.tensorrt.cuda import Device

    if binding in _opened:
        Device._known[0] = _opened[binding]  # noqa: SLF001
        return
    try:
        device = Device.numbered(0, extra="tensorrt")
    except (EngineError, ImportError) as error:
        pytest.skip(f"no GPU is at hand: {error}")
    if binding not in device.facts:
        pytest.skip(f"{binding} is not installed")
    _opened[binding] = device


def free_memory(binding: str) -> int:
    """Bytes that are free on the GPU."""
    with _opened[binding].current():
        if binding == "pycuda":
            import pycuda.driver as cuda

            free, _ = cuda.mem_get_info()
        else:
            from cuda.bindings import driver

            _, free, _ = driver.cuMemGetInfo()
    return int(free)
