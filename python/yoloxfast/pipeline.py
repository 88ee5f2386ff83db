"""The way of images through a network: letterbox, run, post-processing. Several runs may be under way."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from yoloxfast.errors import EngineError, ModelError, forget_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

    from yoloxfast._core import Options, PixelFormat
    from yoloxfast.backends import Network
    from yoloxfast.detections import Detections
    from yoloxfast.forms import RawOutput
    from yoloxfast.input_format import Color
    from yoloxfast.postprocess import PostProcessor
    from yoloxfast.statistics import Statistics

__all__ = ["Pipeline", "Run", "Runs", "detect_batches", "numbered"]

_NUMBERED: tuple[type[Exception], ...] = (EngineError, ModelError, MemoryError, TypeError, ValueError)
"""Errors that say more with the number of the image, narrower kinds first."""


class Pipeline(NamedTuple):
    """A network and what surrounds it.

    Attributes
    ----------
    network : Network
    post : PostProcessor
    statistics : Statistics
        Get the times of each image.
    color : {"bgr", "rgb"}
        Order of the channels in the images.
    pixels : PixelFormat
        How the network wants them.
    """

    network: Network
    post: PostProcessor
    statistics: Statistics
    color: Color
    pixels: PixelFormat


class Run:
    """Images on their way through one run of the network, in a context of its own until `release`.

    As a `with` block it is released at the end, and an error keeps none of its buffers alive.

    Parameters
    ----------
    pipeline : Pipeline
    images : int
        How many there may be.

    Attributes
    ----------
    is_submitted : bool

    Raises
    ------
    EngineError
        The network is closed, or the runtime failed.
    """

    __slots__ = (
        "_context",
        "_letterbox",
        "_pipeline",
        "_ready",
        "_scales",
        "_since",
        "_sizes",
        "_waited",
        "is_submitted",
    )

    def __init__(self, pipeline: Pipeline, images: int) -> None:
        self._pipeline = pipeline
        asked = perf_counter()
        self._context = pipeline.network.acquire(images)
        self._ready = perf_counter()
        self._waited = self._ready - asked
        self._letterbox = 0.0
        self._scales: list[float] = []
        self._sizes: list[tuple[int, int]] = []
        self.is_submitted = False

    def __len__(self) -> int:
        return len(self._scales)

    def write(self, images: Sequence[NDArray[Any]], *, threads: int = 1) -> None:
        """Write images, which have been checked, into the next places of the input."""
        began = perf_counter()
        self._scales += self._context.input.write(len(self), images, self._pipeline.pixels, threads=threads)
        self._sizes += [(image.shape[0], image.shape[1]) for image in images]
        self._ready = perf_counter()
        self._letterbox += self._ready - began

    def submit(self) -> None:
        """Start it, so that it is under way while the host does something else; otherwise it starts when asked."""
        self._context.submit()
        self.is_submitted = True

    def wait(self) -> None:
        """Wait for the network, if it was submitted; an error comes when its detections are asked for."""
        if self.is_submitted:
            self._context.wait()

    def is_done(self) -> bool:
        """Whether it was submitted, and the network is done with it."""
        return self.is_submitted and self._context.is_done()

    def detections(self, options: Options, *, threads: int = 1) -> list[Detections]:
        """Wait for it, and return what is found in each image."""
        raw = self._raw()
        began = perf_counter()
        found = self._pipeline.post.run_batch(raw, self._scales, options, image_sizes=self._sizes, threads=threads)
        self._record(began, len(found))
        return found

    def each(self, options: Options) -> Iterator[Detections]:
        """Do the same image by image, so that what is found before an error is not lost."""
        head, raw = self._pipeline.network.head, self._raw()
        began, found = perf_counter(), 0
        try:
            for scale, size in zip(self._scales, self._sizes, strict=True):
                yield self._pipeline.post.run(head.of_image(raw, found), scale, options, image_size=size)
                found += 1
        finally:
            self._record(began, found)

    def _raw(self) -> RawOutput:
        """Wait for the raw outputs of its images, or run it if that has not begun."""
        if self.is_submitted:
            self._context.result()
        else:
            self._context.run()
        return self._pipeline.network.head.raw(self._context.outputs, len(self))

    def _record(self, began: float, found: int) -> None:
        ended, network = perf_counter(), self._context.seconds
        waited = self._waited + began - self._ready - network
        self._pipeline.statistics.record(found, self._letterbox, waited, network, ended - began)

    def release(self) -> None:
        """Wait for the run if it is still under way, and give the context back."""
        try:
            self._context.settle()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give the context back without waiting: whoever gets it next will wait."""
        self._pipeline.network.release(self._context)

    def __enter__(self) -> Self:
        self._since = sys.exc_info()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            forget_frames(error, since=self._since)
        self.release()


class Runs(deque[Run]):
    """Runs under way, the oldest first."""

    def release(self) -> None:
        """Release all; if one of them cannot be, or Ctrl-C is pressed, the others nevertheless."""
        with ExitStack() as last_first:
            while self:
                last_first.callback(self.pop().release)

    def abandon(self) -> None:
        """Abandon all."""
        while self:
            self.popleft().abandon()


def detect_batches(
    pipeline: Pipeline, images: Sequence[NDArray[Any]], options: Options, *, threads: int
) -> list[Detections]:
    """Find the detections of images, which have been checked, in batches of the network.

    While it runs one batch, the next is letterboxed and the one before post-processed, on up to `threads` threads.

    Raises
    ------
    TypeError, ValueError, EngineError, ModelError
        As `Detector.detect`; the message says at which images.
    """
    network, at_once = pipeline.network, pipeline.network.backend.runs_at_once
    size = network.batches.best if len(images) <= network.batches.best else network.images_per_run
    runs, found, since = Runs(), list["Detections"](), sys.exc_info()[1]

    def start(first: int) -> None:
        batch = images[first : first + size]
        try:
            runs.append(Run(pipeline, len(batch)))
            runs[-1].write(batch, threads=threads)
            if len(images) > size:
                runs[-1].submit()
        except _NUMBERED as error:
            raise numbered(error, "image", first, len(batch), since=since) from error

    def finish_oldest() -> None:
        try:
            found.extend(runs[0].detections(options, threads=threads))
        except _NUMBERED as error:
            raise numbered(error, "image", len(found), len(runs[0]), since=since) from error
        runs.popleft().release()

    try:
        for first in range(0, len(images), size):
            start(first)
            if len(runs) > at_once:
                finish_oldest()
        while runs:
            finish_oldest()
    finally:
        runs.release()
    return found


def numbered(error: Exception, noun: str, first: int, count: int = 1, *, since: BaseException | None) -> Exception:
    """Return an error that also says at which images or frames, counted from 0, it was met.

    The error before it forgets its frames, which hold buffers and whoever is to raise this one; see `forget_frames`.
    """
    forget_frames(error, since=since)
    kind = next((kind for kind in _NUMBERED if isinstance(error, kind)), None)
    if kind is None:
        return error
    which = f"{noun} {first}" if count == 1 else f"{noun}s {first} to {first + count - 1}"
    with_number = kind(f"{which}: {error}")
    with_number.__cause__ = error.with_traceback(None)
    return with_number
