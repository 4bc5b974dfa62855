"""numba's `njit` with our defaults and a type that strict mypy understands.

Kernels release the GIL (`nogil`) so that threads run them side by side, and are cached on disk so that only the first
run on a machine compiles. NaN and infinity keep their meaning: no `fastmath` but the reordering of sums in `reduction`.
The cache notices changes of a kernel's own file only: whoever changes options here empties `__pycache__` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def njit(function: F) -> F:
    """Compile `function` with numba: cached, without the GIL, IEEE arithmetic, division by zero as NumPy does it."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def reduction(function: F) -> F:
    """`njit` for a loop whose sums may be reordered, so that they vectorise: only `reassoc` and `nsz` are allowed."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})(function)
    return cast(F, compiled)
