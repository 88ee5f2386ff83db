"""The progress of a build, and how to stop one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from yoloxfast.errors import missing

try:
    import tqdm
except ImportError as error:
    raise missing("tqdm", error, extra="build") from error

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Progress"]

_NOT_AT_ONCE = 0.5
"""Seconds before a bar is shown; small networks are built by then."""


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Progress:
    """A bar on stderr, if that is a terminal, of what TensorRT reports: phases within phases, each of some steps."""

    def __init__(self) -> None:
        self._phases: dict[str, _Phase] = {}
        self._lock = Lock()
        self.is_cancelled = False
        self._bar = tqdm.tqdm(
            total=100,
            delay=_NOT_AT_ONCE,
            disable=None,
            leave=False,
            ncols=100,
            bar_format="{desc} {bar} {percentage:3.0f} % [{elapsed}]",
        )

    def cancel(self) -> None:
        """Let the build end at its next step."""
        self.is_cancelled = True

    def monitor(self, trt: Any) -> Any:
        """Return what TensorRT calls, from any of its threads."""
        progress = self

        class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.IProgressMonitor.__init__(self)

            def phase_start(self, name: str, parent: str | None, steps: int) -> None:
                progress._start(name, parent, steps)

            def step_complete(self, name: str, step: int) -> bool:
                return progress._step(name, step)

            def phase_finish(self, name: str) -> None:
                progress._finish(name)

        return Monitor()

    def _start(self, name: str, parent: str | None, steps: int) -> None:
        with self._lock:
            self._phases[name] = _Phase(parent, max(1, steps))
            self._show(name)

    def _step(self, name: str, step: int) -> bool:
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
                self._show(name)
        return not self.is_cancelled

    def _finish(self, name: str) -> None:
        with self._lock:
            self._phases.pop(name, None)

    def _show(self, name: str) -> None:
        """Show a phase and how far the build is: a phase that has not ended is a part of one step of its parent."""
        fraction, phase = 0.0, self._phases.get(name)
        for _ in self._phases:
            if phase is not None:
                fraction = min(1.0, (phase.done + fraction) / phase.steps)
                phase = self._phases.get(phase.parent or "")
        with suppress(OSError, ValueError):  # a terminal that is gone ends no build
            self._bar.n = max(self._bar.n, 100 * fraction)
            self._bar.set_description_str(f"{name:.45}", refresh=False)
            self._bar.update(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
