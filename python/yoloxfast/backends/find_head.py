"""Finding out which form the outputs of a network have: of a YOLOX or not, of which strides, of how many classes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import MAX_CLASSES
from yoloxfast.backends import finished_heads, map_heads, row_heads
from yoloxfast.backends.head import Hints, Probe
from yoloxfast.backends.head_values import coarse_step
from yoloxfast.errors import EngineError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends.head import Head, Reading

__all__ = ["find_head"]

_READERS: tuple[Callable[[Probe], list[Reading]], ...] = (
    row_heads.readings,
    map_heads.readings,
    finished_heads.readings,
)


def find_head(
    outputs: Mapping[str, NDArray[Any]], input_size: tuple[int, int], batch: int, hints: Hints | None = None
) -> Head:
    """Find the YOLOX head among the outputs that a network gave for an image without anything to be seen.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        All outputs of one run.
    input_size : (int, int)
        Height and width of the network's input in pixels.
    batch : int
        Images per run.
    hints : Hints, optional
        What the user says of it.

    Raises
    ------
    ModelError
        No outputs, or several in different ways, can be read as a YOLOX head.
    EngineError
        The run gave nothing but numbers that are not finite.
    """
    probe = Probe(outputs, input_size, batch, hints or Hints())
    readings = [reading for read in _READERS for reading in read(probe)]
    heads = [reading.head for reading in readings if not reading.problem]
    if len(heads) == 1:
        return _checked(heads[0], probe)
    if heads:
        raise ModelError(_ambiguity(heads))
    if readings:
        raise ModelError(" or ".join(dict.fromkeys(reading.problem for reading in readings)))
    found = ", ".join(f"{name} {output.shape} {output.dtype}" for name, output in outputs.items())
    fits = row_heads.expected_shapes(probe)
    raise ModelError(
        f"not a YOLOX head: found {found}; with its input of {input_size[0]}x{input_size[1]} (height x width) an output"
        f" must be {fits}, in float32 or float16, or several outputs must be the maps of its levels, or detections"
    )


def _checked(head: Head, probe: Probe) -> Head:
    if head.num_classes > MAX_CLASSES:
        raise ModelError(f"not a YOLOX head: it has {head.num_classes} classes, at most {MAX_CLASSES} are supported")
    arrays = [probe.outputs[name] for name in head.output_names]
    if any(array.size for array in arrays) and not any(np.isfinite(array).any() for array in arrays):
        raise EngineError(
            "the network gives no finite number: computed in a precision that it overflows in? Try another runtime or"
            " precision='fp32'"
        )
    has_scores = head.layout not in ("labelled", "finished") and not head.logits
    if has_scores and (step := coarse_step(np.concatenate([array.reshape(-1) for array in arrays]))):
        warnings.warn(
            f"scores come in steps of {step:.2g}, as in INT8, with one scale for boxes and scores: quantize"
            " all but the last layers of the head",
            stacklevel=5,
        )
    return head


def _ambiguity(heads: Sequence[Head]) -> str:
    """Say which readings there are, and which option decides."""
    readings = "; or as ".join(map(str, heads))
    for option in ("decoded", "strides", "num_classes"):
        values = [getattr(head, option) for head in heads]
        if len(set(values)) == len(heads):
            choices = " or ".join(f"{option}={value!r}" for value in values)
            return f"its outputs can be read in several ways, as {readings}: pass {choices}"
    return f"its outputs can be read in several ways, as {readings}: export it with one of them"
