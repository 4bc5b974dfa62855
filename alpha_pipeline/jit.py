"""numba's `njit` with our defaults and a type that strict mypy understands.

Kernels release the GIL (`nogil`) so that threads run them side by side, and are cached on disk so that only the first
run on a machine compiles. No fastmath: NaN must keep its meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def njit(function: F) -> F:
    """Compile `function` with numba: cached, without the GIL, IEEE arithmetic, division by zero as NumPy does it."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
