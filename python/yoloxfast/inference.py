"""What a detector does with images, whoever opened its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from yoloxfast.arguments import checked_whole
from yoloxfast.classes import resolve_classes
from yoloxfast.cores import count_cores
from yoloxfast.input_format import PixelOptions, layouts_of, pixel_format
from yoloxfast.media.pixels import pixels_of
from yoloxfast.names import class_names
from yoloxfast.network_input import check_are_several
from yoloxfast.pipeline import Pipeline, Run, detect_batches
from yoloxfast.postprocess import PostProcessor
from yoloxfast.statistics import Statistics
from yoloxfast.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from yoloxfast._core import Options
    from yoloxfast.backends.backend import Backend
    from yoloxfast.backends.network import Network
    from yoloxfast.classes import Classes
    from yoloxfast.detections import Detections
    from yoloxfast.forms import Semantics
    from yoloxfast.input_format import Color, Numbers
    from yoloxfast.media.pixels import ImageLike
    from yoloxfast.names import Names

__all__ = ["Inference"]

_PIXEL = np.zeros((1, 1, 3), np.uint8)


class Inference:
    """A network that detects: the part of a `Detector` that needs no file.

    Parameters
    ----------
    network : Network
        Closed with this.
    names, semantics, color, legacy, mean, std, scale, input_color, threads
        As for `Detector`.
    **options
        Those of `PostProcessor.options`, for calls that do not say otherwise.

    Attributes
    ----------
    network : Network
    backend : Backend
    input_size : (int, int)
    num_classes : int
    names : tuple of str
    statistics : Statistics
        Those of `Detector`.

    Raises
    ------
    ValueError, TypeError
        An option out of range; an unknown class; not one name per class.
    """

    def __init__(
        self,
        network: Network,
        *,
        names: Names | None = None,
        semantics: Semantics = "eval",
        color: Color = "bgr",
        legacy: bool = False,
        mean: Numbers | None = None,
        std: Numbers | None = None,
        scale: Numbers | None = None,
        input_color: Color | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> None:
        self.network = network
        self.backend: Backend = network.backend
        head = network.head
        self.input_size = head.input_size
        self.num_classes = head.num_classes
        layout, *_ = layouts_of(network.input.shape[1:])
        asked = PixelOptions(color=color, legacy=legacy, mean=mean, std=std, scale=scale, input_color=input_color)
        in_cpp = semantics == "cpp-demo"
        pixels = pixel_format(network.input.dtype, layout.channels, **asked, single_precision=in_cpp)
        names = class_names(names, head.num_classes, self.backend.metadata)
        self._post = PostProcessor(
            head.input_size,
            head.num_classes,
            head.strides,
            names=names,
            semantics=semantics,
            layout=head.layout,
            decoded=head.decoded,
            logits=head.logits,
            extra_columns=head.extra_columns,
        )
        self.names = self._post.names
        self.statistics = Statistics()
        self._pipeline = Pipeline(network, self._post, self.statistics, color, pixels)
        self._threads = threads
        self._own_options = options | {"classes": resolve_classes(options.get("classes"), self.names)}
        self._options = self._post.options(**self._own_options)

    def detect(
        self,
        image: ImageLike,
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Detections:
        """Detect objects in one image.

        Parameters
        ----------
        image : ndarray of uint8, (height, width, 3) or (height, width); or a path; or a PIL image
            Of any size. An array is BGR, as `cv2.imread` gives it, unless the detector was made for RGB, or grey; crops
            and strided, flipped or reversed views will do. A file is read as `yoloxfast detect` reads it, with OpenCV.
            Files and PIL images have the right colours whatever the detector's `color` is, lose their transparency,
            and are turned upright as their EXIF says: boxes are in pixels of `PIL.ImageOps.exif_transpose(image)`. PIL
            images of more than 8 bits (modes I, I;16 and F) are refused.
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
            Not such an image, a file that is not an image, an option out of range, an unknown class.
        OSError, MemoryError, MissingDependencyError
            The file cannot be read, or does not fit into memory; OpenCV, which reads it, is not installed.
        EngineError
            The runtime failed, or the detector is closed.
        ModelError
            The network gave a score above 1, which YOLOX never does.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        pixels = pixels_of(image, self._pipeline.color)
        with Run(self._pipeline, 1) as run:
            run.write([pixels])
            [found] = run.each(options)
        return found

    def detect_batch(
        self,
        images: Iterable[ImageLike],
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> list[Detections]:
        """Detect objects in any number of images, each of any size, in the network's own batches.

        Letterbox and post-processing of a batch are shared by `threads` threads, while the network runs other batches.
        More images than one batch run as in `stream`.

        Parameters
        ----------
        images : iterable of images
            Each as for `detect`: arrays, paths, PIL images. There may be none. All are read before the network runs,
            and kept until the end: `stream` suits many files better.
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
        OSError, MemoryError, MissingDependencyError
            As for `detect`.
        EngineError, ModelError
            As for `detect`. The message says at which images, counted from 0.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        check_are_several(images, "images")
        color = self._pipeline.color
        several = [pixels_of(image, color, f"image {number}") for number, image in enumerate(images)]
        pipeline = self._pipeline if len(several) <= self.network.batches.best else self._pipeline_for_streams()
        return detect_batches(pipeline, several, options, threads=self._threads or count_cores())

    def stream(
        self,
        frames: Iterable[ImageLike],
        *,
        in_flight: int | None = None,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        classes: Classes | None = None,
    ) -> Stream:
        """Detect objects in frames as they come, without the network ever waiting for the host.

        While the network runs some frames, the next are taken, letterboxed and submitted. On a CPU, as many runs are
        under way as cores over `threads`, where None counts as 1 here; the model is opened again for that, if need be.
        Where batches pay, which is on GPUs, a network that takes several images runs frames in batches.

        Parameters
        ----------
        frames : iterable of images
            Each as for `detect`: arrays, paths, PIL images. An array may be overwritten when the next is taken.
        in_flight : int, optional
            Most frames that have been taken and whose detections have not been given out. With 1, each comes as soon as
            can be, and before the next frame is taken. By default two for each run that is under way at once and, on a
            CPU, four more: 8 on two cores; at least a batch for each run.
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
        OSError, MemoryError, MissingDependencyError
            As for `detect`, in the same way.
        EngineError, ModelError
            As for `detect`. The message says at which frames.
        Exception
            What `frames` raises, after the detections of the frames before.
        """
        options = self._options_of_call(score_threshold, iou_threshold, classes)
        return Stream(self._pipeline_for_streams(), frames, options, in_flight=in_flight)

    def warmup(self, n: int = 1) -> None:
        """Run the network `n` times, so that the first image does not wait for what a runtime does only once.

        Raises
        ------
        TypeError, ValueError
            `n` is not a whole number, or below 1.
        EngineError
            The runtime failed, or the detector is closed.
        """
        n = checked_whole(n, "n")
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

    def _pipeline_for_streams(self) -> Pipeline:
        return self._pipeline._replace(network=self.network.for_streams())

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
