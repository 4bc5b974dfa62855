"""Fresh memory for large arrays, its pages touched once, in the size of pages that is quicker to get here.

The first touch of memory is dear: 15 MB take 1 ms on a machine of its own, with huge pages; on a virtual machine that
has to ask its host for them, 20 to 40 ms, and then small pages, taken from what was in use before, 7 ms. So both are
timed, and the kind that was quicker when it was last asked for is taken.
"""

from __future__ import annotations

import mmap
import time
from threading import Lock

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Matrix

LARGE = 4 << 20  # bytes; below, an array is a matter of the C library
KINDS = tuple(getattr(mmap, name) for name in ("MADV_HUGEPAGE", "MADV_NOHUGEPAGE") if hasattr(mmap, name))

_seconds: dict[int, float] = dict.fromkeys(KINDS, 0.0)  # for a byte, when last asked for; 0: never
_lock = Lock()


def fresh(shape: tuple[int, int]) -> Matrix:
    """A float32 array of zeros whose pages are all there."""
    size = 4 * shape[0] * shape[1]
    if size < LARGE or not KINDS:
        array: Matrix = np.empty(shape, np.float32)
        array.fill(0)
        return array
    with _lock:
        kind = min(_seconds, key=lambda each: _seconds[each])
    began = time.thread_time()
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.madvise(kind)
    array = np.frombuffer(block, np.float32).reshape(shape)
    array.fill(0)
    with _lock:
        _seconds[kind] = (time.thread_time() - began) / size
    return array
