"""The levels of the core, forced by the environment; Rust's property tests compare them one by one."""

from __future__ import annotations

import pytest

from levels import CPU_FLAGS, has, run
from yoloxfast import _core

CODE = """
import numpy as np
from synthetic import synthetic_raw
from yoloxfast import PostProcessor, _core, letterbox, nms, reference
print(_core.LEVEL)
for dtype in (np.float32, np.float16):
    raw = synthetic_raw((640, 640), objects=30).astype(dtype)
    for thresholds in ({"score_threshold": 0.3}, {"score_threshold": 0.001, "iou_threshold": 0.65}):
        found = PostProcessor((640, 640))(raw, **thresholds)
        assert found == reference.postprocess(raw, (640, 640), **thresholds)
        assert len(found) > 10
random = np.random.default_rng(0)
corners = random.uniform(0, 500, (3000, 2)).astype(np.float32)
boxes = np.concatenate([corners, corners + random.uniform(1, 60, (3000, 2)).astype(np.float32)], axis=1)
scores = random.random(3000, np.float32)
np.testing.assert_array_equal(nms(boxes, scores), reference.nms(boxes, scores))
for shape in [(480, 640), (720, 1280), (1080, 1920), (500, 375), (97, 2000)]:
    image = random.integers(0, 256, (*shape, 3), np.uint8)
    for out in (np.empty((3, 640, 640), np.float16), np.empty((640, 640, 3), np.uint8)):
        expected = reference.letterbox(image, (640, 640), out=out.copy())
        np.testing.assert_array_equal(letterbox(image, (640, 640), out=out)[0], expected[0])
"""


@pytest.mark.parametrize("level", ["scalar", "avx2", "avx512", "neon"])
def test_each_level_finds_what_the_reference_finds(level: str) -> None:
    if not has(level):
        pytest.skip(f"this CPU has no {level}")
    done = run(level, CODE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{level}\n"


def test_an_unknown_level_lists_those_of_this_cpu() -> None:
    done = run("sse9", CODE)
    assert 'ValueError: level "sse9" is unknown, this CPU has scalar' in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not CPU_FLAGS, reason="only Linux says what the CPU has")
def test_the_best_level_is_used() -> None:
    assert has(_core.LEVEL)
    assert _core.LEVEL != "scalar" or not any(map(has, ("avx2", "avx512", "neon")))
    assert _core.LEVEL != "avx2" or not has("avx512")


def test_an_empty_name_is_none() -> None:
    assert run("", CODE).stdout == f"{_core.LEVEL}\n"
