from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from yoloxfast import EngineError, ModelError
from yoloxfast.backends.find_head import find_head
from yoloxfast.backends.head import Head, Hints
from yoloxfast.backends.head_values import cells_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def raw(anchors: int = 126, columns: int = 8, batch: int = 1) -> NDArray[np.float32]:
    return np.full((batch, anchors, columns), 0.5, np.float32)


def test_a_head_is_found_among_other_outputs() -> None:
    features, count = np.zeros((1, 128, 8, 12), np.float32), np.zeros(1, np.int64)
    others: dict[str, NDArray[Any]] = {"features": features, "count": count}
    assert find_head({**others, "out": raw()}, (64, 96), 1) == Head((64, 96), (8, 16, 32), 3, ("out",))
    assert find_head({"out": raw(128)}, (64, 96), 1).strides == (8, 16, 32, 64)
    assert find_head({"out": raw(batch=2).astype(np.float16)}, (64, 96), 2).num_classes == 3
    assert find_head({"out": raw(1580)}, (240, 320), 1).num_anchors == 1580


@pytest.mark.parametrize(
    "output", [raw(batch=2), raw(127), raw(columns=5), raw()[0], raw().astype(np.float64), raw().astype(np.uint8)]
)
def test_an_output_of_another_shape_or_dtype_is_none(output: NDArray[Any]) -> None:
    with pytest.raises(
        ModelError, match=r"not a YOLOX head: found out .* must be \(1, 126, 5 \+ classes\) for strides"
    ):
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


def decoded(strides: tuple[int, ...] = (8, 16, 32), columns: int = 8) -> NDArray[np.float32]:
    cells = cells_of((64, 96), strides)
    boxes = np.concatenate([cells.centres + 1, np.full_like(cells.centres, 24)], axis=1)
    return np.concatenate([boxes, np.full((len(boxes), columns - 4), 0.5)], axis=1, dtype=np.float32)[np.newaxis]


def test_decoded_boxes_are_told_by_where_they_lie() -> None:
    head = find_head({"out": decoded()}, (64, 96), 1)
    assert (head.decoded, head.layout, head.strides) == (True, "rows", (8, 16, 32))
    assert find_head({"out": decoded((16, 32))}, (64, 96), 1).strides == (16, 32)
    assert not find_head({"out": raw()}, (64, 96), 1).decoded


def test_boxes_that_are_neither_raw_nor_decoded_are_no_head() -> None:
    output = raw()
    output[0, 9, 3] = 24
    with pytest.raises(ModelError, match="found widths and heights up to 24, which are no logarithms"):
        find_head({"out": output}, (64, 96), 1)
    output = decoded()
    output[..., :4] /= (96, 64, 96, 64)
    with pytest.raises(ModelError, match="boxes are fractions of the input"):
        find_head({"out": output}, (64, 96), 1)
    output = decoded()
    output[..., 2:4] = output[..., :2] + 12
    output[..., :2] -= 12 + 32
    output[..., 2:4] += 32
    with pytest.raises(ModelError, match="its boxes are corners"):
        find_head({"out": output}, (64, 96), 1)


def test_logits_are_told_by_objectness_and_all_classes() -> None:
    logits = np.random.default_rng(0).normal(-5, 2, (1, 126, 8)).astype(np.float32)
    assert find_head({"out": logits}, (64, 96), 1).logits
    logits[..., 7] += 8
    with pytest.raises(ModelError, match="or logits of objectness and all classes"):
        find_head({"out": logits}, (64, 96), 1)


def test_columns_behind_the_classes_must_be_named() -> None:
    output = raw(columns=18)
    output[..., 8:] = -30
    with pytest.raises(
        ModelError, match="if its first 3 columns of classes are all that there are, pass num_classes=3"
    ):
        find_head({"out": output}, (64, 96), 1)
    head = find_head({"out": output}, (64, 96), 1, Hints(num_classes=3))
    assert (head.num_classes, head.extra_columns) == (3, 10)
    with pytest.raises(ModelError, match="num_classes is 14, but the network has 13 columns for classes"):
        find_head({"out": output}, (64, 96), 1, Hints(num_classes=14))
    with pytest.raises(
        ModelError, match="13 columns behind the objectness, but 12 names of classes: pass num_classes=12"
    ):
        find_head({"out": raw(columns=18)}, (64, 96), 1, Hints(num_names=12))


def test_what_can_be_read_in_two_ways_names_the_option_that_decides() -> None:
    both = {"raw": raw(), "decoded": decoded()}
    with pytest.raises(ModelError, match="pass decoded=False or decoded=True"):
        find_head(both, (64, 96), 1)
    assert find_head(both, (64, 96), 1, Hints(decoded=True)).output_names == ("decoded",)
    assert find_head(both, (64, 96), 1, Hints(decoded=False)).output_names == ("raw",)
    with pytest.raises(ModelError, match="export it with one of them"):
        find_head({"one": raw(), "two": raw()}, (64, 96), 1)


def test_a_network_like_yolov8_must_be_called_a_yolox() -> None:
    output = decoded().transpose(0, 2, 1)
    with pytest.raises(ModelError, match="may be a YOLOX of 3 classes, or one of 4 without objectness, as YOLOv8"):
        find_head({"out": output}, (64, 96), 1)
    assert find_head({"out": output}, (64, 96), 1, Hints(num_classes=3)).layout == "channels-first"


def test_coarse_steps_of_int8_outputs_are_warned_of() -> None:
    output = decoded()
    output[..., 4:] = np.random.default_rng(0).random(output[..., 4:].shape)
    find_head({"out": output}, (64, 96), 1)
    with pytest.warns(UserWarning, match=r"scores come in steps of 0.5, .* quantize all but the last layers"):
        find_head({"out": (output * 2).round() / 2}, (64, 96), 1)
    fine = raw()
    fine[..., 4:] = (output[..., 4:] * 255).round() / 255
    find_head({"out": fine}, (64, 96), 1)


def test_nothing_but_numbers_that_are_not_finite_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="no finite number"):
        find_head({"out": raw() * np.nan}, (64, 96), 1)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_maps_come_in_the_order_of_strides(order: tuple[int, ...]) -> None:
    maps = [(f"of {stride}", np.full((2, 8, 64 // stride, 96 // stride), 0.5, np.float32)) for stride in (8, 16, 32)]
    head = find_head(dict(maps[index] for index in order), (64, 96), 2)
    assert (head.layout, head.output_names) == ("maps", ("of 8", "of 16", "of 32"))


def test_strides_that_are_not_known_must_be_named() -> None:
    maps = {f"of {stride}": np.full((1, 8, 64 // stride, 96 // stride), 0.5, np.float32) for stride in (2, 8)}
    with pytest.raises(ModelError, match="not a YOLOX head"):
        find_head(maps, (64, 96), 1)
    assert find_head(maps, (64, 96), 1, Hints(strides=(2, 8))).output_names == ("of 2", "of 8")
    with pytest.raises(ModelError, match=r"must be \(1, 96, 5 \+ classes\) for strides \(8,\)"):
        find_head({"out": raw()}, (64, 96), 1, Hints(strides=(8,)))
