"""What a forked process must not destroy: destructors of runtimes wait for threads, which a fork does not have."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["keep_in_forks"]


class Keeper(Protocol):
    """What holds such objects."""

    def objects_to_keep(self) -> Iterable[object]:
        """Return those that there are."""


def keep_in_forks(keeper: Keeper) -> None:
    """Let each process that is forked from now on keep these objects until it ends."""
    _keepers.add(keeper)


_keepers: WeakSet[Keeper] = WeakSet()


def _keep_all() -> None:
    for keeper in list(_keepers):
        for kept in keeper.objects_to_keep():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_all)
