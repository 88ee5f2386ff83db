"""Options of commands that open a model: what it does not say itself, and in which runtime it runs."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Any

from yoloxfast.backends import NAMES
from yoloxfast.cli.values import list_of, positive, wholes_of

__all__ = ["add_model_options", "model_options"]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    group = parser.add_argument_group("model", "What is found out, unless the model leaves it open.")
    group.add_argument("--input-size", metavar="H,W", type=wholes_of, help="height and width of its input in pixels")
    group.add_argument("--num-classes", metavar="N", type=positive, help="number of its classes")
    group.add_argument("--strides", metavar="A,B", type=wholes_of, help="strides of its levels: 8,16,32")
    group.add_argument(
        "--decoded",
        action=argparse.BooleanOptionalAction,
        help="its boxes are in pixels, as --decode_in_inference of YOLOX exports them, or are not",
    )
    group = parser.add_argument_group("runtime")
    group.add_argument(
        "--backend", metavar="NAME", choices=NAMES, help=f"{', '.join(NAMES)} (default: the one that fits the file)"
    )
    group.add_argument(
        "--device", metavar="N", type=_device, default=0, help="number of the GPU, or OpenVINO's name of a device"
    )
    group.add_argument(
        "--threads", metavar="N", type=positive, help="threads of a run on a CPU (default: one per core)"
    )
    group.add_argument(
        "--precision",
        choices=("fp32", "fp16", "bf16"),
        help="what OpenVINO computes in, or TensorRT from an ONNX file (default: fp32)",
    )
    group.add_argument(
        "--providers", metavar="A,B", type=list_of, help="execution providers of ONNX Runtime (default: the CPU)"
    )


def model_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return them as `Detector` takes them."""
    return {
        "input_size": options.input_size,
        "num_classes": options.num_classes,
        "strides": options.strides,
        "decoded": options.decoded,
        "backend": options.backend,
        "device": options.device,
        "threads": options.threads,
        "precision": options.precision,
        "providers": options.providers,
    }


def _device(text: str) -> int | str:
    with suppress(ValueError):
        return int(text)
    return text
