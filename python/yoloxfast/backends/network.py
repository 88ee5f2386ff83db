"""A network: its head, found by a first run, and the contexts that threads borrow to run it, in whichever runtime."""

from __future__ import annotations

import atexit
import os
import warnings
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from yoloxfast._core import PADDING
from yoloxfast.backends.find_head import find_head
from yoloxfast.backends.first_run import first_run, is_endless
from yoloxfast.backends.head import Hints
from yoloxfast.backends.loan import Loan
from yoloxfast.backends.tensors import Tensor, image_input
from yoloxfast.errors import EngineError, ModelError, forgetting_frames
from yoloxfast.names import count_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from yoloxfast.backends.backend import Backend, Context

__all__ = ["Network"]

_GREY = np.full((1, 1, 3), PADDING, np.uint8)

_NO_HINTS = Hints()

_MAX_IDLE_BATCHES = 4
"""Numbers of images of which idle contexts are kept: a network of any batch would collect buffers of all."""


class Network:
    """A model, its head, and the contexts that run it; any thread may use it.

    It has no lock: in a process that is forked while another thread holds a lock, that lock stays held forever.

    Parameters
    ----------
    backend : Backend
        Closed with the network, and if it is not a YOLOX.
    path : Path
        The model's file.
    open_again : callable, optional
        Returns another backend of the same file, with other options; for `for_streams`.
    hints : Hints, optional
        What the user says of its input and outputs.

    Attributes
    ----------
    input : Tensor
        The network's input, of the least batch.
    batches : Batches
        Numbers of images that one run takes.
    head : Head
        The form of its outputs.
    is_closed : bool
        Whether no more contexts are lent.

    Raises
    ------
    ModelError
        It is not a YOLOX.
    EngineError
        The runtime failed.
    """

    def __init__(
        self,
        backend: Backend,
        path: Path,
        open_again: Callable[..., Backend] | None = None,
        *,
        hints: Hints = _NO_HINTS,
    ) -> None:
        self.backend, self.path, self.batches = backend, path, backend.batches
        self._hints = hints
        self._open_again = open_again
        self._for_streams: list[Network] = []
        self._file_size = path.stat().st_size
        self._process = os.getpid()
        self.is_closed = False
        self._to_close = [backend]
        self._live: set[object] = set()
        self._idle: list[Context] = []
        try:
            with backend.active(), forgetting_frames():
                self._find_head()
            self.release(self.acquire())  # what cannot be had for a context is said now
        except BaseException as error:
            self.close()
            if isinstance(error, (EngineError, ModelError)):
                raise type(error)(f"{path}: {error}") from error.__cause__
            raise
        _open_networks.add(self)

    def _find_head(self) -> None:
        batch = self.batches.least
        self.input, size = image_input(self.backend.inputs, batch, self._hints.input_size)
        context = self.backend.make_context(self.input)
        try:
            for letterbox in context.letterboxes:
                letterbox(_GREY)
            first_run(context)
            named = count_names(None, self.backend.metadata)
            hints = self._hints if self._hints.user_names else self._hints._replace(num_names=named)
            self.head = find_head(context.outputs, size, batch, hints)
            outputs = {name: context.outputs[name] for name in self.head.output_names}
            self._outputs = [Tensor(name, output.shape, output.dtype) for name, output in outputs.items()]
        finally:
            if not is_endless(context):
                context.free()

    def for_streams(self) -> Network:
        """Return the network with which many runs at once make the most images per second.

        It is this one, or the same model, opened again the first time and closed with this one. If it cannot be opened
        again, because its file is gone, a warning says so.

        Raises
        ------
        EngineError
            The network is closed.
        """
        if self.is_closed:
            raise EngineError("the detector is closed")
        options = self.backend.options_for_streams
        if not options or self._open_again is None or os.getpid() != self._process:
            return self  # in a fork, OpenVINO can neither open a model nor run several at once
        if not self._for_streams:
            try:
                opened = Network(self._open_again(**options), self.path, hints=self._hints)
            except (EngineError, ModelError, OSError) as error:
                warnings.warn(f"{error}; streams and batches run slower, one run at a time", stacklevel=4)
                self._open_again = None
                return self
            self._for_streams.append(opened)
            if opened is not self._for_streams[0]:  # another thread was faster
                self._for_streams.remove(opened)
                opened.close()
            if self.is_closed:
                self.close()
        return self._for_streams[0]

    @property
    def images_per_run(self) -> int:
        """Images in each of many runs, with which it makes the most images per second."""
        return self.batches.best if self.backend.batches_pay else self.batches.least

    def describe(self) -> dict[str, str]:
        """Facts for people: file, runtime, device, tensors."""
        return {
            "model": f"{self.path} ({self._file_size:,} bytes)",
            "runtime": self.backend.device["runtime"],
            "device": self.backend.describe_device(),
            "input": str(self.input),
            "output": ", ".join(map(str, self._outputs)),
            "head": str(self.head),
            "images per run": str(self.batches),
        }

    def lend(self, images: int = 1) -> Loan:
        """Borrow a context: `with network.lend(images) as context`; from any thread.

        Parameters
        ----------
        images : int
            How many there are. The context has as many places or more; what is computed for the others is to be
            ignored. If the network takes fewer, it has as many as the network takes.

        Raises
        ------
        EngineError
            The network is closed, or the runtime failed.
        """
        return Loan(self, images)

    def acquire(self, images: int = 1) -> Context:
        """Take a context, as `lend` does; `release` gives it back."""
        batch = self.batches.fit(images)
        if self.is_closed:
            raise EngineError("the detector is closed")
        return self._take(batch) or self._make(batch)

    def release(self, context: Context) -> None:
        """Give a context back; whoever gets it next waits for a run that is still under way."""
        if context.is_usable or os.getpid() != self._process:  # a fork frees nothing
            self._idle.append(context)
        else:
            with self.backend.active(), forgetting_frames():
                self._free(context)
        if self.is_closed:
            self.close()
        elif len(self._idle) > _MAX_IDLE_BATCHES:
            self._free_oldest_batches()

    def _take(self, batch: int) -> Context | None:
        """Take the idle context that was used last: its buffers may be in a cache."""
        for context in reversed(self._idle):
            if len(context.images) == batch:
                with suppress(ValueError):  # another thread was faster
                    self._idle.remove(context)
                    return self._settled(context)
        return None

    def _settled(self, context: Context) -> Context:
        try:
            context.settle()
        except BaseException:
            self._idle.append(context)
            raise
        return context

    def _make(self, batch: int) -> Context:
        work = object()
        self._live.add(work)  # whoever closes the network from here on leaves the backend to us
        try:
            if self.is_closed:
                raise EngineError("the detector is closed")
            with self.backend.active(), forgetting_frames():
                # The length of detections varies: the runtime makes room for them in each run.
                outputs = [] if self.head.is_finished else [output.of_batch(batch) for output in self._outputs]
                context = self.backend.make_context(self.input.of_batch(batch), outputs)
            self._live.add(context)
        finally:
            self._live.discard(work)
            if self.is_closed:
                self.close()
        return context

    def _free_oldest_batches(self) -> None:
        """Free contexts of batches that were not used for longest, if those of too many are idle."""
        while len({len(context.images) for context in self._idle}) > _MAX_IDLE_BATCHES:
            with suppress(IndexError), self.backend.active(), forgetting_frames():
                self._free(self._idle.pop(0))

    def _free(self, context: Context) -> None:
        try:
            context.free()
        finally:
            self._live.discard(context)

    def close(self) -> None:
        """Let go of the model; runs under way end as usual. May be called again.

        In a process that was forked from the one that opened it, nothing is freed: it is the parent's.
        """
        self.is_closed = True
        if os.getpid() != self._process:
            return
        for network in self._for_streams:
            network.close()
        with self.backend.active(), forgetting_frames(), ExitStack() as last_first:
            last_first.callback(self._close_backend)
            with suppress(IndexError):
                while True:
                    last_first.callback(self._free, self._idle.pop())

    def _close_backend(self) -> None:
        if not self._live:
            with suppress(IndexError):  # another thread does it
                self._to_close.pop().close()

    def __del__(self) -> None:
        try:
            self._for_streams.clear()  # a stream may still use it
            self.close()
        except Exception:  # noqa: BLE001, S110  # also while the interpreter ends, without any name of this module
            pass


_open_networks: WeakSet[Network] = WeakSet()


@atexit.register
def _close_all() -> None:
    for network in list(_open_networks):
        with suppress(EngineError):
            network.close()
