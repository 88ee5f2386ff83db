"""From an ONNX graph to a plan, by TensorRT or TensorRT-RTX."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from yoloxfast.errors import ModelError, forgetting_frames
from yoloxfast.files import replacing
from yoloxfast.tensorrt.cache import is_own_file, make_private, make_way
from yoloxfast.tensorrt.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from yoloxfast.tensorrt.cuda import Device
    from yoloxfast.tensorrt.library import Library

__all__ = ["Options", "build_plan"]

_GIB = 1 << 30


class Options(NamedTuple):
    """How a graph is built.

    Attributes
    ----------
    batch : (int, int, int), optional
        Least, best and largest batch, if the graph's batch is dynamic.
    tf32 : bool
        Whether convolutions of float32 may round their input to TF32, which has the 10 bits of float16.
    workspace : float, optional
        GiB that layers may use while they run; by default all memory of the GPU.
    timings : Path, optional
        Where TensorRT keeps how long layers take, so that the next build is shorter.
    """

    batch: tuple[int, int, int] | None
    tf32: bool
    workspace: float | None
    timings: Path | None


def build_plan(library: Library, device: Device | None, network: bytes, options: Options) -> bytes:
    """Build an ONNX graph, on a GPU unless that is None.

    Ctrl-C ends it at TensorRT's next step. Further presses have no effect: the process must not exit
    during a build.

    Raises
    ------
    ModelError
        TensorRT cannot parse the graph; in its own words.
    EngineError
        It cannot build it; in its own words.
    """

    def build() -> bytes:
        with device.current() if device else nullcontext(), forgetting_frames():
            return _build(library, network, options, progress)

    with Progress() as progress, ThreadPoolExecutor(1) as thread:
        plan = thread.submit(build)
        while not plan.done():
            try:
                wait([plan])
            except KeyboardInterrupt:  # noqa: PERF203
                progress.cancel()
        if progress.is_cancelled:
            raise KeyboardInterrupt
        return plan.result()


def _build(library: Library, network: bytes, options: Options, progress: Progress) -> bytes:
    trt, checked = library.trt, library.checked
    library.words()
    builder = trt.Builder(library.logger)
    definition = checked(builder.create_network(_network_flags(trt)), "make a network")
    parser = _parse(library, definition, network)
    config = checked(builder.create_builder_config(), "make a configuration")
    config.progress_monitor = progress.monitor(trt)
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(options.workspace * _GIB))
    if options.batch is not None:
        profile = checked(builder.create_optimization_profile(), "make a profile")
        network_input = definition.get_input(0)
        _, *image = network_input.shape
        profile.set_shape(network_input.name, *((images, *image) for images in options.batch))
        checked(config.add_optimization_profile(profile) >= 0, f"take batches {options.batch}")
    timings = _load_timings(config, options.timings)
    plan = checked(builder.build_serialized_network(definition, config), "build the engine")
    del parser  # it holds the weights until here
    _store_timings(timings, options.timings)
    return bytes(plan)


def _network_flags(trt: Any) -> int:
    """Ask for strong typing, where that is not the only way: TensorRT 10."""
    flags = trt.NetworkDefinitionCreationFlag.__members__
    return 1 << int(flags["STRONGLY_TYPED"]) if "EXPLICIT_BATCH" in flags else 0


def _parse(library: Library, definition: Any, network: bytes) -> Any:
    parser = library.trt.OnnxParser(definition, library.logger)
    if not parser.parse(network):
        errors = [parser.get_error(number) for number in range(parser.num_errors)]
        words = "; ".join(
            f"{error.node_operator()} {error.node_name()}: {error.code().name}, {error.desc()}" for error in errors
        )
        raise ModelError(f"{library.version} cannot parse the network: {words or library.words()}")
    return parser


def _load_timings(config: Any, path: Path | None) -> Any:
    """Give the builder what earlier builds measured; a cache that does not fit is left out."""
    if path is None:
        return None
    stored = b""
    with suppress(OSError):
        stored = path.read_bytes() if is_own_file(path) else b""
    for content in (stored, b""):
        timings = config.create_timing_cache(content)
        if timings is not None and config.set_timing_cache(timings, ignore_mismatch=False):
            return config.get_timing_cache()
    return None


def _store_timings(timings: Any, path: Path | None) -> None:
    if timings is None or path is None:
        return
    with suppress(OSError):
        make_way(path)
        with replacing(path) as file:
            file.write(timings.serialize())
        make_private(path)
