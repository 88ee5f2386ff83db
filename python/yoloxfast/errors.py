"""What can go wrong beyond bad arguments, which are `ValueError` or `TypeError`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from traceback import clear_frames
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "EngineError",
    "MissingDependencyError",
    "ModelError",
    "forget_frames",
    "forgetting_frames",
    "how_to_install",
    "missing",
]


class ModelError(ValueError):
    """A model that cannot be used: not the file it should be, or not a YOLOX."""


class EngineError(RuntimeError):
    """The runtime failed to run a model; says so in the runtime's own words."""


class MissingDependencyError(ImportError):
    """An optional package is not installed, or broken; says how to install it."""


def how_to_install(extras: str) -> str:
    """Say how to install yoloxfast with these extras: the one place that knows how.

    It does not name the package: as long as it is not on PyPI, anybody could publish something else there by its name.
    """
    return f"in the folder of yoloxfast's source, pip install '.[{extras}]'"


def missing(package: str, error: ImportError, *, extra: str = "", how: str = "") -> MissingDependencyError:
    """Return the error for a package that could not be imported, with the remedy: an extra of yoloxfast, or `how`."""
    remedy = how or how_to_install(extra)
    if isinstance(error, ModuleNotFoundError):
        return MissingDependencyError(f"{package} is not installed: {remedy}", name=package)
    return MissingDependencyError(f"{package} cannot be imported ({error}); to install it: {remedy}", name=package)


def forget_frames(error: BaseException, *, since: BaseException | None) -> None:
    """Clear the frames of a raised error, so that it keeps no buffer, and no TensorRT or CUDA object, alive.

    Parameters
    ----------
    error : BaseException
    since : BaseException or None
        The error that was being handled already when the work began: it keeps its frames.
    """
    links: list[BaseException | None] = [error]
    for link in links:
        if link is not None and link is not since:
            clear_frames(link.__traceback__)
            links += [link.__cause__, link.__context__]


@contextmanager
def forgetting_frames() -> Iterator[None]:
    """Clear the frames of each error that leaves a `with` block; see `forget_frames`."""
    since = sys.exc_info()[1]
    try:
        yield
    except BaseException as error:
        forget_frames(error, since=since)
        raise
