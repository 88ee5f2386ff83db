"""`yoloxfast build`: engines from ONNX files."""

from __future__ import annotations

import argparse

from yoloxfast.cli.output import check_output, say
from yoloxfast.cli.values import name_of, path_of
from yoloxfast.errors import how_to_install
from yoloxfast.tensorrt import RUNTIMES, build_engine
from yoloxfast.tensorrt.engine_file import read_engine

_DESCRIPTION = """\
Build a TensorRT engine from an ONNX file.

An engine of TensorRT runs on the version and the kind of GPU that built it. One
of TensorRT-RTX runs on that version and all GPUs that it supports, and needs
none to be built."""

_EPILOG = f"""\
examples:
  yoloxfast build yolox_s.onnx
  yoloxfast build yolox_s.onnx --precision fp16 --bytes -o yolox_s_fp16.engine
  yoloxfast build yolox_s.onnx --batch 1:4:8 --runtime tensorrt-rtx

fp32 computes as the model says, and float32 without TF32. fp16 computes all in
float16 but the last convolutions, which give boxes and scores; input and output
stay as they are.

Packages: {how_to_install("build,tensorrt")},
or [build,tensorrt-rtx].

Detector.detect runs the least batch.

An engine is a program: load only those that you trust."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "build",
        help="build a TensorRT engine from an ONNX file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL.onnx", help="model file, or name of a model")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=name_of, help="engine file (default: MODEL.engine in this folder)"
    )
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="see below (default: fp32)")
    parser.add_argument(
        "--batch",
        type=_batch,
        metavar="MIN:OPT:MAX",
        help="images per run: least, best, largest; or one number (default: the model's, 1 if it takes any)",
    )
    parser.add_argument(
        "--bytes", action="store_true", help="take uint8: a quarter to copy to the GPU; not for normalised inputs"
    )
    parser.add_argument(
        "--workspace", type=float, metavar="GIB", help="GPU memory that layers may use while they run (default: all)"
    )
    parser.add_argument("--runtime", choices=RUNTIMES, default="tensorrt", help="what is to run it (default: tensorrt)")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="GPU to build on, for TensorRT (default: 0)")
    parser.add_argument(
        "--names",
        metavar="FILE",
        type=path_of,
        help="text file with names of the classes, one a line, which the engine keeps",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build; return the exit status."""
    check_output()
    engine = build_engine(
        options.model,
        options.output,
        runtime=options.runtime,
        precision=options.precision,
        batch=options.batch,
        takes_bytes=options.bytes,
        workspace=options.workspace,
        device=options.device,
        names=options.names,
    )
    metadata = read_engine(engine).metadata
    say("{}: {:,} bytes, {precision}, batch {batch}, {runtime}".format(engine, engine.stat().st_size, **metadata))
    return 0


def _batch(text: str) -> int | tuple[int, ...]:
    try:
        numbers = [int(number) for number in text.split(":")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither MIN:OPT:MAX nor a number") from None
    return numbers[0] if len(numbers) == 1 else tuple(numbers)
