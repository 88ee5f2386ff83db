"""The head of a network: in which form its outputs are a YOLOX's."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yoloxfast._core import MAX_CLASSES, count_anchors
from yoloxfast.arguments import checked_size, checked_strides, checked_whole
from yoloxfast.names import count_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from yoloxfast.forms import Layout, RawOutput
    from yoloxfast.names import Names

__all__ = ["Head", "Hints", "Probe", "Reading"]


class Hints(NamedTuple):
    """What the user says of a network, as far as it is not to be found out.

    Attributes
    ----------
    input_size : (int, int), optional
        Height and width, of a network that takes any.
    strides : tuple of int, optional
    num_classes : int, optional
    decoded : bool, optional
    num_names : int, optional
        How many classes are named.
    user_names : bool
        Whether it is the user who names them, and not the file.
    """

    input_size: tuple[int, int] | None = None
    strides: tuple[int, ...] | None = None
    num_classes: int | None = None
    decoded: bool | None = None
    num_names: int | None = None
    user_names: bool = False

    @classmethod
    def of(
        cls,
        names: Names | None,
        *,
        input_size: Any = None,
        strides: Any = None,
        num_classes: Any = None,
        decoded: Any = None,
    ) -> Self:
        """Check what the user says, as for `Detector`.

        Raises
        ------
        TypeError, ValueError
            Something else than `Detector` takes.
        """
        if input_size is not None:
            input_size = checked_size(input_size, "input_size")
        if strides is not None:
            strides = checked_strides(strides)
            height, width = input_size or (32, 32)
            count_anchors(height, width, strides)
        if num_classes is not None and checked_whole(num_classes, "num_classes") not in range(1, MAX_CLASSES + 1):
            raise ValueError(f"num_classes is {num_classes}, expected 1 to {MAX_CLASSES}")
        if not isinstance(decoded, (bool, np.bool_, NoneType)):
            raise TypeError(f"decoded must be True, False or None, got {decoded!r}")
        is_decoded = None if decoded is None else bool(decoded)
        return cls(input_size, strides, num_classes, is_decoded, count_names(names), names is not None)


@dataclass(frozen=True)
class Head:
    """The head of a YOLOX network.

    Attributes
    ----------
    input_size : (int, int)
        Height and width of the network's input in pixels.
    strides : tuple of int
        Strides of the levels, in the order of the raw output.
    num_classes : int
    output_names : tuple of str
        The outputs that make up the raw output, in the order of the layout.
    layout, decoded, logits, extra_columns
        The form of the raw output, as for `PostProcessor`.
    arrange : callable, optional
        Makes raw outputs, as the layout has them, of the arrays of these outputs; gets the arrays and the number of
        images. None where the arrays are raw outputs already.
    """

    input_size: tuple[int, int]
    strides: tuple[int, ...]
    num_classes: int
    output_names: tuple[str, ...]
    layout: Layout = "rows"
    decoded: bool = False
    logits: bool = False
    extra_columns: int = 0
    arrange: Callable[[Sequence[NDArray[Any]], int], RawOutput] | None = None

    def raw(self, outputs: Mapping[str, NDArray[Any]], images: int) -> RawOutput:
        """Return the raw outputs of the first images of a batch, as `PostProcessor.run_batch` takes them."""
        arrays = [outputs[name] for name in self.output_names]
        if self.arrange is not None:
            return self.arrange(arrays, images)
        if len(arrays) == 1:
            return arrays[0][:images]
        return [array[:images] for array in arrays]

    def of_image(self, raw: RawOutput, image: int) -> RawOutput:
        """Return the raw output of one image of these, as `PostProcessor.run` takes it."""
        if self.layout in ("maps", "pixel-maps", "split-maps"):
            return [array[image] for array in raw]
        return raw[image]

    @property
    def num_anchors(self) -> int:
        """Anchors of its levels."""
        return count_anchors(*self.input_size, self.strides)

    @property
    def is_finished(self) -> bool:
        """Whether the network suppresses boxes itself, so that its outputs may have any length."""
        return self.layout == "finished"

    def __str__(self) -> str:
        boxes = "boxes decoded" if self.decoded else "boxes not decoded"
        scores = "scores without sigmoid" if self.logits else "scores with sigmoid"
        others = f", {self.extra_columns} other columns" if self.extra_columns else ""
        strides = ", ".join(map(str, self.strides))
        names = ", ".join(self.output_names)
        if self.layout in ("labelled", "finished"):
            suppressed = "suppressed" if self.is_finished else "not suppressed"
            return f"corners, scores and class ids of {self.num_classes} classes, {suppressed} ({names})"
        return f"{self.layout} of {self.num_classes} classes, strides {strides}, {boxes}, {scores}{others} ({names})"


class Probe(NamedTuple):
    """All outputs of one run, on an image without anything to be seen, and what is known.

    Attributes
    ----------
    outputs : mapping of str to ndarray
    input_size : (int, int)
        Height and width of the network's input in pixels.
    batch : int
        Images per run.
    hints : Hints
    """

    outputs: Mapping[str, NDArray[Any]]
    input_size: tuple[int, int]
    batch: int
    hints: Hints


class Reading(NamedTuple):
    """A head that the shapes of some outputs allow.

    Attributes
    ----------
    head : Head
    problem : str
        Why it is none nevertheless; empty if it is one.
    """

    head: Head
    problem: str = ""
