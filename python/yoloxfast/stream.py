"""Detections of frames as they come, while the network is never without work."""

from __future__ import annotations

import atexit
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

from yoloxfast.arguments import checked_whole
from yoloxfast.errors import EngineError
from yoloxfast.media.pixels import pixels_of
from yoloxfast.network_input import check_are_several
from yoloxfast.pipeline import Run, Runs, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from yoloxfast._core import Options
    from yoloxfast.detections import Detections
    from yoloxfast.media.pixels import ImageLike
    from yoloxfast.pipeline import Pipeline

__all__ = ["Stream"]

_QUEUED_PER_RUN = 2
"""Runs that keep the network busy while the host works, for each that is under way at once: it, and one behind it."""


class Stream(Iterator["Detections"]):
    """Detections of frames, in order; what `Detector.stream` returns.

    A frame is letterboxed as soon as it has been taken, by the thread that asks for results, and submitted; the network
    runs in the background. So the source is read by that thread alone, and may write the next frame into the same
    memory.

    `close()`, the end of a `with` block, an error, and the end of the last reference to it wait for all that is under
    way; no thread is left. Other threads may close it, but only one may read from it at a time.

    Attributes
    ----------
    in_flight : int
        Most frames that have been taken and whose detections have not been given out.
    """

    def __init__(
        self, pipeline: Pipeline, frames: Iterable[ImageLike], options: Options, *, in_flight: int | None
    ) -> None:
        check_are_several(frames, "frames")
        network, backend = pipeline.network, pipeline.network.backend
        at_once, images = backend.runs_at_once, network.images_per_run
        self._queued = _QUEUED_PER_RUN * at_once
        self._spare = backend.spare_runs
        default = max(self._queued + self._spare, at_once * images)
        self.in_flight = default if in_flight is None else _checked(in_flight)
        share_of_run = max(network.batches.least, self.in_flight // at_once)
        self._places = min(images, share_of_run, self.in_flight)
        self._pipeline, self._options = pipeline, options
        self._frames: Iterator[ImageLike] | None = iter(frames)
        self._taken = self._given = 0
        self._runs = Runs()
        self._found: deque[Detections] = deque()
        self._error: Exception | None = None
        self._since: BaseException | None = None
        self._is_closed = False
        self._reading = Lock()
        self._reader = get_ident()
        self._process = os.getpid()
        _open_streams.add(self)

    def __next__(self) -> Detections:
        if os.getpid() != self._process:
            raise EngineError("a stream does not survive a fork: make one in this process")
        if not self._reading.acquire(blocking=False):
            if self._is_closed:
                raise StopIteration
            raise RuntimeError(
                "this stream is being read already, by another thread or by its own source: give each its own stream"
            )
        try:
            self._reader, self._since = get_ident(), sys.exc_info()[1]
            return self._next()
        except BaseException:
            self._is_closed = True
            raise
        finally:
            self._since = None
            self._reading.release()
            if self._is_closed:
                self.close()

    def close(self) -> None:
        """End it. What is under way is waited for; what it would have given is dropped. May be called again.

        If another thread is waiting for a result, that thread ends it as soon as it comes back.
        """
        self._is_closed = True
        if os.getpid() != self._process:  # the threads that run the network are not in a fork
            return
        is_mine = self._reading.acquire(blocking=False)
        try:
            if is_mine or self._reader == get_ident():  # Ctrl-C may have left it locked
                self._frames = self._error = None
                self._found.clear()
                self._runs.release()
        finally:
            if is_mine:
                self._reading.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            if self._reader == get_ident():
                self.close()
            else:  # the garbage collector, in a thread that may be the one that is to be waited for
                self._runs.abandon()
        except Exception:  # noqa: BLE001, S110  # as in Network
            pass

    def _next(self) -> Detections:
        if not self._found and self._has_room():
            self._take()
        while not self._found:
            if self._is_closed:
                raise StopIteration
            if self._runs and self._runs[0].is_done():
                self._finish_oldest()
            elif self._has_room():
                self._take()
            elif self._runs:
                self._wait()
                self._finish_oldest()
            else:
                self._raise_error()
        self._given += 1
        return self._found.popleft()

    def _raise_error(self) -> NoReturn:
        error, self._error = self._error, None
        try:
            if error is None:
                raise StopIteration
            raise error
        finally:
            del error  # its traceback refers to this frame

    def _has_room(self) -> bool:
        return self._frames is not None and not self._is_closed and self._taken - self._given < self.in_flight

    def _take(self) -> None:
        """Take a frame and add it to the last run, which is submitted when it is full."""
        number = self._taken
        try:
            frame = next(self._frames)  # type: ignore[arg-type]  # there is room only while there are frames
        except StopIteration:
            self._end(None)
        except Exception as error:  # noqa: BLE001  # it is raised when its turn comes
            self._end(error)
        else:
            self._taken += 1
            self._add(frame, number)

    def _add(self, frame: ImageLike, number: int) -> None:
        try:
            pixels = pixels_of(frame, self._pipeline.color, f"frame {number}")
        except Exception as error:  # noqa: BLE001  # it is raised when its turn comes
            self._end(error.with_traceback(None))
            return
        try:
            if not self._runs or self._runs[-1].is_submitted:
                self._runs.append(Run(self._pipeline, self._places))
            self._runs[-1].write([pixels])
        except Exception as error:  # noqa: BLE001  # as above
            self._end(numbered(error, "frame", number, since=self._since))
        else:
            if len(self._runs[-1]) == self._places:
                self._submit()

    def _submit(self) -> None:
        run = self._runs[-1]
        try:
            run.submit()
        except Exception as error:  # noqa: BLE001  # as above
            self._runs.pop()
            first = self._given + len(self._found) + sum(map(len, self._runs))
            with_number = numbered(error, "frame", first, len(run), since=self._since)
            run.release()
            self._end(with_number)

    def _end(self, error: Exception | None) -> None:
        """Take no more frames; after the results of those that were taken, raise the error."""
        self._frames, self._error = None, error
        if self._runs and not self._runs[-1].is_submitted:
            if len(self._runs[-1]) == 0:
                self._runs.pop().release()
            else:
                self._submit()

    def _wait(self) -> None:
        """Wait for the oldest run, and, while frames come, for as many more as can be spared."""
        spare = min(len(self._runs) - self._queued, self._spare)
        if self._frames is not None and spare > 0:
            self._runs[spare - 1].wait()

    def _finish_oldest(self) -> None:
        run = self._runs[0]
        try:
            for detections in run.each(self._options):
                self._found.append(detections)
        except Exception as error:  # noqa: BLE001  # as above
            count = len(run) if isinstance(error, EngineError) else 1
            with_number = numbered(error, "frame", self._given + len(self._found), count, since=self._since)
            self._runs.release()  # when no frame of the error refers to a context any more
            self._end(with_number)
        else:
            self._runs.popleft().release()


def _checked(in_flight: Any) -> int:
    number = checked_whole(in_flight, "in_flight")
    if number < 1:
        raise ValueError(f"in_flight is {number}, expected at least 1 frame, or None")
    return number


_open_streams: WeakSet[Stream] = WeakSet()


@atexit.register
def _close_all() -> None:
    for stream in list(_open_streams):
        with suppress(Exception):
            stream.close()
