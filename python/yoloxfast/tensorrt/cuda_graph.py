"""CUDA graphs by cuda-python, which no other file imports: pycuda has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yoloxfast.errors import EngineError, missing

try:
    from cuda.bindings import driver
except ImportError as error:
    raise missing("cuda-python", error, extra="graphs") from error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Graph"]


class Graph:
    """Work on a stream, recorded once, started at once: a launch instead of one for each kernel and copy.

    Parameters
    ----------
    stream : int
        The stream's handle; nothing must be under way on it.
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
        _checked(driver.cuStreamBeginCapture(self._stream, mode))
        try:
            work()
        except BaseException:
            error, graph = driver.cuStreamEndCapture(self._stream)
            if error == driver.CUresult.CUDA_SUCCESS:
                driver.cuGraphDestroy(graph)
            raise
        graph = _checked(driver.cuStreamEndCapture(self._stream))
        try:
            self._executable = _checked(driver.cuGraphInstantiate(graph, 0))
        finally:
            _checked(driver.cuGraphDestroy(graph))

    def launch(self) -> None:
        """Start the work."""
        _checked(driver.cuGraphLaunch(self._executable, self._stream))

    def free(self) -> None:
        """Free it; nothing of it must be under way."""
        _checked(driver.cuGraphExecDestroy(self._executable))


def _checked(returned: tuple[Any, ...]) -> Any:
    """Return what a call gave, without the error that comes first."""
    error, *values = returned
    if error != driver.CUresult.CUDA_SUCCESS:
        raise EngineError(f"CUDA graphs cannot be used here: {error.name}; leave cuda_graphs out")
    return values[0] if values else None
