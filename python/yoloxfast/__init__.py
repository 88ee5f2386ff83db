"""YOLOX object detection whose host side costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yoloxfast._core import __version__
from yoloxfast.classes import ALL_CLASSES
from yoloxfast.detections import Detection, Detections
from yoloxfast.detector import Detector
from yoloxfast.errors import EngineError, MissingDependencyError, ModelError
from yoloxfast.letterbox import Letterbox, letterbox, letterbox_batch
from yoloxfast.nms import nms
from yoloxfast.postprocess import PostProcessor

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "ALL_CLASSES",
    "Detection",
    "Detections",
    "Detector",
    "EngineError",
    "Letterbox",
    "MissingDependencyError",
    "ModelError",
    "PostProcessor",
    "__version__",
    "letterbox",
    "letterbox_batch",
    "nms",
]


def __getattr__(name: str) -> ModuleType:
    """Import `yoloxfast.reference` when it is first asked for: it needs OpenCV."""
    if name == "reference":
        from importlib import import_module

        return import_module("yoloxfast.reference")
    raise AttributeError(f"module 'yoloxfast' has no attribute {name!r}")
