"""ONNX graphs, and what is changed in them: their batch, the dtype of their input, and of all else."""

from __future__ import annotations

from yoloxfast.export.conversion import Conversion, checked_graph
from yoloxfast.export.graph import digest_of

__all__ = ["Conversion", "checked_graph", "digest_of"]
