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
    rows = np.full((batch, anchors, columns), 0.5, np.float32)
    rows[..., 2:4] = -0.5
    return rows


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
    with pytest.raises(
        ModelError, match=r"found widths and heights up to 24 and centres up to 0\.5, which neither are"
    ):
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
    with pytest.raises(ModelError, match="if it is a YOLOX of 3 classes with other columns behind, pass num_classes=3"):
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


def maps(
    strides: tuple[int, ...], *, size: tuple[int, int] = (64, 96), columns: int = 8, batch: int = 1
) -> dict[str, NDArray[np.float32]]:
    cells = {stride: (size[0] // stride, size[1] // stride) for stride in strides}
    return {
        f"of {stride}": np.moveaxis(raw(y * x, columns, batch).reshape(batch, y, x, columns), 3, 1)
        for stride, (y, x) in cells.items()
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_maps_come_in_the_order_of_strides(order: tuple[int, ...]) -> None:
    of_strides = list(maps((8, 16, 32), batch=2).items())
    head = find_head(dict(of_strides[index] for index in order), (64, 96), 2)
    assert (head.layout, head.output_names) == ("maps", ("of 8", "of 16", "of 32"))


def test_strides_that_are_not_known_must_be_named() -> None:
    of_strides = maps((2, 8))
    with pytest.raises(ModelError, match="not a YOLOX head"):
        find_head(of_strides, (64, 96), 1)
    assert find_head(of_strides, (64, 96), 1, Hints(strides=(2, 8))).output_names == ("of 2", "of 8")
    with pytest.raises(ModelError, match=r"must be \(1, 96, 5 \+ classes\) for strides \(8,\)"):
        find_head({"out": raw()}, (64, 96), 1, Hints(strides=(8,)))


def test_a_map_counts_for_one_stride() -> None:
    assert find_head(maps((8, 16, 32), size=(32, 32)), (32, 32), 1).strides == (8, 16, 32)


@pytest.mark.parametrize("logits", [False, True])
def test_boxes_of_a_network_of_four_classes_are_told_from_its_classes(logits: bool) -> None:
    random = np.random.default_rng(0)
    outputs: dict[str, NDArray[Any]] = {}
    for stride in (8, 16, 32):
        shape = (64 // stride, 96 // stride)
        raw_scores = random.normal(-5, 1, (1, 5, *shape))
        scores = (raw_scores if logits else 1 / (1 + np.exp(-raw_scores))).astype(np.float32)
        outputs |= {f"classes of {stride}": scores[:, 1:], f"objectness of {stride}": scores[:, :1]}
        outputs[f"boxes of {stride}"] = random.normal(0.4, 0.3, (1, 4, *shape)).astype(np.float32)
    head = find_head(outputs, (64, 96), 1)
    assert (head.layout, head.logits, head.num_classes) == ("split-maps", logits, 4)
    kinds = ("boxes", "objectness", "classes")
    assert head.output_names == tuple(f"{kind} of {stride}" for stride in (8, 16, 32) for kind in kinds)


def test_corners_of_small_boxes_are_not_centres() -> None:
    output = decoded()
    output[..., 2:4] = output[..., :2] + 6
    output[..., :2] -= 6
    with pytest.raises(ModelError, match="its boxes are corners"):
        find_head({"out": output}, (64, 96), 1)
    output = output[..., :6]
    output[..., 5] = np.arange(output.shape[1]) % 2
    with pytest.raises(ModelError, match="corners, scores and class ids: pass num_classes"):
        find_head({"out": output}, (64, 96), 1)
    assert find_head({"out": output}, (64, 96), 1, Hints(num_classes=2)).layout == "labelled"


def test_scores_where_boxes_should_be_are_no_head() -> None:
    scores = np.random.default_rng(0).random((1, 126, 80), np.float32)
    outputs = {"boxes": decoded()[..., :4], "scores": scores}
    with pytest.raises(ModelError, match="where boxes should be, all numbers are from 0 to 1, as scores are; if it is"):
        find_head(outputs, (64, 96), 1)
    assert find_head(outputs, (64, 96), 1, Hints(decoded=False)).num_classes == 75


@pytest.mark.parametrize(("columns", "who"), [(84, "YOLOv8"), (144, "YOLOv8"), (255, "YOLOv5")])
def test_columns_of_other_networks_for_coco_must_be_called_a_yolox(columns: int, who: str) -> None:
    for outputs in ({"out": raw(columns=columns)}, maps((8, 16, 32), columns=columns)):
        with pytest.raises(ModelError, match=f"not a YOLOX head: .* as {who} has; .* pass num_classes={columns - 5}"):
            find_head(outputs, (64, 96), 1)
        assert find_head(outputs, (64, 96), 1, Hints(num_names=columns - 5)).num_classes == columns - 5


def test_an_objectness_of_1_everywhere_is_not_one() -> None:
    output = decoded()
    output[..., 4] = 1
    with pytest.raises(ModelError, match="its objectness is 1 everywhere, as in YOLOv6"):
        find_head({"out": output}, (64, 96), 1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 10, 20, 50, 90, 3, 0.9), "found corners 50, 90, 3, 0.9, score 20, class id 10"),
        ((0, 1, 0.9, 50, 20, 40, 30), "found corners 50, 20, 40, 30"),
        ((0, 0.5, 0.9, 10, 20, 40, 30), "class id 0.5"),
        ((0, 1, 0.9, 0.1, 0.2, 0.4, 0.3), "fractions of the input"),
    ],
)
def test_rows_that_are_no_detections_are_no_head(row: tuple[float, ...], message: str) -> None:
    rows = np.array([(0, 1, 0.9, 10, 20, 40, 30), row], np.float32)
    assert find_head({"out": rows[:1]}, (64, 96), 1, Hints(num_classes=80)).layout == "finished"
    with pytest.raises(ModelError, match=message):
        find_head({"out": rows[1:]}, (64, 96), 1, Hints(num_classes=80))
    rows[1, 3] = np.nan
    assert find_head({"out": rows}, (64, 96), 1, Hints(num_classes=80)).layout == "finished"


def test_detections_have_as_many_boxes_as_class_ids() -> None:
    outputs: dict[str, NDArray[Any]] = {
        "dets": np.zeros((1, 7, 5), np.float32),
        "labels": np.zeros((1, 9), np.int64),
    }
    with pytest.raises(ModelError, match="not a YOLOX head"):
        find_head(outputs, (64, 96), 1, Hints(num_classes=80))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": 8}, "strides must be whole numbers, got 8"),
        ({"decoded": 1}, "decoded must be True, False or None, got 1"),
        ({"decoded": np.zeros(2)}, "decoded must be True, False or None"),
        ({"num_classes": "80"}, "num_classes must be a whole number, got '80'"),
    ],
    ids=str,
)
def test_hints_of_another_kind_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Hints.of(None, **options)


def test_hints_are_taken_from_any_iterable() -> None:
    assert Hints.of(None, strides=iter((8, 16))).strides == (8, 16)
    with pytest.raises(ValueError, match="got more than 64 strides"):
        Hints.of(None, strides=iter(lambda: 8, None))
