"""From an image to detections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from yoloxfast.classes import names_in, resolve_classes
from yoloxfast.cores import count_cores
from yoloxfast.models import ModelFile
from yoloxfast.network_input import check_colors, check_source, checked_images
from yoloxfast.pipeline import Pipeline, Run, detect_batches
from yoloxfast.postprocess import PostProcessor
from yoloxfast.statistics import Statistics
from yoloxfast.stream import Stream

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

    from yoloxfast._core import Options
    from yoloxfast.backends import Provider
    from yoloxfast.backends.backend import Backend
    from yoloxfast.backends.network import Network
    from yoloxfast.classes import Classes, Names
    from yoloxfast.detections import Detections
    from yoloxfast.models import PinnedModel
    from yoloxfast.network_input import Color

__all__ = ["Detector"]

_PIXEL = np.zeros((1, 1, 3), np.uint8)
_OF_POST_PROCESSING = ("score_threshold", "iou_threshold", "class_agnostic", "classes", "max_detections")
_OTHERS = ("backend", "names", "color", "legacy")


class Detector:
    """A YOLOX model, ready to detect. Any number of threads may share one.

    Input size, strides, number of classes, tensor names and dtypes are read from the model.

    Parameters
    ----------
    model : str or path
        An `.onnx` file as YOLOX's `export_onnx.py` writes it; a TensorRT engine built from one (`.engine`, `.plan`,
        `.trt`), which is a program, so load only what you trust; OpenVINO's `.xml`; the name of an official model
        ("yolox-nano", "-tiny", "-s", "-l", "-x"), which is downloaded once and verified; or "demo", a small network of
        shapes that comes with the package (see `yoloxfast.demo`).
    backend : str, optional
        Name of the runtime: "onnxruntime", "openvino", "tensorrt" or "tensorrt-rtx". By default the one that fits the
        file: for `.onnx` ONNX Runtime, for engines the one that built them. With a TensorRT for an `.onnx` file, the
        engine is built, which may take minutes, and kept for the next time in the user's cache, or in the folder that
        YOLOXFAST_ENGINES names.
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
    names : sequence of str, or mapping of int to str, optional
        Names of the classes, in order or by id. By default what the model's metadata say under "names", else COCO's if
        there are 80 classes, else "class 0" and so on.
    color : {"bgr", "rgb"}, default "bgr"
        Order of the channels in the images that `detect` gets; the model gets its own order.
    legacy : bool, default False
        Whether the model is of YOLOX 0.1.0 or before, which normalised its input (`--legacy` there).
    precision : {"fp32", "fp16", "bf16"}, optional
        Precision in which OpenVINO runs, or in which TensorRT builds an ONNX file ("fp32" or "fp16", see
        `yoloxfast.tensorrt.build_engine`); "fp32" by default. An engine's precision is fixed when it is built, and ONNX
        Runtime computes as the model says.
    cuda_graphs : bool, default False
        Whether an engine is started as one CUDA graph, which spares the CPU a launch for each kernel of the network.
        Needs cuda-python: `pip install 'yoloxfast[cuda-python]'`.
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
        The file is not a YOLOX model that this runtime can run.
    FileNotFoundError
        There is no such file.
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
        score_threshold: float = 0.25,
        iou_threshold: float = 0.45,
        class_agnostic: bool = False,
        classes: Classes | None = None,
        max_detections: int | None = None,
        names: Names | None = None,
        color: Color = "bgr",
        legacy: bool = False,
        precision: Literal["fp32", "fp16", "bf16"] | None = None,
        cuda_graphs: bool = False,
        device: int | str = 0,
        threads: int | None = None,
        providers: Iterable[Provider] | None = None,
    ) -> None:
        from yoloxfast.backends import OPTIONS, open_network

        if isinstance(providers, Iterable) and not isinstance(providers, str):
            providers = tuple(providers)
        given = locals()
        self._arguments: dict[str, Any] = {name: given[name] for name in (*OPTIONS, *_OF_POST_PROCESSING, *_OTHERS)}
        self.network: Network = open_network(
            model, backend=backend, **{option: self._arguments[option] for option in OPTIONS}
        )
        self.backend: Backend = self.network.backend
        self.statistics = Statistics()
        head = self.network.head
        self.input_size = head.input_size
        self.num_classes = head.num_classes
        try:
            self._file = ModelFile(model, self.network.path)
            check_colors(color, self.network.input.dtype, legacy=legacy)
            if names is None:
                names = names_in(self.backend.metadata, head.num_classes)
            self._post = PostProcessor(head.input_size, head.num_classes, head.strides, names=names)
            self.names = self._post.names
            self._arguments["classes"] = resolve_classes(classes, self.names)
            self._own_options = {name: self._arguments[name] for name in _OF_POST_PROCESSING}
            self._options = self._post.options(**self._own_options)
        except BaseException:
            self.network.close()
            raise
        self._pipeline = Pipeline(self.network, self._post, self.statistics, color, legacy)

    def detect(
        self,
        image: NDArray[Any],
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Detections:
        """Detect objects in one image.

        Parameters
        ----------
        image : ndarray of uint8, (height, width, 3)
            BGR, as `cv2.imread` gives it, unless the detector was made for RGB; any size; crops and strided or flipped
            views will do.
        score_threshold, iou_threshold, classes : optional
            For this call, instead of the detector's own, which None stands for. `yoloxfast.ALL_CLASSES` are all
            classes.

        Returns
        -------
        Detections
            Best score first, boxes in pixels of `image`. YOLOX's evaluator (`yolox/utils/boxes.py`, `postprocess`)
            finds the same.

        Raises
        ------
        TypeError, ValueError
            Not such an image, an option out of range, an unknown class.
        EngineError
            The runtime failed, or the detector is closed.
        ModelError
            The network gave a score above 1, which YOLOX never does.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        check_source(image)
        with Run(self._pipeline, 1) as run:
            run.write([image])
            [found] = run.each(options)
        return found

    def detect_batch(
        self,
        images: Iterable[NDArray[Any]],
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> list[Detections]:
        """Detect objects in any number of images, each of any size, in the network's own batches.

        Letterbox and post-processing of a batch are shared by `threads` threads, while the network runs another batch.

        Parameters
        ----------
        images : iterable of ndarray of uint8, (height, width, 3)
            Each as for `detect`; there may be none.
        score_threshold, iou_threshold, classes : optional
            As for `detect`.

        Returns
        -------
        list of Detections
            What `detect` finds in each, in order.

        Raises
        ------
        TypeError, ValueError
            As for `detect`, for all images before the network runs; or `images` is one image.
        EngineError, ModelError
            As for `detect`. The message says at which images, counted from 0.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        several = checked_images(images)
        threads = self._arguments["threads"] or count_cores()
        return detect_batches(self._pipeline, several, options, threads=threads)

    def stream(
        self,
        frames: Iterable[NDArray[Any]],
        *,
        in_flight: int | None = None,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Stream:
        """Detect objects in frames as they come, without the network ever waiting for the host.

        While the network runs some frames, the next are taken, letterboxed and submitted. On a CPU, as many runs are
        under way as cores over `threads`, where None counts as 1 here: the model is opened a second time for that. A
        network that takes several images runs frames in batches.

        Parameters
        ----------
        frames : iterable of ndarray of uint8, (height, width, 3)
            Each as for `detect`, of any size. One may be overwritten when the next is taken.
        in_flight : int, optional
            Most frames that have been taken and whose detections have not been given out. With 1, each comes as soon as
            can be, and before the next frame is taken. By default two for each run that is under way at once, or a
            batch.
        score_threshold, iou_threshold, classes : optional
            As for `detect`.

        Returns
        -------
        Stream
            Iterator over Detections, in order.

        Raises
        ------
        TypeError, ValueError
            `frames` is not an iterable of images; an option out of range. Later, from the iterator: a frame is not an
            image. The message says which, counted from 0; the detections of the frames before have been given out.
        EngineError, ModelError
            As for `detect`. The message says at which frames.
        Exception
            What `frames` raises, after the detections of the frames before.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        pipeline = self._pipeline._replace(network=self.network.for_streams())
        return Stream(pipeline, frames, options, in_flight=in_flight)

    def warmup(self, n: int = 1) -> None:
        """Run the network `n` times, so that the first image does not wait for what a runtime does only once.

        Raises
        ------
        ValueError
            `n` is below 1.
        EngineError
            The runtime failed, or the detector is closed.
        """
        if n < 1:
            raise ValueError(f"n is {n}, expected at least 1 run")
        with self.network.lend() as context:
            context.letterboxes[0](_PIXEL)
            for _ in range(n):
                context.run()

    def close(self) -> None:
        """Let go of the model. Calls under way in other threads end as usual; may be called again."""
        self.network.close()

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<Detector of {self.num_classes} classes at {height}x{width}, {self.backend.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), self._file.pinned(), self._arguments)

    def _options_of_call(
        self,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Options:
        if score_threshold is None and iou_threshold is None and classes is None:
            return self._options
        asked = {"score_threshold": score_threshold, "iou_threshold": iou_threshold, "classes": classes}
        changed = {name: value for name, value in asked.items() if value is not None}
        return self._post.options(**(self._own_options | changed))


def _open_again(kind: type[Detector], file: PinnedModel, arguments: dict[str, Any]) -> Detector:
    return kind(file.find(), **arguments)
