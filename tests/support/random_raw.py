"""Random raw outputs for property tests, with numbers that no network should give among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yoloxfast import Detections, EngineError, ModelError, forms

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIZE = (40, 64)
STRIDES = (8, 16, 32)
ANCHORS = 5 * 8 + 3 * 4 + 2 * 2
NOT_FINITE = (np.nan, np.inf, -np.inf)
SEMANTICS = get_args(forms.Semantics)

thresholds = st.one_of(st.sampled_from((0.0, 0.25, 0.5, 1.0)), st.floats(0, 1))


@st.composite
def raw_outputs(draw: st.DrawFn) -> NDArray[Any]:
    num_classes = draw(st.integers(1, 4) | st.integers(15, 35) | st.just(80))
    box = st.one_of(st.floats(-4, 4, width=16), st.sampled_from((*NOT_FINITE, 6e4, -6e4)))
    score = st.one_of(st.floats(0, 1.0625, width=16), st.sampled_from((0.0, 0.5, 1.0)))
    if draw(st.booleans()):
        score |= st.one_of(st.floats(-1.0, -0.0, width=16), st.sampled_from(NOT_FINITE))
    if draw(st.booleans()):
        score |= st.floats(1.0625, 9, width=16)
    boxes = draw(hnp.arrays(np.float32, (ANCHORS, 4), elements=box))
    scores = draw(hnp.arrays(np.float32, (ANCHORS, 1 + num_classes), elements=score))
    return np.concatenate([boxes, scores], axis=1, dtype=draw(st.sampled_from((np.float32, np.float16))))


def outcome(call: Callable[[], Detections]) -> Detections | list[float]:
    """Return what was found, or the anchor and the score for which the model is refused."""
    try:
        return call()
    except EngineError:
        return []
    except ModelError as error:
        return [float(np.float32(number)) for number in re.findall(r"[\d.]+", str(error).partition(",")[0])]
