"""From an image to detections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from yoloxfast.inference import Inference
from yoloxfast.models import ModelFile

if TYPE_CHECKING:
    import os

    from yoloxfast.backends import Provider
    from yoloxfast.classes import Classes
    from yoloxfast.forms import Semantics
    from yoloxfast.input_format import Color, Numbers
    from yoloxfast.models import PinnedModel
    from yoloxfast.names import Names

__all__ = ["Detector"]

_OF_IMAGES = (
    "score_threshold",
    "iou_threshold",
    "class_agnostic",
    "classes",
    "max_detections",
    "names",
    "semantics",
    "color",
    "legacy",
    "mean",
    "std",
    "scale",
    "input_color",
    "threads",
)
"""Options of `Inference`."""

_OF_OUTPUTS = ("input_size", "strides", "num_classes", "decoded")
"""What the user says of a network that does not say it."""


class Detector(Inference):
    """A YOLOX model, ready to detect. Any number of threads may share one.

    Input size, strides, number of classes, form of the outputs, tensor names and dtypes are read from the model.

    Parameters
    ----------
    model : str or path
        An `.onnx` file, as YOLOX's `export_onnx.py` writes it or in another of the forms that README lists; a TensorRT
        engine built from one (`.engine`, `.plan`, `.trt`), which is a program, so load only what you trust; OpenVINO's
        `.xml`; the name of an official model ("yolox-nano", "-tiny", "-s", "-l", "-x"), which is downloaded once and
        verified; or "demo", a small network of shapes that comes with the package (see `yoloxfast.demo`). YOLOX's own
        spelling, "yolox_s", will do where no file has that name; a name with a suffix, "yolox_s.onnx", is always a
        file.
    backend : str, optional
        Name of the runtime: "onnxruntime", "openvino", "tensorrt" or "tensorrt-rtx". By default the one that fits the
        file: for `.onnx` ONNX Runtime, for engines the one that built them. With a TensorRT for an `.onnx` file, the
        engine is built, which may take minutes, and kept for the next time in the user's cache, or in the folder that
        YOLOXFAST_ENGINES names.
    semantics : str, default "eval"
        The program of YOLOX whose detections these are, to the digit: "eval" (the COCO evaluator), "demo"
        (`tools/demo.py`), "onnx-demo" and "onnx-demo-aware" (`demo/ONNXRuntime`, class-agnostic or not) or "cpp-demo"
        (`demo/TensorRT/cpp`); `yoloxfast.forms.Semantics` tells them apart. Thresholds stay as they are.
    score_threshold : float, default 0.25
        Least objectness times class score, 0 to 1.
    iou_threshold : float, default 0.45
        A box is suppressed if its IoU with a better one is above, 0 to 1.
    class_agnostic : bool, default False
        Whether boxes of different classes suppress one another.
    classes : ids or names, optional
        The only classes to detect; by default all.
    max_detections : int, optional
        Keep only this many of the best.
    names : sequence of str, dict of int to str, or path, optional
        Names of the classes, in order or by id, or in a text file, one a line: a string is a path, never a name. By
        default what the model's metadata say under "names". Where they say nothing, COCO's if there are 80 classes,
        else "class 0" and so on.
    input_size : (int, int), optional
        Height and width in pixels, for a network that takes any: multiples of 32.
    strides : sequence of int, optional
        Strides of the levels, in the order of the raw output, if they are not (8, 16, 32), (16, 32), (4, 8, 16, 32) or
        (8, 16, 32, 64).
    num_classes : int, optional
        How many classes there are, where the outputs have other columns behind them, or do not say it.
    decoded : bool, optional
        Which outputs to take, where some have decoded boxes and others do not.
    color : {"bgr", "rgb"}, default "bgr"
        Order of the channels in the arrays that `detect` gets; of files and PIL images it is known. The model gets its
        own order: see `input_color`.
    legacy : bool, default False
        Whether the model is of YOLOX 0.1.0 or before, which normalised its input (`--legacy` there): the same as
        `scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), input_color="rgb"`.
    scale, mean, std : float or three floats, optional
        What the model was trained with instead of values from 0 to 255: it gets (value * scale - mean) / std, the
        border too, where three numbers are for its channels in its own order, `input_color`. By default 1, 0 and 1.
        `scale=1 / 255` for values from 0 to 1.
    input_color : {"bgr", "rgb"}, default "bgr"
        Order of the channels that the model was trained with.
    precision : {"fp32", "fp16", "bf16"}, optional
        Precision in which OpenVINO runs, or in which TensorRT builds an ONNX file ("fp32" or "fp16", see
        `yoloxfast.tensorrt.build_engine`); "fp32" by default. An engine's precision is fixed when it is built, and ONNX
        Runtime computes as the model says.
    cuda_graphs : bool, default False
        Whether an engine is started as one CUDA graph, which spares the CPU a launch for each kernel of the network.
        Needs cuda-python, which the extra `cuda-python` brings.
    device : int or str, default 0
        Number of the GPU, for TensorRT and for ONNX Runtime's providers that use one; OpenVINO's name of a device, such
        as "GPU", for OpenVINO.
    threads : int, optional
        Threads of one run on the CPU, by ONNX Runtime or OpenVINO; by default one per core, and in streams 1.
    providers : sequence of str or (str, dict), optional
        Execution providers of ONNX Runtime, the preferred first, in its own spelling: `["CUDAExecutionProvider",
        "CPUExecutionProvider"]`. By default the CPU.

    Attributes
    ----------
    input_size : (int, int)
        Height and width of the network's input in pixels.
    num_classes : int
    names : tuple of str
        Names of the classes.
    backend : Backend
        The model in its runtime, with `name`, `device` and `metadata`.
    network : Network
        The model as all runtimes have it, with `head`, `batches` and `describe()`; lends contexts.
    statistics : Statistics
        How long letterbox, wait, network and post-processing took, per image, at the 50th, 95th and 99th percentile.

    Raises
    ------
    ModelError
        The file is not a YOLOX model that this runtime can run, or asks for more than `yoloxfast.limits` allow: bytes
        of the file or of its input, seconds of its first run.
    PermissionError
        Others may write into the folder of built engines.
    FileNotFoundError
        The model, or the file of names, does not exist.
    ValueError, TypeError
        An option out of range, or one that the runtime does not have; an unknown class; not one name per class.
    MissingDependencyError
        The runtime is not installed; says how to install it.
    EngineError
        There is no GPU for an engine, or the runtime failed.
    ConnectionError
        An official model could not be downloaded.

    Notes
    -----
    A model takes images as float32, float16 or uint8: (batch, 3, height, width) or (batch, height, width, 3); the same
    with one channel, for which the image is made grey and then resized; or (batch, 12, height / 2, width / 2), if it
    begins after YOLOX's Focus. See `letterbox`.

    A detector can be pickled, for "spawn", Ray or Dask: it opens its model again, with the same options, where it is
    loaded. The file must be there, under the same absolute path and with the same content.

    Examples
    --------
    >>> detector = yoloxfast.Detector("yolox-nano", classes=["person", "car"])
    >>> detector.detect(cv2.imread("street.jpg"))
    <2 Detections: person 0.91, car 0.84>
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        backend: str | None = None,
        semantics: Semantics = "eval",
        score_threshold: float = 0.25,
        iou_threshold: float = 0.45,
        class_agnostic: bool = False,
        classes: Classes | None = None,
        max_detections: int | None = None,
        names: Names | None = None,
        input_size: tuple[int, int] | None = None,
        strides: Sequence[int] | None = None,
        num_classes: int | None = None,
        decoded: bool | None = None,
        color: Color = "bgr",
        legacy: bool = False,
        mean: Numbers | None = None,
        std: Numbers | None = None,
        scale: Numbers | None = None,
        input_color: Color | None = None,
        precision: Literal["fp32", "fp16", "bf16"] | None = None,
        cuda_graphs: bool = False,
        device: int | str = 0,
        threads: int | None = None,
        providers: Iterable[Provider] | None = None,
    ) -> None:
        from yoloxfast.backends import OPTIONS, Hints, open_network

        if isinstance(providers, Iterable) and not isinstance(providers, str):
            providers = tuple(providers)
        given = locals()
        of_runtime = {option: given[option] for option in OPTIONS}
        of_images = {option: given[option] for option in _OF_IMAGES}
        of_outputs = {option: given[option] for option in _OF_OUTPUTS}
        network = open_network(model, backend=backend, hints=Hints.of(names, **of_outputs), **of_runtime)
        try:
            super().__init__(network, **of_images)
            self._file = ModelFile(model, network.path)
            own = self._own_options | {"names": self.names}
            self._arguments = {"backend": backend} | of_outputs | of_runtime | of_images | own
        except BaseException:
            network.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), self._file.pinned(), self._arguments)


def _open_again(kind: type[Detector], file: PinnedModel, arguments: dict[str, Any]) -> Detector:
    return kind(file.find(), **arguments)
