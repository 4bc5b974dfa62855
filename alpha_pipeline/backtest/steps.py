"""The row step's inner loops, sixteen instruments at a time: see `columns` for how they are written, and why.

A loop of several sums over mixed types is what LLVM does not vectorise well by itself.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from alpha_pipeline.columns import (
    FLOATS,
    LANES,
    LONG,
    NAN,
    NO_CELLS,
    NOTHING,
    Run,
    Signature,
    constant,
    numbers,
    step,
)

TOGETHER = ("contract",)  # a product of two float32 is exact in float64: fused or not, the sum has the same bits


@step
def admit(_: Any, signal: Any, member: Any, born: Any, youngest: Any, row: Any) -> Signature:
    """row = signal where it is finite and the instrument a member, else NaN.

    Returns (members with born ≤ youngest, those of them without a finite signal).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        columns = run.length(4)
        cells, missing = run.variable(NO_CELLS), run.variable(NO_CELLS)
        youngest_ = run.all(arguments[3])

        def body(start: Any, inside: Any) -> None:
            run.fetch(1, builder.add(start, columns))
            values = run.load(0, start, inside)
            flags = run.load(1, start, inside)
            held = builder.icmp_signed("!=", flags, ir.Constant(flags.type, [0] * LANES))
            old = builder.and_(held, builder.icmp_signed("<=", run.load(2, start, inside), youngest_))
            known = run.finite(values)
            run.count(cells, old)
            run.count(missing, builder.and_(old, builder.not_(known)))
            run.store(4, start, inside, builder.select(builder.and_(held, known), values, constant(FLOATS, NAN)))

        run.each(LONG(0), columns, body)
        return context.make_tuple(builder, signature.return_type, [run.number(cells), run.number(missing)])

    return numbers(2)(signal, member, born, types.int32, row), generate


def _scaled(run: Run, builder: Any, values: Any, mean: Any, factor: Any) -> Any:
    found = builder.fptrunc(builder.fmul(builder.fsub(run.wide(values), mean), factor), FLOATS)
    return builder.select(run.finite(values), found, constant(FLOATS, 0.0))


@step
def scale(_: Any, row: Any, mean: Any, factor: Any, book: Any) -> Signature:
    """book = (row − mean) · factor in float64, rounded to float32; 0 where the row has no value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        mean_, factor_ = (run.all(each) for each in arguments[1:3])

        def body(start: Any, inside: Any) -> None:
            run.store(3, start, inside, _scaled(run, builder, run.load(0, start, inside), mean_, factor_))

        run.each(LONG(0), run.length(0), body)
        return context.get_dummy_value()

    return types.void(row, types.float64, types.float64, book), generate


@step
def hold(
    _: Any, row: Any, mean: Any, factor: Any, before: Any, returns: Any, least: Any, book: Any, signal: Any
) -> Signature:
    """`scale`, and what the book earns and trades.

    Returns (Σ book · returns, Σ before · returns, Σ|book − before|, longs, shorts). A return that is not finite earns
    0; positions of at most `least` are not counted. The next rows of returns and of the signal are fetched meanwhile:
    the processor does not see them coming, which took a fifth of the time.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        columns = run.length(0)
        earned, late, change = (run.variable(NOTHING) for _ in range(3))
        longs, shorts = (run.variable(NO_CELLS) for _ in range(2))
        above, below = run.all(arguments[5]), run.all(builder.fneg(arguments[5]))
        mean_, factor_ = (run.all(each) for each in arguments[1:3])

        def body(start: Any, inside: Any) -> None:
            for matrix in (4, 7):
                run.fetch(matrix, builder.add(start, columns))
            now = _scaled(run, builder, run.load(0, start, inside), mean_, factor_)
            run.store(6, start, inside, now)
            past, paid = (run.load(place, start, inside) for place in (3, 4))
            profit = run.wide(builder.select(run.finite(paid), paid, constant(FLOATS, 0.0)))
            now_, past_ = run.wide(now), run.wide(past)
            if inside is not None:
                past_ = builder.select(inside, past_, NOTHING)
            for total, weight in ((earned, now_), (late, past_)):
                product = builder.fmul(weight, profit, flags=TOGETHER)
                builder.store(builder.fadd(builder.load(total), product, flags=TOGETHER), total)
            run.add(change, run.size(builder.fsub(now_, past_)))
            run.count(longs, builder.fcmp_ordered(">", now, above))
            run.count(shorts, builder.fcmp_ordered("<", now, below))

        run.each(LONG(0), columns, body)
        found = [run.sum(total) for total in (earned, late, change)] + [run.number(longs), run.number(shorts)]
        return context.make_tuple(builder, signature.return_type, found)

    given = (row, types.float64, types.float64, before, returns, types.float32, book, signal)
    return numbers(5)(*given), generate
