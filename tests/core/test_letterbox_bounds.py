"""The letterbox at each level reads and writes no byte beside its arrays: pages around them may not be touched.

Valgrind, which `make memcheck` uses, knows no AVX-512.
"""

from __future__ import annotations

import sys

import pytest

from levels import has, run

CODE = """
import ctypes, mmap, sys
import numpy as np
from yoloxfast import letterbox, reference
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PAGE, PROT_NONE = mmap.PAGESIZE, 0

def guarded(shape, dtype, at_end):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (address, address + (pages + 1) * PAGE):
        assert libc.mprotect(guard, PAGE, PROT_NONE) == 0
    start = PAGE + (pages * PAGE - size if at_end else 0)
    return np.frombuffer(memory, np.uint8, size, start).view(dtype).reshape(shape)

random = np.random.default_rng(0)
if sys.argv[1:] == ["fail"]:
    array = guarded((1, 100), np.uint8, at_end=True)
    ctypes.c_uint8.from_address(array.ctypes.data + 100).value
sides = [1, 2, 5, 8, 15, 16, 17, 21, 22, 23, 42, 43, 44, 64, 100, 299]
for number in range(400):
    height, width, *size = map(int, random.choice(sides, 4))
    if number % 3 == 0:
        times = 1 + number % 8
        height, width = size[0] * times, size[1] * times
    layout, dtype = number % 4, (np.float32, np.float16, np.uint8)[number // 4 % 3]
    shape = ((3, *size), (*size, 3), (1, *size), (*size, 1))[layout]
    image = guarded((height, width, 3), np.uint8, at_end=number % 2 == 0)
    image[:] = random.integers(0, 256, image.shape, np.uint8)
    out = guarded(shape, dtype, at_end=number % 5 > 1)
    expected = reference.letterbox(image, tuple(size), out=np.empty(shape, dtype))[0]
    if shape[0] != 3 or layout == 0:
        np.testing.assert_array_equal(letterbox(image, tuple(size), out=out, threads=1 + number % 3)[0], expected)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="protects pages as Linux does")


@pytest.mark.parametrize("level", ["scalar", "avx2", "avx512", "neon"])
def test_no_byte_beside_image_and_out_is_touched(level: str) -> None:
    if not has(level):
        pytest.skip(f"this CPU has no {level}")
    done = run(level, CODE)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_byte_beside_would_be_noticed() -> None:
    assert run("scalar", CODE, "fail").returncode < 0
