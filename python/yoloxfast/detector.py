"""From an image to detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast._core import BOX_COLUMNS
from yoloxfast.classes import names_in, resolve_classes
from yoloxfast.postprocess import PostProcessor

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

    from yoloxfast.backends import Backend, ExecutionContext
    from yoloxfast.classes import Classes, Names
    from yoloxfast.detections import Detections
    from yoloxfast.letterbox import Color
    from yoloxfast.tensorrt.recipe import Precision

__all__ = ["Detector"]

_PIXEL = np.zeros((1, 1, 3), np.uint8)


class Detector:
    """A YOLOX model, ready to detect. Any number of threads may share one.

    Input size, strides, number of classes, tensor names and dtypes are read from the model.

    Parameters
    ----------
    model : str or path
        An `.onnx` file as YOLOX's `export_onnx.py` writes it; a TensorRT engine that was built of one (`.engine`,
        `.plan`, `.trt`), which is a program, so load only what you trust; the name of an official model ("yolox-nano",
        "-tiny", "-s", "-l", "-x"), which is downloaded once and verified; or "demo", a small network of shapes that
        comes with the package (see `yoloxfast.demo`).
    backend : str, optional
        Name of the runtime: "onnxruntime", "tensorrt" or "tensorrt-rtx". By default the one that fits the file:
        for engines the one that built them. With a TensorRT for an `.onnx` file, the engine is built, which may take
        minutes, and kept for the next time in the user's cache, or in the folder that YOLOXFAST_ENGINES names.
    score_threshold : float, default 0.25
        Least objectness times class score, 0 to 1.
    iou_threshold : float, default 0.45
        A box is suppressed if its IoU with a better one is above, 0 to 1.
    class_agnostic : bool, default False
        Whether boxes of different classes suppress one another.
    classes : ids or names, optional
        The only classes to detect.
    max_detections : int, optional
        Keep only this many of the best.
    names : sequence of str, or mapping of int to str, optional
        Names of the classes, in order or by id. By default what the model's metadata say under "names", else COCO's if
        there are 80 classes, else "class 0" and so on.
    color : {"bgr", "rgb"}, default "bgr"
        Order of the channels in the images that `detect` gets; the model gets its own order.
    legacy : bool, default False
        Whether the model is of YOLOX 0.1.0 or before, which normalised its input (`--legacy` there).
    precision : {"fp32", "fp16"}, optional
        How TensorRT shall compute an ONNX file; "fp32" by default. See `yoloxfast.tensorrt.build_engine`.
    cuda_graphs : bool, default False
        Whether an engine is started as one CUDA graph, which spares the CPU a launch for each kernel of the network.
        Needs cuda-python: `pip install 'yoloxfast[cuda-python]'`.
    device : int, default 0
        Number of the GPU; ONNX Runtime runs on the CPU and takes only 0.
    threads : int, optional
        Threads of ONNX Runtime; by default one per core. Not for engines.

    Attributes
    ----------
    input_size : (int, int)
        Height and width of the network's input in pixels.
    num_classes : int
    names : tuple of str
        Names of the classes.
    backend : Backend
        The runtime, with `name` and `describe()`.

    Raises
    ------
    ModelError
        The file is not a YOLOX model that this runtime can run.
    FileNotFoundError
        There is no such file.
    ValueError, TypeError
        An option out of range, an unknown class, not one name per class.
    MissingDependencyError
        The runtime is not installed; says how to install it.
    EngineError
        There is no GPU for an engine, or the runtime failed.
    ConnectionError
        An official model could not be downloaded.

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
        precision: Precision | None = None,
        cuda_graphs: bool = False,
        device: int = 0,
        threads: int | None = None,
    ) -> None:
        from yoloxfast.backends import open_backend

        self.backend: Backend = open_backend(
            model,
            backend=backend,
            precision=precision,
            cuda_graphs=cuda_graphs,
            device=device,
            threads=threads,
        )
        head = self.backend.head
        self.input_size = head.input_size
        self.num_classes = head.num_classes
        self._score_threshold = score_threshold
        self._iou_threshold = iou_threshold
        self._class_agnostic = class_agnostic
        self._max_detections = max_detections
        self._color = color
        self._legacy = legacy
        try:
            if names is None:
                names = names_in(self.backend.metadata, head.num_classes)
            self._post = PostProcessor(head.input_size, head.num_classes, head.strides, names=names)
            self.names = self._post.names
            self._classes = resolve_classes(classes, self.names)
            self._check_options()
        except BaseException:
            self.close()
            raise

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
            For this call, instead of the detector's own. None means the detector's own.

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
        with self.backend.execution_context() as context:
            scale = self._letterbox(image, context)
            return self._postprocess(context.run()[0], scale, score_threshold, iou_threshold, classes)

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
        with self.backend.execution_context() as context:
            self._letterbox(_PIXEL, context)
            for _ in range(n):
                context.run()

    def close(self) -> None:
        """Let go of the model. Calls under way in other threads end as usual; may be called again."""
        self.backend.close()

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<Detector of {self.num_classes} classes at {height}x{width}, {self.backend.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _letterbox(self, image: NDArray[Any], context: ExecutionContext) -> float:
        return context.letterboxes[0](image, color=self._color, legacy=self._legacy)

    def _postprocess(
        self,
        raw: NDArray[Any],
        scale: float,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Detections:
        return self._post(
            raw,
            scale=scale,
            score_threshold=self._score_threshold if score_threshold is None else score_threshold,
            iou_threshold=self._iou_threshold if iou_threshold is None else iou_threshold,
            class_agnostic=self._class_agnostic,
            classes=self._classes if classes is None else classes,
            max_detections=self._max_detections,
        )

    def _check_options(self) -> None:
        """Try them on a pixel, and on an output in which nothing passes: that says now what is wrong with them."""
        with self.backend.execution_context() as context:
            self._letterbox(_PIXEL, context)
        nothing = np.full((self.backend.head.num_anchors, BOX_COLUMNS + self.num_classes), -1, np.float32)
        self._postprocess(nothing, 1.0)
