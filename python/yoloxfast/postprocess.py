"""From the raw output of a network to detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yoloxfast import _core
from yoloxfast._core import Options
from yoloxfast.arguments import checked_size
from yoloxfast.classes import resolve_classes
from yoloxfast.detections import unchecked
from yoloxfast.finished import KeptScores, images_and_scales
from yoloxfast.forms import check_semantics
from yoloxfast.names import class_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from yoloxfast.classes import Classes
    from yoloxfast.detections import Detections
    from yoloxfast.forms import Layout, OptionKeywords, RawOutput, Semantics
    from yoloxfast.names import Names

__all__ = ["Options", "PostProcessor"]


class PostProcessor:
    """Turns raw outputs of one model into detections. Computes grid and strides once; any thread may use it.

    Two are equal if they are for the same model and have the same names and semantics. They can be pickled.

    Parameters
    ----------
    input_size : (int, int)
        Height and width of the network's input in pixels.
    num_classes : int, default 80
    strides : sequence of int, default (8, 16, 32)
        Strides of the levels, in the order of the raw output; (8, 16, 32, 64) for P6 models.
    names : sequence of str, dict of int to str, or path, optional
        Names of the classes, in order or by id, or in a text file, one a line; COCO's by default if there are 80.
    semantics : str, default "eval"
        The program of YOLOX that says what counts as a detection: "eval", "demo", "onnx-demo", "onnx-demo-aware" or
        "cpp-demo"; `yoloxfast.forms.Semantics` tells them apart. Thresholds stay as `options` has them.
    layout : str, default "rows"
        How a raw output lies in arrays: "rows", "channels-first", "maps", "pixel-maps", "split-maps", "labelled" or
        "finished"; `yoloxfast.forms.Layout` tells them apart. Nothing is transposed or copied to read them.
    decoded : bool, default False
        Whether boxes are in network pixels, as `--decode_in_inference` exports them.
    logits : bool, default False
        Whether the sigmoid of objectness and class scores is missing.
    extra_columns : int, default 0
        Columns behind the class scores, which are not looked at.

    Attributes
    ----------
    num_classes : int
    names : tuple of str
        Names of the classes.
    semantics : str

    Raises
    ------
    TypeError
        Not whole numbers, or names that are not strings.
    ValueError
        A size, stride or number of classes that no model has, or not one name per class; unknown semantics or layout.
    OSError
        The file of names cannot be read.

    Examples
    --------
    A network that you run yourself, here through ONNX Runtime:

    >>> post = yoloxfast.PostProcessor((416, 416))
    >>> tensor, scale = yoloxfast.letterbox(cv2.imread("street.jpg"), (416, 416))
    >>> (raw,) = session.run(None, {"images": tensor[None]})
    >>> post(raw[0], scale=scale)
    <2 Detections: person 0.91, car 0.84>

    A loop validates its options once:

    >>> options = post.options(score_threshold=0.5, classes=["person", "car"])
    >>> for raw, scale in outputs:
    ...     result = post.run(raw, scale, options)
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        num_classes: int = 80,
        strides: Sequence[int] = (8, 16, 32),
        *,
        names: Names | None = None,
        semantics: Semantics = "eval",
        layout: Layout = "rows",
        decoded: bool = False,
        logits: bool = False,
        extra_columns: int = 0,
    ) -> None:
        height, width = checked_size(input_size)
        self._core = _core.PostProcessor(height, width, num_classes, strides, layout, decoded, logits, extra_columns)
        self.names = class_names(names, num_classes)
        self.num_classes = len(self.names)
        self.semantics: Semantics = semantics
        self._kept_scores = KeptScores() if layout == "finished" else None
        check_semantics(semantics, layout)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PostProcessor):
            return NotImplemented
        return (self._core, self.names, self.semantics) == (other._core, other.names, other.semantics)

    def __hash__(self) -> int:
        return hash(self._core)

    def decode(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Decode every row of a raw output, whose layout is "rows", into a new array.

        Parameters
        ----------
        raw : ndarray of float32 or float16, (anchors, 5 + classes)
            Left as it is.

        Returns
        -------
        ndarray of float32, (anchors, 5 + classes)
            `cx, cy, w, h` in network pixels (formula: YOLOX, `yolo_head.py`, `decode_outputs`), then objectness and
            class scores as they are.

        Raises
        ------
        TypeError
            Not an array, or of another dtype.
        ValueError
            Another number of anchors or columns than the model has; rows are not what its raw outputs are.
        """
        return self._core.decode(raw)

    def options(
        self,
        *,
        score_threshold: float = 0.25,
        iou_threshold: float = 0.45,
        class_agnostic: bool = False,
        classes: Classes | None = None,
        max_detections: int | None = None,
    ) -> Options:
        """Validate what counts as a detection, once for many calls of `run` and `run_batch`.

        Parameters
        ----------
        score_threshold : float, default 0.25
            Least objectness times class score, 0 to 1; most semantics want more than this.
        iou_threshold : float, default 0.45
            A box is suppressed if its IoU with a better one is above, 0 to 1.
        class_agnostic : bool, default False
            Whether boxes of different classes suppress one another, for the semantics "eval", which then are "demo".
        classes : ids or names, optional
            Keep only anchors whose class is one of these; the others suppress nothing. None and
            `yoloxfast.ALL_CLASSES`: all.
        max_detections : int, optional
            Keep only this many of the best.

        Returns
        -------
        Options
            Immutable. Any post-processor with as many classes takes them; `classes` has been turned into ids.

        Raises
        ------
        TypeError
            A threshold that is not a number, a class that is neither id nor name, or `max_detections` is not an int.
        ValueError
            An option out of range; an unknown class, or an empty list of them; `class_agnostic` with semantics that
            are not, or for boxes that the network suppresses itself.
        """
        if class_agnostic and self.semantics == "onnx-demo-aware":
            raise ValueError("class_agnostic contradicts the semantics 'onnx-demo-aware': use 'onnx-demo'")
        if class_agnostic and self._kept_scores is not None:
            raise ValueError("class_agnostic cannot be had: the network suppresses boxes itself, leave it out")
        return Options(
            self.num_classes,
            self.semantics,
            score_threshold,
            iou_threshold,
            class_agnostic,
            resolve_classes(classes, self.names),
            max_detections,
        )

    def run(
        self, raw: RawOutput, scale: float, options: Options, *, image_size: tuple[int, int] | None = None
    ) -> Detections:
        """Find the detections of one image, as a program of YOLOX does: by default its evaluator.

        An anchor is a candidate if objectness times its best class score is at least the score threshold. Candidates
        that overlap a better one of the same class with an IoU above the threshold are suppressed; other semantics do
        otherwise. An anchor with a value that is not finite is not a candidate. Equal scores: the lower anchor first.

        Parameters
        ----------
        raw : ndarray of float32 or float16, (anchors, 5 + classes); or what the layout says
            By default as exported without `--decode_in_inference`: boxes not decoded, sigmoid applied to the scores. It
            is left as it is.
        scale : float
            Network pixels per image pixel, as `letterbox` returned it.
        options : Options
            What `options()` returned.
        image_size : (int, int), optional
            Height and width of the image in pixels: the semantics "cpp-demo" clip boxes to it.

        Returns
        -------
        Detections
            Best score first, boxes in image pixels.

        Raises
        ------
        TypeError
            `raw` is not an array, or of another dtype; `scale` is not a number; `options` are not `Options`.
        ValueError
            Another number of anchors or columns than the model has; a scale that is not positive; options for another
            number of classes; semantics that need what is missing.
        ModelError
            A candidate with a score above 1.0625: the network does not end in a sigmoid. Class scores are not looked
            at where the objectness times 1.0625 is below the score threshold. A candidate more than 22026 strides wide
            or high: its box is decoded already.
        MemoryError
            The system refuses the memory that this needs.
        """
        xyxy, scores, class_ids = self._core.run(raw, scale, image_size, options)
        if self._kept_scores is not None:
            self._kept_scores.compare(raw[:, 4], options.score_threshold)  # type: ignore[call-overload]
        return unchecked(xyxy, scores, class_ids, self.names)

    def run_batch(
        self,
        raw: RawOutput,
        scales: Iterable[float] | None,
        options: Options,
        *,
        image_sizes: Sequence[tuple[int, int]] | None = None,
        threads: int = 1,
    ) -> list[Detections]:
        """Find the detections of each image of a batch, in one call.

        Parameters
        ----------
        raw : ndarray of float32 or float16, (batch, anchors, 5 + classes); or what the layout says
            As for one image. In the layout "finished" a list with an array for each image.
        scales : iterable of float, or None
            Network pixels per image pixel of each image; None: 1.0 for each.
        options : Options
            What `options()` returned.
        image_sizes : sequence of (int, int), optional
            As for one image, of each.
        threads : int, default 1
            Threads that share the images, 1 to 1024; this one is the first of them.

        Returns
        -------
        list of Detections
            What `run` gives for each image, in order.

        Raises
        ------
        TypeError, ValueError, ModelError
            As for one image; also if there is not one scale per image.
        """
        if self._kept_scores is not None:
            return [self.run(found, scale, options) for found, scale in images_and_scales(raw, scales)]
        found = self._core.run_batch(raw, scales, image_sizes, options, threads)
        return [unchecked(*each, self.names) for each in found]

    def __call__(
        self,
        raw: RawOutput,
        *,
        scale: float = 1.0,
        image_size: tuple[int, int] | None = None,
        **options: Unpack[OptionKeywords],
    ) -> Detections:
        """Find the detections of one image: `run`, with the keywords of `options`, and its errors; no scale is 1.0."""
        return self.run(raw, scale, self.options(**options), image_size=image_size)

    def batch(
        self,
        raw: RawOutput,
        *,
        scales: Iterable[float] | None = None,
        image_sizes: Sequence[tuple[int, int]] | None = None,
        threads: int = 1,
        **options: Unpack[OptionKeywords],
    ) -> list[Detections]:
        """Find the detections of each image of a batch: `run_batch`, with the keywords of `options`, and its errors."""
        return self.run_batch(raw, scales, self.options(**options), image_sizes=image_sizes, threads=threads)
