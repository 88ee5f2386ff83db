"""What errors leave of an engine on the GPU: nothing. On a pretend GPU, which writes down what is freed too late."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pretend_driver import LAUNCH_FAILED
from yoloxfast import Detector, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pretend_machine import World


@pytest.mark.parametrize(
    "mistake",
    [
        lambda detector, image: detector.detect(image[..., :2]),
        lambda detector, _: detector.detect(None),
        lambda detector, image: detector.detect(image, score_threshold=7),
        lambda detector, image: detector.detect(image, classes=["unicorn"]),
    ],
)
def test_an_error_of_the_user_keeps_nothing(
    world: World, engine: Path, image: NDArray[np.uint8], mistake: Callable[[Detector, Any], object]
) -> None:
    detector = Detector(engine)
    with pytest.raises((TypeError, ValueError)) as kept:
        mistake(detector, image)
    detector.close()
    assert kept.value.__traceback__ is not None
    assert not world.live
    assert world.breaches == []


@pytest.mark.parametrize("options", [{"color": "gbr"}, {"classes": [99]}, {"iou_threshold": 7}], ids=str)
def test_an_option_that_is_wrong_keeps_nothing(world: World, engine: Path, options: Any) -> None:
    with pytest.raises(ValueError) as kept:  # noqa: PT011
        Detector(engine, **options)
    assert kept.value.__traceback__ is not None
    assert not world.live
    assert world.breaches == []


def test_an_error_that_is_handled_meanwhile_keeps_its_frames(
    world: World, engine: Path, image: NDArray[np.uint8]
) -> None:
    def fail(what: str) -> None:
        raise KeyError(what)

    def fail_again(detector: Detector) -> None:
        try:
            fail("first")
        finally:
            with pytest.raises(ValueError, match="image must be"):
                detector.detect(image[..., :2])

    with Detector(engine) as detector, pytest.raises(KeyError) as first:
        fail_again(detector)
    assert first.traceback[-1].frame.f_locals == {"what": "first"}
    assert world.breaches == []


def close_two_contexts(world: World, engine: Path, function: str) -> None:
    """Close a detector while something fails: all is freed, contexts reach nothing of it, and a kept error neither."""
    detector = Detector(engine, cuda_graphs=True)
    with detector.network.lend() as first, detector.network.lend() as second:
        pass
    world.fail(function, LAUNCH_FAILED, times=1)
    with pytest.raises(EngineError, match="unspecified launch failure") as kept:
        detector.close()
    assert kept.value.__traceback__ is not None
    assert not world.live
    assert world.breaches == []
    for context in (first, second):
        assert [value for value in vars(context).values() if isinstance(value, (dict, list)) and value] == []
        assert context.images.size == 0
    detector.close()


def test_what_cannot_be_freed_does_not_keep_the_rest(world: World, engine: Path) -> None:
    close_two_contexts(world, engine, "cuStreamSynchronize")


@pytest.mark.parametrize("world", ["cuda-python"], indirect=True)
@pytest.mark.parametrize("function", ["cuMemFree", "cuMemFreeHost", "cuStreamDestroy", "cuGraphExecDestroy"])
def test_a_step_that_fails_does_not_keep_the_others(world: World, engine: Path, function: str) -> None:
    """pycuda only warns of that."""
    close_two_contexts(world, engine, function)


def test_a_run_that_nobody_waited_for_is_waited_for_when_it_is_closed(
    world: World, engine: Path, image: NDArray[np.uint8]
) -> None:
    with Detector(engine) as detector, detector.network.lend() as context:
        context.letterboxes[0](image)
        context.submit()
    assert not world.live


@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_a_context_is_freed_after_the_run_that_ctrl_c_left(
    world: World, engine: Path, image: NDArray[np.uint8], cuda_graphs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Detector(engine, cuda_graphs=cuda_graphs) as detector:
        world.set("delay=20000")
        with detector.network.lend() as context, monkeypatch.context() as interrupted:
            context.letterboxes[0](image)
            start = context._start  # noqa: SLF001

            def start_and_press_ctrl_c() -> None:
                start()
                raise KeyboardInterrupt

            interrupted.setattr(context, "_start", start_and_press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                context.submit()
    world.check()


def test_memory_is_freed_although_there_are_views_of_it(world: World, engine: Path) -> None:
    with Detector(engine) as detector, detector.network.lend() as context:
        views = [context.images, *context.outputs.values()]
    assert not world.live
    assert len(views) == 2


def test_each_process_has_one_library(world: World) -> None:
    from yoloxfast.tensorrt.library import library

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            libraries = set(threads.map(library, ["tensorrt"] * 64))
    finally:
        sys.setswitchinterval(interval)
    assert len(libraries) == 1
    assert world.breaches == []
