from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BOX_COLUMNS",
    "LEVEL",
    "LOG_SIZE_LIMIT",
    "MAX_CLASSES",
    "MAX_SIDE",
    "MAX_STRIDES",
    "PADDING",
    "SCORE_LIMIT",
    "SEMANTICS",
    "Options",
    "PixelFormat",
    "Plans",
    "PostProcessor",
    "Times",
    "__version__",
    "count_anchors",
    "letterbox",
    "nms",
]

BOX_COLUMNS: int
LEVEL: str
LOG_SIZE_LIMIT: float
MAX_CLASSES: int
MAX_SIDE: int
MAX_STRIDES: int
PADDING: int
SCORE_LIMIT: float
SEMANTICS: list[str]
__version__: str

# letterbox.rs
@final
class PixelFormat:
    def __new__(cls, reverses: bool, values: NDArray[np.float32] | None, single_precision: bool) -> PixelFormat: ...

@final
class Plans:
    def __new__(cls) -> Plans: ...

def letterbox(
    images: Sequence[NDArray[np.uint8]],
    out: NDArray[Any],
    interleaved: bool,
    pixels: PixelFormat,
    border: bool,
    threads: int,
    plans: Plans | None,
) -> list[float]: ...

# nms.rs
def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64] | None,
    iou_threshold: float,
) -> NDArray[np.int64]: ...

# postprocess.rs
def count_anchors(height: int, width: int, strides: Sequence[int]) -> int: ...

@final
class Options:
    def __new__(
        cls,
        num_classes: int,
        semantics: str,
        score_threshold: float,
        iou_threshold: float,
        class_agnostic: bool,
        class_ids: Sequence[int] | None,
        max_detections: int | None,
    ) -> Options: ...
    @property
    def score_threshold(self) -> float: ...

@final
class PostProcessor:
    def __new__(
        cls,
        height: int,
        width: int,
        num_classes: int,
        strides: Sequence[int],
        layout: str,
        decoded: bool,
        logits: bool,
        extra_columns: int,
    ) -> PostProcessor: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(
        self,
    ) -> tuple[type[PostProcessor], tuple[int, int, int, list[int], str, bool, bool, int]]: ...
    def decode(self, raw: NDArray[Any]) -> NDArray[np.float32]: ...
    def run(
        self,
        raw: NDArray[Any] | Sequence[NDArray[Any]],
        scale: float,
        image_size: tuple[int, int] | None,
        options: Options,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]: ...
    def run_batch(
        self,
        raw: NDArray[Any] | Sequence[NDArray[Any]],
        scales: Iterable[float] | None,
        image_sizes: Sequence[tuple[int, int]] | None,
        options: Options,
        threads: int,
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]: ...

# statistics.rs
@final
class Times:
    def __new__(cls) -> Times: ...
    def record(self, images: int, letterbox: float, wait: float, network: float, post_processing: float) -> None: ...
    def count(self) -> int: ...
    def percentiles(self) -> list[list[float]]: ...
    def reset(self) -> None: ...
