"""Sixteen numbers side by side as one numba value, and the operators between two of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

LANES = 16
ELEMENTS = {
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
    "int32": ir.IntType(32),
    "int64": ir.IntType(64),
    "bits": ir.IntType(1),
}


class Lanes(types.Type):
    """The numba type of sixteen values side by side."""

    def __init__(self, element: str) -> None:
        super().__init__(name=f"lanes({element})")
        self.element = element

    def __reduce__(self) -> Any:
        return Lanes, (self.element,)

    @property
    def vector(self) -> Any:
        return ir.VectorType(ELEMENTS[self.element], LANES)

    @property
    def floating(self) -> bool:
        return self.element.startswith("float")


FLOATS, DOUBLES, INTS, LONGS, BITS = (Lanes(element) for element in ELEMENTS)


def lanes_of(scalar: Any) -> Lanes:
    """The lanes of a scalar's type; float64 where it is none of the others."""
    for kind, name in ((FLOATS, "float32"), (INTS, "int32"), (LONGS, "int64")):
        if str(scalar) == name:
            return kind
    return DOUBLES


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.vector)  # type: ignore[no-untyped-call]


# -- operators ---------------------------------------------------------------------------------------------------------


def _binary(symbol: Any, generate: Callable[..., Any], result: Lanes | None, accepts: Callable[[Lanes], bool]) -> None:
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Lanes) and args[0] == args[1] and accepts(args[0]):
                return signature(result or args[0], *args)  # type: ignore[no-untyped-call]
            return None

    infer_global(symbol)(Template)  # type: ignore[no-untyped-call]

    def lower(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        return generate(builder, chosen.args[0], *arguments)

    lower_builtin(symbol, Lanes, Lanes)(lower)  # type: ignore[no-untyped-call]


def _arithmetic(floating: str, whole: str) -> Callable[..., Any]:
    def generate(builder: Any, kind: Lanes, a: Any, b: Any) -> Any:
        return getattr(builder, floating if kind.floating else whole)(a, b)

    return generate


def _comparison(sign: str) -> Callable[..., Any]:
    def generate(builder: Any, kind: Lanes, a: Any, b: Any) -> Any:
        if not kind.floating:
            return builder.icmp_signed(sign, a, b)
        return builder.fcmp_unordered(sign, a, b) if sign == "!=" else builder.fcmp_ordered(sign, a, b)

    return generate


for _symbol, _names in {
    operator.add: ("fadd", "add"),
    operator.sub: ("fsub", "sub"),
    operator.mul: ("fmul", "mul"),
}.items():
    _binary(_symbol, _arithmetic(*_names), None, lambda kind: kind != BITS)
_binary(operator.truediv, _arithmetic("fdiv", ""), None, lambda kind: kind.floating)
for _symbol, _name in {operator.and_: "and_", operator.or_: "or_", operator.xor: "xor"}.items():
    _binary(_symbol, _arithmetic("", _name), None, lambda kind: not kind.floating)
for _symbol, _sign in {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}.items():
    _binary(_symbol, _comparison(_sign), BITS, lambda kind: kind != BITS)
