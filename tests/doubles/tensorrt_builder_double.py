"""A double of TensorRT's builder: its engines are ONNX files, and it writes down every breach of the contract."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import ref

import onnx

from onnx_engine import HEADER, PROFILE
from pretend_machine import Resource, world

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMINGS = b"timings of the double"


class NetworkDefinitionCreationFlag:
    """That of TensorRT 10; since 11 all networks are strongly typed."""

    __members__: Mapping[str, int] = MappingProxyType({"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1})


class MemoryPoolType:
    WORKSPACE = "WORKSPACE"


class BuilderFlag:
    TF32 = "TF32"


class IProgressMonitor:
    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        raise NotImplementedError

    def step_complete(self, name: str, step: int) -> bool:
        raise NotImplementedError

    def phase_finish(self, name: str) -> None:
        raise NotImplementedError


class ErrorCode(Enum):
    UNSUPPORTED_NODE = 8


class ParserError:
    def __init__(self, node: Any) -> None:
        self._node = node

    def code(self) -> ErrorCode:
        return ErrorCode.UNSUPPORTED_NODE

    def desc(self) -> str:
        return "the double does not know it"

    def node_name(self) -> str:
        return str(self._node.name)

    def node_operator(self) -> str:
        return str(self._node.op_type)


class ITensor:
    def __init__(self, value: Any) -> None:
        self._value = value

    @property
    def name(self) -> str:
        return str(self._value.name)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(side.dim_value or -1 for side in self._value.type.tensor_type.shape.dim)


class INetworkDefinition(Resource):
    def __init__(self, flags: int) -> None:
        super().__init__("a network definition")
        members = NetworkDefinitionCreationFlag.__members__
        if flags != (1 << members["STRONGLY_TYPED"] if "EXPLICIT_BATCH" in members else 0):
            world().breach("a network that is not strongly typed")
        self._model: Any = None
        self._parser: Any = None

    def get_input(self, number: int) -> ITensor:
        return ITensor(self._model.graph.input[number])


class OnnxParser(Resource):
    def __init__(self, network: INetworkDefinition, _: object) -> None:
        super().__init__("a parser")
        self._network = network
        self._errors: list[ParserError] = []

    def parse(self, content: bytes) -> bool:
        model = onnx.load_from_string(content)
        self._errors = [ParserError(node) for node in model.graph.node if node.op_type == "Mod"]
        self._network._model = model  # noqa: SLF001
        self._network._parser = ref(self)  # noqa: SLF001
        return not self._errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, number: int) -> ParserError:
        return self._errors[number]


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, Any] = {}

    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self._shapes[name] = shapes


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def serialize(self) -> bytes:
        return TIMINGS


class IBuilderConfig(Resource):
    progress_monitor: IProgressMonitor | None = None

    def __init__(self) -> None:
        super().__init__("a builder's configuration")
        self._flags = {BuilderFlag.TF32}
        self._profile: IOptimizationProfile | None = None
        self._timings: ITimingCache | None = None

    def clear_flag(self, flag: str) -> None:
        self._flags.remove(flag)

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        world().built.append(f"{pool} {size}")

    def precision(self) -> str:
        return "fp32" if BuilderFlag.TF32 not in self._flags else "tf32"

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        for shapes in profile._shapes.values():  # noqa: SLF001
            if not all(least <= best <= largest for least, best, largest in zip(*shapes, strict=True)):
                return -1
        self._profile = profile
        return 0

    def create_timing_cache(self, content: bytes) -> ITimingCache:
        return ITimingCache(content)

    def set_timing_cache(self, cache: ITimingCache, *, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache._content not in (b"", TIMINGS):  # noqa: SLF001
            return False
        self._timings = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._timings


class Builder(Resource):
    def __init__(self, logger: Any) -> None:
        super().__init__("a builder")
        self.logger = logger

    def create_network(self, flags: int) -> INetworkDefinition:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        machine = world()
        machine.has_context("build_serialized_network")
        if network._parser() is None:  # noqa: SLF001
            machine.breach("a network is built when its parser, which holds the weights, is gone")
        model, monitor = network._model, config.progress_monitor  # noqa: SLF001
        (tensor,) = (ITensor(value) for value in model.graph.input)
        profile = None
        if min(tensor.shape) < 0:
            if config._profile is None:  # noqa: SLF001
                self.logger.log(self.logger.Severity.ERROR, "no optimization profile has been defined")
                return None
            shapes = config._profile._shapes[tensor.name]  # noqa: SLF001
            profile = ":".join(str(batch) for batch, *_ in shapes)
            onnx.helper.set_model_props(model, {PROFILE: profile})
        monitor.phase_start("Building", None, 2)
        monitor.phase_start("Timing", "Building", 1)
        goes_on = monitor.step_complete("Timing", 0)
        monitor.phase_finish("Timing")
        if not goes_on or "build" in machine.refuses:
            self.logger.log(self.logger.Severity.ERROR, "the double was told to refuse")
            return None
        monitor.step_complete("Building", 1)
        monitor.phase_finish("Building")
        machine.built.append(f"{config.precision()} profile {profile}")
        content: bytes = model.SerializeToString()
        return HEADER + content


MEMBERS = (
    NetworkDefinitionCreationFlag,
    MemoryPoolType,
    BuilderFlag,
    IProgressMonitor,
    ParserError,
    ITensor,
    INetworkDefinition,
    OnnxParser,
    IOptimizationProfile,
    ITimingCache,
    IBuilderConfig,
    Builder,
)
