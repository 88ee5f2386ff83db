from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOX_COLUMNS", "LEVEL", "SCORE_LIMIT", "PostProcessor", "__version__", "count_anchors", "letterbox", "nms"]

BOX_COLUMNS: int
LEVEL: str
SCORE_LIMIT: float
__version__: str

@final
class PostProcessor:
    def __new__(cls, height: int, width: int, num_classes: int, strides: Sequence[int]) -> PostProcessor: ...
    def decode(self, raw: NDArray[Any]) -> NDArray[np.float32]: ...
    def run(
        self,
        raw: NDArray[Any],
        scale: float,
        score_threshold: float,
        iou_threshold: float,
        class_agnostic: bool,
        class_ids: Sequence[int] | None,
        max_detections: int | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]: ...
    def run_batch(
        self,
        raw: NDArray[Any],
        scales: Iterable[float] | None,
        score_threshold: float,
        iou_threshold: float,
        class_agnostic: bool,
        class_ids: Sequence[int] | None,
        max_detections: int | None,
        threads: int,
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]: ...

def letterbox(
    images: Sequence[NDArray[np.uint8]],
    out: NDArray[Any],
    interleaved: bool,
    reverses: bool,
    legacy: bool,
    border: bool,
    threads: int,
) -> list[float]: ...
def count_anchors(height: int, width: int, strides: Sequence[int]) -> int: ...
def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64] | None,
    iou_threshold: float,
) -> NDArray[np.int64]: ...
