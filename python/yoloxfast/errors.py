"""What can go wrong beyond bad arguments, which are `ValueError` or `TypeError`."""

from __future__ import annotations

__all__ = ["EngineError", "MissingDependencyError", "ModelError"]


class ModelError(ValueError):
    """A model that cannot be used: not the file it should be, or not a YOLOX."""


class EngineError(RuntimeError):
    """The runtime failed to run a model; says so in the runtime's own words."""


class MissingDependencyError(ImportError):
    """An optional package is not installed; says how to install it.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of yoloxfast that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'yoloxfast[{extra}]'", name=package)
