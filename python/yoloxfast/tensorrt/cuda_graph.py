"""CUDA graphs, which pycuda does not have: they need cuda-python also where pycuda does the rest."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from yoloxfast.errors import EngineError, missing

try:
    from yoloxfast.tensorrt.cuda_python import Error, driver, value_of
except ImportError as error:
    raise missing("cuda-python", error, extra="cuda-python") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Graph"]


class Graph:
    """Work on a stream, recorded once and started as a whole: one launch instead of one for each kernel and copy.

    Parameters
    ----------
    stream : int
        The stream's handle; nothing may be unfinished on it.
    work : callable
        Puts the work on the stream, and does nothing else that CUDA does not allow meanwhile.

    Raises
    ------
    EngineError
        The work cannot be recorded.
    """

    def __init__(self, stream: int, work: Callable[[], None]) -> None:
        self._stream = driver.CUstream(stream)
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        with _explained():
            value_of(driver.cuStreamBeginCapture(self._stream, mode))
        try:
            work()
        except BaseException:
            with suppress(Error):
                value_of(driver.cuGraphDestroy(value_of(driver.cuStreamEndCapture(self._stream))))
            raise
        with _explained():
            graph = value_of(driver.cuStreamEndCapture(self._stream))
            try:
                self._executable = value_of(driver.cuGraphInstantiate(graph, 0))
            finally:
                value_of(driver.cuGraphDestroy(graph))

    def launch(self) -> None:
        """Start the work."""
        with _explained():
            value_of(driver.cuGraphLaunch(self._executable, self._stream))

    def free(self) -> None:
        """Free it; none of its work may be unfinished."""
        with _explained():
            value_of(driver.cuGraphExecDestroy(self._executable))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Error as error:
        raise EngineError(f"CUDA graphs cannot be used here: {error}; leave cuda_graphs out") from error
