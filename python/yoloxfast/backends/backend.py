"""What the file of a runtime gives: a `Backend`, which holds a model and makes contexts, and their `Context`.

All else is in `network.py`, once for all runtimes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext, suppress
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from yoloxfast.errors import EngineError
from yoloxfast.letterbox import Letterbox
from yoloxfast.network_input import NetworkInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from yoloxfast.backends.tensors import Batches, Port, Tensor

__all__ = ["Backend", "Context"]


class Context(ABC):
    """The buffers and the state of one run; used by one thread at a time.

    Attributes
    ----------
    images : ndarray, (batch, 3, height, width) or (batch, height, width, 3)
        The network's input, in the memory that the runtime reads.
    letterboxes : list of Letterbox
        Write an image into its place in the batch each.
    input : NetworkInput
        Writes several into their places in one call.
    outputs : dict of str to ndarray
        What the last run gave, of the outputs that the context was made for, in their order; overwritten by the next.
    seconds : float
        What the last run took.
    is_usable : bool
        Whether it may be used again: not after a run that failed, or that may or may not have been started, because
        Ctrl-C came meanwhile.
    """

    is_usable = True

    def __init__(self, images: NDArray[Any]) -> None:
        self.images = images
        self.input = NetworkInput(images)
        self.letterboxes = [Letterbox.of_place(self.input, place) for place in range(len(images))]
        self.outputs: dict[str, NDArray[Any]] = {}
        self.seconds = 0.0
        self._is_running = False

    def submit(self) -> None:
        """Start a run of what was written into the input, which must stay as it is until `result`.

        Raises
        ------
        EngineError
            The runtime failed.
        """
        self._submitted = perf_counter()
        self.is_usable = False
        self._start()
        self._is_running = self.is_usable = True

    @abstractmethod
    def wait(self) -> None:
        """Wait for the run that was submitted; what came of it, `result` says."""

    @abstractmethod
    def is_done(self) -> bool:
        """Whether the run that was submitted is over, so that `result` does not wait."""

    def result(self) -> NDArray[Any]:
        """Wait for the run that was submitted.

        Returns
        -------
        ndarray of float32 or float16, (batch, anchors, 5 + classes)
            The raw output. Borrowed: the next run overwrites it.

        Raises
        ------
        EngineError
            The runtime failed.
        """
        if not self._is_running:
            raise EngineError("no run is under way: call submit first")
        try:
            seconds = self._finish()
        except EngineError:
            self._is_running = self.is_usable = False
            raise
        self._is_running = False  # not after Ctrl-C: the run goes on
        self.seconds = perf_counter() - self._submitted if seconds is None else seconds
        return next(iter(self.outputs.values()))

    def run(self) -> NDArray[Any]:
        """Do both: `submit` and `result`."""
        self.submit()
        return self.result()

    def settle(self) -> None:
        """Wait for a run that nobody waited for; what comes of it does not matter."""
        if self._is_running:
            with suppress(EngineError):
                self._finish()
            self._is_running = False

    def cancel(self) -> None:  # noqa: B027  # some runtimes cannot
        """Ask the network's first run to end before it is done."""

    def free(self) -> None:  # noqa: B027  # most runtimes free their buffers themselves
        """Free what garbage collection does not free; the backend is active."""

    @abstractmethod
    def _start(self) -> None:
        """Start a run."""

    @abstractmethod
    def _finish(self) -> float | None:
        """Wait for the run; `outputs` holds what it gave. Return its seconds, if the runtime knows them."""


class Backend(ABC):
    """One model in one runtime. Its constructor takes the model's file, and options of the runtime by keyword.

    Attributes
    ----------
    name : str
        Name of the runtime, as in `Detector(..., backend=name)`.
    inputs : sequence of Port
        All inputs of the network, of whatever kind. No context is made unless they are one batch of images.
    batches : Batches
        Numbers of images that it takes in one run.
    metadata : mapping of str to str
        What the model's file says about itself.
    runs_at_once : int
        Runs that keep it busy when they are under way at once; more would only wait for these.
    spare_runs : int
        Runs worth submitting beyond those that keep it busy, so that the host can take care of as many results in one
        go. On a CPU, it interrupts the runs that are under way each time, and takes their caches.
    batches_pay : bool
        Whether one run of several images takes less time than as many runs of one, of which several go on at once.
    options_for_streams : mapping of str to Any
        Options of the constructor with which more runs at once make more images per second than this backend; empty if
        there are none.
    """

    name: str
    inputs: Sequence[Port]
    batches: Batches
    metadata: Mapping[str, str]
    runs_at_once: int
    spare_runs: int = 0
    batches_pay: bool = True
    options_for_streams: Mapping[str, Any] = MappingProxyType({})

    @property
    @abstractmethod
    def device(self) -> Mapping[str, str]:
        """What it runs on: "name", "runtime" with its version, and what else the runtime says."""

    @abstractmethod
    def describe_device(self) -> str:
        """Say what it runs on, in a few words."""

    @abstractmethod
    def make_context(self, network_input: Tensor, outputs: Sequence[Tensor] = ()) -> Context:
        """Return a new context for that input, of some batch, which gives these outputs; by default all there are."""

    def active(self) -> AbstractContextManager[object]:
        """Return what must be entered while contexts are made and freed, and while the backend is closed."""
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Let go of the model, of which no context is left."""
