"""The forms in which YOLOX networks are met, and what only looks like one: edits of a network that gives raw rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING

import row_forms
from finished_forms import corners_and_labels, efficient_nms, mmdeploy, raw_rows_of_rounded_corners, suppressed_rows
from layout_forms import channels_first, half_outputs, maps, nine_maps, rounded_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    Edit = Callable[[onnx.ModelProto], onnx.ModelProto]


def rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give raw rows, as they are."""
    return model


def chain(*edits: Edit) -> Edit:
    return lambda model: reduce(lambda edited, edit: edit(edited), edits, model)


@dataclass(frozen=True)
class Values:
    """What the columns of rows hold, and how to get the raw columns back."""

    make: Edit
    undo: Edit


RAW = Values(rows, rows)
DECODED = Values(row_forms.decoded, row_forms.encoded)
LOGITS = Values(row_forms.logits, row_forms.with_sigmoid)


@dataclass(frozen=True)
class Form:
    """A form, and where to find the detections that it must give.

    Attributes
    ----------
    layout : callable
        What comes of the rows.
    values : Values
        What is in the rows.
    twin : callable
        Makes a network of raw rows in float32 that detects the same; by default the one that the form is made from.
    needs : tuple of str
        What no reader can know from the file, so that the user must say it: options of `Detector`.
    pixels, score : float
        How far detections may be from the twin's, in pixels of the input and in score.
    """

    layout: Edit
    values: Values = RAW
    twin: Edit = rows
    needs: tuple[str, ...] = ()
    pixels: float = 0.01
    score: float = 1e-4

    @property
    def edit(self) -> Edit:
        """What makes the form of a network of raw rows."""
        return chain(self.values.make, self.layout)


def in_half(form: Form) -> Form:
    """Return a form of rows with outputs in float16. The rows of its twin are rounded alike."""
    twin = chain(form.twin, form.values.make, rounded_outputs, form.values.undo)
    return replace(form, layout=chain(form.layout, half_outputs), twin=twin)


def boxes_in_half(form: Form) -> Form:
    """Return a form of boxes with outputs in float16, whose steps are 1/4 from 256 on, and 1/2048 below 1."""
    return replace(form, layout=chain(form.layout, half_outputs), pixels=0.13, score=3e-4)


_NUM_CLASSES, _INPUT_SIZE = ("num_classes",), ("input_size",)
_stride_4_too = partial(row_forms.more_levels, before=(4,))
_stride_64_too = partial(row_forms.more_levels, after=(64,))

ROW_FORMS = {
    "rows": Form(rows),
    "decoded": Form(rows, DECODED),
    "logits": Form(rows, LOGITS),
    "channels first": Form(channels_first),
    "decoded, channels first": Form(channels_first, DECODED, needs=_NUM_CLASSES),
    "logits, channels first": Form(channels_first, LOGITS),
    "maps": Form(maps),
    "maps, stride 32 first": Form(partial(maps, largest_stride_first=True)),
    "maps, channels last": Form(partial(maps, channels_last=True)),
    "maps of logits": Form(maps, LOGITS),
    "nine maps": Form(nine_maps),
    "nine maps, by kind": Form(partial(nine_maps, order="kinds")),
    "nine maps, channels last": Form(partial(nine_maps, channels_last=True)),
    "nine maps of logits": Form(nine_maps, LOGITS),
    "nine maps of logits, by kind": Form(partial(nine_maps, order="kinds"), LOGITS),
    "extra columns": Form(row_forms.extra_columns, needs=_NUM_CLASSES),
    "extra columns of ones": Form(row_forms.extra_ones, needs=_NUM_CLASSES),
    "strides 16, 32": Form(row_forms.without_stride_8, twin=row_forms.silent_stride_8),
    "strides 8 to 64": Form(_stride_64_too),
    "strides 4 to 32": Form(_stride_4_too),
    "decoded, strides 8 to 64": Form(_stride_64_too, DECODED),
    "maps, strides 8 to 64": Form(chain(_stride_64_too, partial(maps, strides=(8, 16, 32, 64)))),
    "maps, strides 4 to 32": Form(chain(_stride_4_too, partial(maps, strides=(4, 8, 16, 32)))),
}
"""All that YOLOX's head gives, in other places or as other numbers."""

BOX_FORMS = {
    "corners, score, label": Form(corners_and_labels, needs=_NUM_CLASSES),
    "NonMaxSuppression": Form(suppressed_rows, needs=_NUM_CLASSES),
    "mmdeploy": Form(mmdeploy, needs=_NUM_CLASSES),
    "mmdeploy, padded with label 0": Form(partial(mmdeploy, empty_label=0), needs=_NUM_CLASSES),
    "EfficientNMS": Form(efficient_nms, needs=_NUM_CLASSES),
}
"""Boxes with a score and a class, most of them suppressed already."""

DYNAMIC_FORMS = {
    "dynamic size": Form(row_forms.dynamic_size, needs=_INPUT_SIZE),
    "dynamic size, logits": Form(row_forms.dynamic_size, LOGITS, needs=_INPUT_SIZE),
}
"""Networks that take any height and width."""

HALF_FORMS = {
    **{f"{name}, float16": in_half(form) for name, form in ROW_FORMS.items()},
    **{f"{name}, float16": boxes_in_half(form) for name, form in BOX_FORMS.items()},
    # Scores that are equal once they are rounded decide which box is suppressed: no tolerance covers that.
    "corners, score, label, float16": Form(
        chain(corners_and_labels, half_outputs), twin=raw_rows_of_rounded_corners, needs=_NUM_CLASSES
    ),
}
"""The same with outputs in float16, integers apart."""

FORMS = ROW_FORMS | BOX_FORMS | DYNAMIC_FORMS | HALF_FORMS
"""What a detector must read."""

AMBIGUOUS: dict[str, Edit] = {
    "rows twice": row_forms.rows_twice,
    "rows raw and decoded": row_forms.rows_and_decoded,
}
"""Two outputs that are each a head: a detector must refuse to choose."""

LOOKALIKES: dict[str, Edit] = {
    "face keypoints, 21 columns": partial(row_forms.keypoint_rows, points=8),
    "decoded boxes, face keypoints, 25 columns": chain(row_forms.decoded, partial(row_forms.keypoint_rows, points=10)),
    "YOLOv8": chain(row_forms.decoded, row_forms.without_objectness, channels_first),
}
"""What has the shape of YOLOX's outputs, and is not one."""
