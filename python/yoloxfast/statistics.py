"""How long the steps from an image to its detections take."""

from __future__ import annotations

from typing import NamedTuple

from yoloxfast import _core

__all__ = ["Percentiles", "Statistics"]

_MILLISECONDS = 1e3


class Percentiles(NamedTuple):
    """Seconds within which a step was done for 50, 95 and 99 % of the images, with an error of at most 1 %."""

    p50: float
    p95: float
    p99: float


class Statistics:
    """Times of all images that a detector has processed, from its start or the last `reset` on.

    Each image counts; of a batch, with its share of what all took. What was not found because of an error is left out,
    and so is `warmup`. Printed, it is a table in milliseconds.

    Attributes
    ----------
    count : int
        Images.
    letterbox : Percentiles
        Writing an image into the network's input.
    wait : Percentiles
        What an image waited for: a context, its turn while other runs were under way, or the host, which was busy with
        something else when the network was done.
    network : Percentiles
        From the start of a run to its end. TensorRT's begin when they are submitted and end when the host has seen it,
        so they include what the GPU did before for other runs.
    post_processing : Percentiles
        From the raw output to detections.
    """

    def __init__(self) -> None:
        self._times = _core.Times()
        self.record = self._times.record

    @property
    def count(self) -> int:  # noqa: D102
        return self._times.count()

    @property
    def letterbox(self) -> Percentiles:  # noqa: D102
        return self._percentiles()["letterbox"]

    @property
    def wait(self) -> Percentiles:  # noqa: D102
        return self._percentiles()["wait"]

    @property
    def network(self) -> Percentiles:  # noqa: D102
        return self._percentiles()["network"]

    @property
    def post_processing(self) -> Percentiles:  # noqa: D102
        return self._percentiles()["post-processing"]

    def reset(self) -> None:
        """Forget all images."""
        self._times.reset()

    def __str__(self) -> str:
        if self.count == 0:
            return "no images yet"
        lines = ["ms per image         p50       p95       p99"]
        for step, percentiles in self._percentiles().items():
            lines.append(f"{step:<15}" + "".join(f"{_MILLISECONDS * seconds:>10.3f}" for seconds in percentiles))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Statistics of {self.count} images>"

    def _percentiles(self) -> dict[str, Percentiles]:
        steps = ("letterbox", "wait", "network", "post-processing")
        return {step: Percentiles(*found) for step, found in zip(steps, self._times.percentiles(), strict=True)}
