"""The forms in which YOLOX networks are met, and what only looks like one: edits of a network that gives raw rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import row_forms
from finished_forms import corners_and_labels, efficient_nms, mmdeploy, suppressed_rows
from layout_forms import channels_first, half_outputs, maps, nine_maps, rounded_outputs
from row_forms import decoded, logits, more_levels

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
class Form:
    """A form, and where to find the detections that it must give.

    Attributes
    ----------
    edit : callable
        Makes it.
    twin : callable
        Makes a network of a simpler form that detects the same; by default the one that it was made from does.
    needs : tuple of str
        What no reader can know from the file, so that the user must say it: options of `Detector`.
    """

    edit: Edit
    twin: Edit = rows
    needs: tuple[str, ...] = ()

    def half(self) -> Form:
        """Return the same with outputs in float16. Its twin has the same rounded numbers in float32."""
        return Form(chain(self.edit, half_outputs), chain(self.edit, rounded_outputs), self.needs)


_P2, _P6 = (4, 8, 16, 32), (8, 16, 32, 64)
_with_stride_4 = partial(more_levels, before=(4,))
_with_stride_64 = partial(more_levels, after=(64,))
_CLASSES = ("num_classes",)

_IN_FLOAT32 = {
    "rows": Form(rows),
    "decoded": Form(decoded),
    "logits": Form(logits),
    "channels first": Form(channels_first),
    "decoded, channels first": Form(chain(decoded, channels_first)),
    "logits, channels first": Form(chain(logits, channels_first)),
    "maps": Form(maps),
    "maps, stride 32 first": Form(partial(maps, largest_stride_first=True)),
    "maps, channels last": Form(partial(maps, channels_last=True)),
    "maps of logits": Form(chain(logits, maps)),
    "nine maps": Form(nine_maps),
    "nine maps, by kind": Form(partial(nine_maps, order="kinds")),
    "nine maps, channels last": Form(partial(nine_maps, channels_last=True)),
    "nine maps of logits": Form(chain(logits, nine_maps)),
    "nine maps of logits, by kind": Form(chain(logits, partial(nine_maps, order="kinds"))),
    "corners, score, label": Form(corners_and_labels, needs=_CLASSES),
    "extra columns": Form(row_forms.extra_columns, needs=_CLASSES),
    "extra columns of ones": Form(row_forms.extra_ones, needs=_CLASSES),
    "NonMaxSuppression": Form(suppressed_rows, needs=_CLASSES),
    "mmdeploy": Form(mmdeploy, needs=_CLASSES),
    "mmdeploy, padded with label 0": Form(partial(mmdeploy, empty_label=0), needs=_CLASSES),
    "EfficientNMS": Form(efficient_nms, needs=_CLASSES),
    "strides 16, 32": Form(row_forms.without_stride_8, row_forms.silent_stride_8),
    "strides 8 to 64": Form(_with_stride_64),
    "strides 4 to 32": Form(_with_stride_4),
    "decoded, strides 8 to 64": Form(chain(decoded, _with_stride_64)),
    "maps, strides 8 to 64": Form(chain(_with_stride_64, partial(maps, strides=_P6))),
    "maps, strides 4 to 32": Form(chain(_with_stride_4, partial(maps, strides=_P2))),
}

_DYNAMIC = {
    "dynamic size": Form(row_forms.dynamic_size, needs=("input_size",)),
    "dynamic size, logits": Form(chain(logits, row_forms.dynamic_size), needs=("input_size",)),
}

FORMS = {**_IN_FLOAT32, **_DYNAMIC, **{f"{name}, float16": form.half() for name, form in _IN_FLOAT32.items()}}
"""What a detector must read."""

AMBIGUOUS: dict[str, Edit] = {
    "rows twice": row_forms.rows_twice,
    "rows raw and decoded": row_forms.rows_and_decoded,
}
"""Two outputs that are each a head: a detector must refuse to choose."""

LOOKALIKES: dict[str, Edit] = {
    "face keypoints, 21 columns": partial(row_forms.keypoint_rows, points=8),
    "decoded boxes, face keypoints, 25 columns": chain(decoded, partial(row_forms.keypoint_rows, points=10)),
    "YOLOv8": chain(decoded, row_forms.without_objectness, channels_first),
}
"""What has the shape of YOLOX's outputs, and is not one."""
