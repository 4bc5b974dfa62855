"""Whether a day's value may be equal to one of many others, found out for sixteen columns and two days at a time.

Of each float32 sixteen bits are kept, mixed of all its bits: where they differ, the values do. Equal ones may be found
where there are none, once in 65,536 comparisons, so that who finds some looks at the values themselves.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import models, register_model

from alpha_pipeline.lanes.intrinsic import Signature, word
from alpha_pipeline.lanes.places import place_of
from alpha_pipeline.lanes.types import BITS, FLOATS, INTS, LANES

SHORT = ir.IntType(16)
ROW, TWO_ROWS = ir.VectorType(SHORT, LANES), ir.VectorType(SHORT, 2 * LANES)
MIXING = 0x9E3779B1  # odd; the high half of a product with it depends on all bits


class Digests(types.Type):
    """The numba type of the digests of two days."""

    def __init__(self) -> None:
        super().__init__(name="digests")


@register_model(Digests)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, TWO_ROWS)  # type: ignore[no-untyped-call]


DIGESTS = Digests()


def _order(numbers: Any) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


@word
def store_digest(_: Any, digests: Any, row: Any, values: Any) -> Signature | None:
    """digests[row] = those of sixteen float32; ±0 have the same."""
    if values != FLOATS:
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        bits = builder.bitcast(builder.fadd(arguments[2], ir.Constant(FLOATS.vector, [0.0] * LANES)), INTS.vector)
        mixed = builder.mul(bits, ir.Constant(INTS.vector, [MIXING] * LANES))
        digest = builder.trunc(builder.lshr(mixed, ir.Constant(INTS.vector, [16] * LANES)), ROW)
        column = ir.IntType(64)(0)
        place = place_of(context, builder, chosen.args[0], [*arguments[:2], column], ROW)
        builder.store(digest, place).align = 2
        return context.get_dummy_value()

    return types.void(digests, types.int64, values), generate


@word
def digests_of(_: Any, digests: Any, row: Any, days: Any) -> Signature | None:
    """The digests of rows `row` and `row` + 1, or twice that of `row`, as `days` is 2 or 1."""
    if not isinstance(days, types.IntegerLiteral):
        return None
    kind = TWO_ROWS if days.literal_value == 2 else ROW

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        column = ir.IntType(64)(0)
        found = builder.load(place_of(context, builder, chosen.args[0], [*arguments[:2], column], kind), typ=kind)
        found.align = 2
        if kind is ROW:
            found = builder.shuffle_vector(found, found, _order(list(range(LANES)) * 2))
        return found

    return DIGESTS(digests, types.int64, days), generate


@word
def nearer(_: Any, nearest: Any, one: Any, other: Any) -> Signature:
    """The smaller of `nearest` and how far two digests are apart: 0 once any two have been equal."""

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        shape = ir.FunctionType(TWO_ROWS, [TWO_ROWS, TWO_ROWS])
        function = cgutils.get_or_insert_function(builder.module, shape, f"llvm.umin.v{2 * LANES}i16")  # type: ignore[no-untyped-call]
        return builder.call(function, [arguments[0], builder.xor(arguments[1], arguments[2])])

    return DIGESTS(nearest, one, other), generate


@word
def far(_: Any) -> Signature:
    """Further apart than any two digests need be."""

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        return ir.Constant(TWO_ROWS, [0xFFFF] * (2 * LANES))

    return DIGESTS(), generate


@word
def met(_: Any, nearest: Any) -> Signature:
    """The columns in which two digests have been equal."""

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        equal = builder.icmp_unsigned("==", arguments[0], ir.Constant(TWO_ROWS, [0] * (2 * LANES)))
        first, second = (_order(list(range(start, start + LANES))) for start in (0, LANES))
        return builder.or_(builder.shuffle_vector(equal, equal, first), builder.shuffle_vector(equal, equal, second))

    return BITS(nearest), generate
