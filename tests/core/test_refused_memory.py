"""Memory that the system refuses is a MemoryError, as in NumPy, and absurd requests are refused before any is taken."""

from __future__ import annotations

import subprocess
import sys
from itertools import count, repeat
from typing import Any

import numpy as np
import pytest

import yoloxfast
from yoloxfast import PostProcessor, letterbox_batch

MIB = 1 << 20
SIZE = (64, 64)
POST = PostProcessor(SIZE)
EMPTY_BATCH = np.empty((2**31, 0, 85), np.float32)
"""No bytes at all, of two thousand million images."""

LIMITED = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS limits memory on Linux")

SET_UP = """
import resource, sys
import numpy as np
import yoloxfast
from yoloxfast import _core

def boxes(count):
    corners = np.random.default_rng(0).random((count, 4), np.float32) * 4000
    corners[:, 2:] = corners[:, :2] + 0.5
    return corners
"""

CALLS = {
    "nms": ("x = boxes(400_000), np.random.default_rng(1).random(400_000, np.float32)", "yoloxfast.nms(*x)"),
    "decode": (
        "x = np.zeros((34_000, 305), np.float32); post = yoloxfast.PostProcessor((1280, 1280), 300, (8, 16, 32, 64))",
        "post.decode(x)",
    ),
    "a grid": ("", "_core.PostProcessor(4096, 4096, 80, [2], 'rows', False, False, 0)"),
    "post-processing": (
        """x = np.zeros((262_144, 6), np.float32); x[:, 4:] = 1; x[:, :2] = np.arange(262_144)[:, None] * 20
post = yoloxfast.PostProcessor((4096, 4096), 1, (8,))""",
        "post(x)",
    ),
    "letterbox of a wide image": ("x = np.zeros((3, 1 << 20, 3), np.uint8)", "yoloxfast.letterbox(x, (8, 1 << 20))"),
    "letterbox of a high image": ("x = np.zeros((1 << 20, 3, 3), np.uint8)", "yoloxfast.letterbox(x, (1 << 20, 8))"),
    "letterbox in threads": (
        "x = np.zeros((1 << 20, 3, 3), np.uint8)",
        "yoloxfast.letterbox(x, (1 << 20, 8), threads=2)",
    ),
}

RUN = """
{prepare}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    {call}
except MemoryError as error:
    print("MemoryError:", error)
else:
    print("done")
"""


def outcome(call: str, spare: int) -> str:
    prepare, statement = CALLS[call]
    script = SET_UP + RUN.format(prepare=prepare, call=statement)
    arguments = [sys.executable, "-c", script, str(spare)]
    process = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, f"{call} with {spare:,} bytes to spare: {process.returncode} {process.stderr}"
    return process.stdout.strip()


@LIMITED
@pytest.mark.parametrize("call", CALLS)
def test_refused_memory_is_a_memory_error(call: str) -> None:
    outcomes = [outcome(call, spare * MIB) for spare in (1, 2, 4, 8, 16, 32, 64, 128)]
    assert outcomes[0].startswith("MemoryError"), "1 MiB is enough: this tests nothing"
    assert {text.split(":")[0] for text in outcomes} <= {"MemoryError", "done"}
    assert outcome(call, 4096 * MIB) == "done"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: POST.batch(EMPTY_BATCH), "raw output has 0 anchors, an input of 64x64"),
        (lambda: POST.batch(np.empty((2**31, 84, 0), np.float32)), "raw output has 0 columns"),
        (lambda: POST.batch(np.broadcast_to(np.float32(0), (2**31, 8400, 85))), "raw output has 8400 anchors"),
        (lambda: POST.decode(np.broadcast_to(np.float32(0), (2**40, 85))), "raw output has 1099511627776 anchors"),
        (lambda: POST.batch(np.zeros((3, 84, 85), np.float32), scales=repeat(1.0)), "got more than 3 scales"),
        (lambda: POST.batch(np.zeros((3, 84, 85), np.float32), scales=[1.0]), "got 1 scales for a batch of 3"),
        (lambda: PostProcessor(SIZE, 80, repeat(8)), "got more than 64 strides"),  # type: ignore[arg-type]
        (lambda: PostProcessor(count(64), 80), "size must be"),  # type: ignore[arg-type]
        (lambda: POST.options(classes=repeat(3)), "classes are more than 65536"),
        (lambda: letterbox_batch([], count(64)), "size must be"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_is_refused_before_memory_is_taken(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_whether_views_overlap_is_not_computed_forever() -> None:
    """The exact answer can take NumPy minutes; nobody may wait for it, or take what may overlap for apart."""
    memory = np.zeros(1000, np.uint8)
    odd = (2_921_005, 2_269_640, 22_396_698), (2_007_131, 1_767_787, 37_402_897)
    shapes = (260, 365, 3), (202, 243, 3)
    image, out = (np.lib.stride_tricks.as_strided(memory, *view) for view in zip(shapes, odd, strict=True))
    with pytest.raises(ValueError, match="out may share memory with image"):
        yoloxfast.letterbox(image, (202, 243), out=out)


@LIMITED
def test_a_large_call_leaves_no_memory_behind() -> None:
    script = SET_UP + (
        "resident = lambda: int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()\n"
        "x = boxes(1_000_000), np.random.default_rng(1).random(1_000_000, np.float32)\n"
        "yoloxfast.nms(*(part[:1000] for part in x)); before = resident()\n"
        "yoloxfast.nms(*x)\n"
        "print(resident() - before)"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert int(process.stdout) < 128 * MIB  # of 247; malloc itself keeps some
