"""What a word is made of: its definition for numba, and calls of LLVM's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

Signature = tuple[Any, Callable[..., Any]]


def word(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba's `intrinsic`, as mypy may see it: called without the typing context."""
    word: Callable[..., Any] = intrinsic(function)
    return word


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of LLVM's."""
    kind = ir.FunctionType(result, [each.type for each in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)
