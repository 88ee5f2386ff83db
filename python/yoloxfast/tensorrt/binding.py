"""What pycuda and cuda-python have in common: the few calls of CUDA that engines need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Binding", "Gpu", "HostArray", "Memory", "Stream"]


class Memory(Protocol):
    """Memory of a GPU, and the address at which it begins."""

    address: int

    def free(self) -> None:
        """Free it; no work that uses it may be unfinished."""


class HostArray(Protocol):
    """An array in page-locked memory of the host, C-contiguous, from which and into which a GPU copies by itself."""

    array: NDArray[Any]

    def free(self) -> None:
        """Free its memory, also if there are views of it, which nobody may use then; no copy may be unfinished."""


class Stream(Protocol):
    """A queue of work for a GPU, and the handle by which TensorRT takes it."""

    handle: int

    def copy_to_device(self, address: int, source: NDArray[Any]) -> None:
        """Copy an array of a `HostArray` to that address; it must stay as it is until the stream is synchronized."""

    def copy_to_host(self, target: NDArray[Any], address: int) -> None:
        """Fill an array of a `HostArray` from that address; it must not be used until the stream is synchronized."""

    def is_done(self) -> bool:
        """Whether all its work is done, or has failed: `synchronize` would return or raise at once."""

    def synchronize(self) -> None:
        """Wait until all its work is done."""

    def free(self) -> None:
        """Free it; it must be synchronized."""


class Gpu(Protocol):
    """What a binding does with one GPU; all but `push` needs its context to be current. `memory` is in bytes."""

    name: str
    memory: int
    compute_capability: tuple[int, int]

    def push(self) -> None:
        """Make its primary context current on this thread."""

    def pop(self) -> None:
        """Make current what was before `push`."""

    def stream(self) -> Stream:
        """Make a stream, other than the default one."""

    def allocate(self, size: int) -> Memory:
        """Allocate `size` bytes of its memory."""

    def page_locked(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> HostArray:
        """Allocate an array."""


class Binding(Protocol):
    """What `pycuda.py` and `cuda_python.py` offer."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """What people know it as."""

    @property
    def VERSION(self) -> str:  # noqa: N802
        """Its version."""

    @property
    def Error(self) -> type[Exception]:  # noqa: N802
        """What it raises when CUDA fails."""

    @property
    def OutOfMemoryError(self) -> type[Exception]:  # noqa: N802
        """What it raises when memory is short; an `Error`."""

    def init(self) -> None:
        """Find the driver; a built-in RuntimeError says that there is none."""

    def device_count(self) -> int:
        """Count the GPUs."""

    def driver_version(self) -> int:
        """Return the newest CUDA that the driver knows: 1000 times the major version plus 10 times the minor one."""

    def gpu(self, number: int) -> Gpu:
        """Retain the primary context of a GPU."""
