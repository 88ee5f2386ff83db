"""What can go wrong beyond bad arguments, which are `ValueError` or `TypeError`."""

from __future__ import annotations

__all__ = ["EngineError", "MissingDependencyError", "ModelError", "missing"]


class ModelError(ValueError):
    """A model that cannot be used: not the file it should be, or not a YOLOX."""


class EngineError(RuntimeError):
    """The runtime failed to run a model; says so in the runtime's own words."""


class MissingDependencyError(ImportError):
    """An optional package is not installed, or broken; says how to install it."""


def missing(package: str, error: ImportError, *, extra: str) -> MissingDependencyError:
    """Return the error for a package that could not be imported, and that the extra of yoloxfast brings."""
    pip = f"pip install 'yoloxfast[{extra}]'"
    if isinstance(error, ModuleNotFoundError):
        return MissingDependencyError(f"{package} is not installed: {pip}", name=package)
    return MissingDependencyError(f"{package} cannot be imported ({error}); to install it: {pip}", name=package)
