from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from yoloxfast import ModelError
from yoloxfast.backends.head import Head, find_head

if TYPE_CHECKING:
    from numpy.typing import NDArray


def raw(anchors: int = 126, columns: int = 8, batch: int = 1) -> NDArray[np.float32]:
    return np.full((batch, anchors, columns), 0.5, np.float32)


def test_a_head_is_found_among_other_outputs() -> None:
    features, count = np.zeros((1, 128, 8, 12), np.float32), np.zeros(1, np.int64)
    others: dict[str, NDArray[Any]] = {"features": features, "count": count}
    assert find_head({**others, "out": raw()}, (64, 96), 1) == Head((64, 96), (8, 16, 32), 3, "out")
    assert find_head({"out": raw(128)}, (64, 96), 1).strides == (8, 16, 32, 64)
    assert find_head({"out": raw(batch=2).astype(np.float16)}, (64, 96), 2).num_classes == 3
    assert find_head({"out": raw(1580)}, (240, 320), 1).num_anchors == 1580


@pytest.mark.parametrize(
    "output", [raw(batch=2), raw(127), raw(columns=5), raw()[0], raw().astype(np.float64), raw().astype(np.uint8)]
)
def test_an_output_of_another_shape_or_dtype_is_none(output: NDArray[Any]) -> None:
    with pytest.raises(ModelError, match="exactly one output must be"):
        find_head({"out": output}, (64, 96), 1)


@pytest.mark.parametrize(("value", "column"), [(1.1, 7), (1.1, 4), (-0.1, 4), (-7.0, 6)])
def test_scores_outside_0_and_1_are_no_head(value: float, column: int) -> None:
    output = raw()
    output[0, 17, column] = value
    with pytest.raises(ModelError, match="not the scores of a YOLOX head"):
        find_head({"out": output}, (64, 96), 1)


def test_scores_of_quantized_networks_and_values_that_are_not_finite_are_let_pass() -> None:
    output = raw()
    output[0, 3, 4:] = (1.004, -0.004, 1.03, 1.06)
    output[0, 4] = np.nan
    output[0, 5] = np.inf
    output[0, 6] = -np.inf
    assert find_head({"out": output}, (64, 96), 1).num_classes == 3


def test_decoded_boxes_are_no_head() -> None:
    output = raw()
    output[0, :, 2:4] = 15
    assert find_head({"out": output}, (64, 96), 1).num_classes == 3
    output[0, 9, 3] = 24
    with pytest.raises(ModelError, match="decoded already: found widths and heights up to 24"):
        find_head({"out": output}, (64, 96), 1)
