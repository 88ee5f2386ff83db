"""A small YOLOX of the project's own, and the scenes that it was trained on.

`Detector("demo")` loads it, `yoloxfast demo` shows it, and training/ in the repository trains it.
"""

from __future__ import annotations

from yoloxfast.demo.scenes import Scene, draw_scene
from yoloxfast.demo.shapes import CLASSES

__all__ = ["CLASSES", "Scene", "draw_scene"]
