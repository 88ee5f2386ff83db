"""What a network's outputs say of its head: whether it is a YOLOX, of which strides, of how many classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import BOX_COLUMNS, MAX_CLASSES, SCORE_LIMIT, count_anchors
from yoloxfast.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Head", "find_head"]

KNOWN_STRIDES = ((8, 16, 32), (8, 16, 32, 64))

_LARGEST_LOG_SIZE = 20.0
"""exp(20) strides are more pixels than any image has; decoded widths and heights are above it on any image."""


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
    output_name : str
        The output that holds (batch, anchors, 5 + classes).
    """

    input_size: tuple[int, int]
    strides: tuple[int, ...]
    num_classes: int
    output_name: str

    @property
    def num_anchors(self) -> int:
        """Rows of the raw output."""
        return count_anchors(*self.input_size, self.strides)


def find_head(outputs: Mapping[str, NDArray[Any]], input_size: tuple[int, int], batch: int) -> Head:
    """Find the YOLOX head among the outputs that a network gave for some image.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        All outputs of one run.
    input_size : (int, int)
        Height and width of the network's input in pixels.
    batch : int
        Images per run.

    Raises
    ------
    ModelError
        No output, or more than one, has the shape of a YOLOX head; or its values do not fit: boxes already decoded, or
        scores that no sigmoid has brought into 0..1.
    """
    strides_of = {count_anchors(*input_size, strides): strides for strides in KNOWN_STRIDES}
    heads = [
        Head(input_size, strides_of[output.shape[1]], output.shape[2] - BOX_COLUMNS, name)
        for name, output in outputs.items()
        if output.ndim == 3  # noqa: PLR2004
        and output.shape[0] == batch
        and output.shape[1] in strides_of
        and output.shape[2] > BOX_COLUMNS
        and output.dtype in (np.float32, np.float16)
    ]
    if len(heads) != 1:
        found = ", ".join(f"{name} {output.shape} {output.dtype}" for name, output in outputs.items())
        fits = " or ".join(
            f"({batch}, {anchors}, 5 + classes) for strides {strides}" for anchors, strides in strides_of.items()
        )
        raise ModelError(
            f"not a YOLOX head: found {found}; with its input of {input_size[0]}x{input_size[1]} (height x width)"
            f" exactly one output must be {fits}, in float32 or float16"
        )
    if heads[0].num_classes > MAX_CLASSES:
        raise ModelError(
            f"not a YOLOX head: it has {heads[0].num_classes} classes, at most {MAX_CLASSES} are supported"
        )
    _check_values(outputs[heads[0].output_name])
    return heads[0]


def _check_values(raw: NDArray[Any]) -> None:
    scores, log_sizes = raw[..., 4:], raw[..., 2:4]
    scores, log_sizes = scores[np.isfinite(scores)], log_sizes[np.isfinite(log_sizes)]
    if scores.size and (scores.min() < 1 - SCORE_LIMIT or scores.max() > SCORE_LIMIT):
        raise ModelError(
            f"not the scores of a YOLOX head: found {scores.min():.4g} to {scores.max():.4g}, expected 0 to 1;"
            " the sigmoid of objectness and classes must be in the network, as YOLOX's export_onnx.py does"
        )
    if log_sizes.size and log_sizes.max() > _LARGEST_LOG_SIZE:
        raise ModelError(
            f"the boxes are decoded already: found widths and heights up to {log_sizes.max():.4g}, expected logarithms;"
            " export without --decode_in_inference"
        )
