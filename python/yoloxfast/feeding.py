"""How a network wants its images, found out from photos without labels.

A network that gets what it was trained with finds the same objects in a photo and in its mirror image. One that does
not finds little, or other things in each. So each photo and its mirror image are run in each way of feeding. The
agreement is the sum of the scores of the boxes that are found in both, where these are at least half of the boxes; of
two scores the lower counts.

Of draws of six photos of COCO val, YOLOX-Nano being changed to want each of three kinds of values, 0.2 % name a wrong
way, and 2.2 % of draws of three. Numbers of boxes, instead of sums of their scores, are wrong in 2.3 % and 7.5 %
(benches/bench_feeding.py).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from yoloxfast.detections import Detections
from yoloxfast.errors import ModelError
from yoloxfast.forms import Semantics
from yoloxfast.inference import Inference
from yoloxfast.input_format import layouts_of
from yoloxfast.matching import iou_matrix, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yoloxfast.backends import Network

__all__ = ["MARGIN", "Feeding", "FeedingTest", "Trial", "agreeing_scores"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_SCORE_THRESHOLD = 0.1
_MAX_BOXES = 300
"""Of an image: networks that are fed wrongly may find thousands."""

MARGIN = 0.1
"""How far below the best agreement, as a share of it, another must be to be ruled out."""


class Feeding(NamedTuple):
    """A way of feeding.

    Attributes
    ----------
    values : str
        What a channel of a pixel is.
    order : str
        Of the channels; empty for grey.
    options : dict
        What `Detector` takes for it.
    """

    values: str
    order: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.order}, {self.values}" if self.order else self.values


_GREY: tuple[Feeding, ...] = (Feeding("0 to 255", "", {}), Feeding("0 to 1", "", {"scale": 1 / 255}))

_COLOR: tuple[Feeding, ...] = (
    Feeding("0 to 255", "BGR", {}),
    Feeding("0 to 255", "RGB", {"input_color": "rgb"}),
    Feeding("normalised", "RGB", {"legacy": True}),
    Feeding("normalised", "BGR", {"scale": 1 / 255, "mean": _MEAN[::-1], "std": _STD[::-1]}),
    Feeding("0 to 1", "BGR", {"scale": 1 / 255}),
    Feeding("0 to 1", "RGB", {"scale": 1 / 255, "input_color": "rgb"}),
)
"""YOLOX's own first. Normalised is the same whether mean and deviation are those of 0 to 255 or those of 0 to 1."""


@dataclass
class Trial:
    """What one way of feeding has given so far.

    Attributes
    ----------
    feeding : Feeding
    boxes : int
        Found in the photos.
    agreeing : int
        How many of them count, as they are found in the mirror image, too.
    agreement : float
        Sum of the scores of these.
    problem : ModelError or None
        What the network's output was refused for, if it was.
    """

    feeding: Feeding
    boxes: int = 0
    agreeing: int = 0
    agreement: float = 0.0
    problem: ModelError | None = None


class FeedingTest:
    """Feeds a network in all ways that it can be fed.

    Parameters
    ----------
    network : Network
        Still open afterwards.
    names : sequence of str
        Names of its classes.

    Attributes
    ----------
    trials : list of Trial
        One for each way of feeding, YOLOX's own first.
    num_photos : int
    """

    def __init__(self, network: Network, names: tuple[str, ...]) -> None:
        self._network, self._names = network, names
        layout, *_ = layouts_of(network.input.shape[1:])
        feedings = _GREY if layout.channels == 1 else _COLOR
        if network.input.dtype == np.uint8:
            feedings = tuple(feeding for feeding in feedings if feeding.values == "0 to 255")
        limits: dict[str, Any] = {"score_threshold": _SCORE_THRESHOLD, "max_detections": _MAX_BOXES}
        self._detectors = [Inference(network, names=names, **limits, **feeding.options) for feeding in feedings]
        self.trials = [Trial(feeding) for feeding in feedings]
        self.num_photos = 0

    def add(self, photo: NDArray[np.uint8]) -> list[Detections]:
        """Run a photo, BGR, and its mirror image; return what is found in the photo, for each way of feeding.

        Raises
        ------
        EngineError
            The runtime failed.
        """
        self.num_photos += 1
        return [self._try(trial, detector, photo) for trial, detector in zip(self.trials, self._detectors, strict=True)]

    def _try(self, trial: Trial, detector: Inference, photo: NDArray[np.uint8]) -> Detections:
        try:
            found, mirrored = detector.detect(photo), detector.detect(photo[:, ::-1])
        except ModelError as error:  # numbers that no YOLOX gives are what wrong feeding may lead to
            trial.problem = error
            return _nothing(detector.names)
        scores = agreeing_scores(found, mirrored, width=photo.shape[1])
        trial.boxes += len(found)
        if 2 * len(scores) >= max(len(found), len(mirrored)):
            trial.agreeing += len(scores)
            trial.agreement += sum(scores)
        return found

    def count_by_semantics(self, trial: Trial, photo: NDArray[np.uint8]) -> dict[Semantics, int]:
        """Count what is found in a photo by each of the semantics that the network's outputs allow, at 0.3/0.45."""
        counts: dict[Semantics, int] = {}
        limits: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": 0.45, **trial.feeding.options}
        for semantics in get_args(Semantics):
            with suppress(ValueError):
                detector = Inference(self._network, names=self._names, semantics=semantics, **limits)
                counts[semantics] = len(detector.detect(photo))
        return counts

    def ranking(self) -> list[Trial]:
        """Return all trials, the greatest agreement first."""
        return sorted(self.trials, key=lambda trial: -trial.agreement)

    def contenders(self) -> list[Trial]:
        """Return the best trial, and those whose agreement is not more than 10 % lower."""
        best, *others = self.ranking()
        return [best, *(trial for trial in others if trial.agreement > (1 - MARGIN) * best.agreement)]


def _nothing(names: tuple[str, ...]) -> Detections:
    return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), names)


def agreeing_scores(found: Detections, mirrored: Detections, *, width: int) -> list[float]:
    """Return the score of each box of an image that is found in its mirror image too, the lower of both.

    Parameters
    ----------
    found, mirrored : Detections
        Of the image and of its mirror image.
    width : int
        Of the image, in pixels.
    """
    left, top, right, bottom = mirrored.xyxy.T
    back = np.stack((width - right, top, width - left, bottom), axis=1)
    same_class = mirrored.class_ids[:, None] == found.class_ids
    pairs = match(iou_matrix(back, found.xyxy) * same_class)
    return [float(min(mirrored.scores[other], found.scores[own])) for other, own in pairs.items()]
