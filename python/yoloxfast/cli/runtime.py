"""Options of commands that open a model: in which runtime, and how."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from yoloxfast.backends import NAMES
from yoloxfast.cli.values import list_of, positive

if TYPE_CHECKING:
    import argparse

__all__ = ["add_runtime_options", "runtime_options"]


def add_runtime_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
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


def runtime_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return them as `Detector` takes them."""
    return {
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
