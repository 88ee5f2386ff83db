"""TensorRT engines: built from ONNX files, stored with what they are, kept for the next time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from yoloxfast.errors import ModelError
from yoloxfast.models import find_model, official_name
from yoloxfast.tensorrt.recipe import Recipe

if TYPE_CHECKING:
    import os

    from yoloxfast.names import Names
    from yoloxfast.tensorrt.recipe import Batch, Precision

__all__ = ["RUNTIMES", "SUFFIXES", "build_engine"]

SUFFIXES = (".engine", ".plan", ".trt")
"""Of engine files."""

RUNTIMES = ("tensorrt", "tensorrt-rtx")
"""The runtimes that build and run engines, each only its own."""


def build_engine(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    runtime: str = "tensorrt",
    precision: Precision = "fp32",
    batch: Batch | None = None,
    takes_bytes: bool = False,
    workspace: float | None = None,
    device: int = 0,
    names: Names | None = None,
) -> Path:
    """Build an engine file from an ONNX file.

    The engine runs on the version of the runtime that built it. A TensorRT engine runs on the kind of GPU that it was
    built on; a TensorRT-RTX engine runs on all GPUs that TensorRT-RTX supports, and can be built without one.

    Parameters
    ----------
    model : str or path
        An `.onnx` file, or the name of a model, as `Detector` takes them.
    output : str or path, optional
        The engine file, which is replaced when the new one is complete; by default the model's name with the suffix
        `.engine`, in the current folder.
    runtime : {"tensorrt", "tensorrt-rtx"}
    precision : {"fp32", "fp16"}
        "fp32" computes as the model says, and float32 without TF32. "fp16" computes all but the last convolutions,
        which give boxes and scores, in float16; input and output stay as they are.
    batch : int or (int, int, int), optional
        Images per run; or the least, the best and the largest number. By default what the model was exported with,
        1 if that was any number. `Detector.detect` runs the least.
    takes_bytes : bool, default False
        Whether the input becomes uint8: a quarter of the bytes to copy to the GPU, without loss for pixels. Not for
        models whose input is normalised, such as legacy ones.
    workspace : float, optional
        GiB of the GPU's memory that layers may use while they run; by default all.
    device : int, default 0
        Number of the GPU that TensorRT builds for; TensorRT-RTX builds for all.
    names : sequence of str, dict of int to str, or path, optional
        Names of the classes, which the engine keeps, as `Detector` takes them; by default those that `Detector` finds.

    Returns
    -------
    Path
        The engine file.

    Raises
    ------
    ModelError
        Not a YOLOX; it cannot be converted as asked; or TensorRT cannot parse it, in its own words.
    EngineError
        There is no GPU, or TensorRT cannot build the engine, in its own words.
    ValueError, TypeError
        An option out of range; not one name per class.
    FileNotFoundError
        The model, or the file of names, does not exist.
    OSError
        The file cannot be written; that is found out before the build.
    MissingDependencyError
        A package is not installed; says how to install it.
    """
    recipe = Recipe.checked(precision=precision, batch=batch, takes_bytes=takes_bytes, workspace=workspace)
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime is {runtime!r}, expected {' or '.join(map(repr, RUNTIMES))}")
    if runtime == "tensorrt-rtx" and device != 0:
        raise ValueError(f"device is {device!r}, but TensorRT-RTX builds for all GPUs: leave it at 0")
    from yoloxfast.tensorrt.building import EngineBuilder

    path = None if official_name(model) else find_model(model)
    builder = EngineBuilder(runtime, device)  # what it needs is found out before anything is downloaded
    path = path or find_model(model)
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path} is not an ONNX file, expected one, with the suffix .onnx")
    output = Path(f"{path.stem}.engine" if output is None else output)
    if not output.parent.is_dir():
        raise FileNotFoundError(f"no folder {output.parent} for the engine")
    if output.exists() and not output.is_file():
        raise ValueError(f"{output} is not a file, expected one for the engine, or a name that is free")
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{output} has the suffix {output.suffix!r}, expected {', '.join(SUFFIXES)} for an engine")
    builder.build(path, output, recipe, names)
    return output
