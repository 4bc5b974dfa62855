"""Steps over a run of columns, sixteen float32 at a time: sums, extremes, and what is made of them.

LLVM's own loop vectoriser needs long loops; a group may be seven columns. These steps load what is left of a run under
a mask, so that a short run costs no more than one step. They are written in LLVM's portable vectors: any CPU runs them,
and sums are taken in the same order on all. A cell counts where its value is finite.

numba's cache notices changes of a kernel's own file only: whoever edits this one empties `__pycache__` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
FLOAT, DOUBLE, BYTE, SHORT, INT, LONG = ir.FloatType(), ir.DoubleType(), *(ir.IntType(b) for b in (8, 16, 32, 64))
FLOATS, DOUBLES, INTS = (ir.VectorType(each, LANES) for each in (FLOAT, DOUBLE, INT))
NUMBERS = {types.float32: FLOATS, types.float64: DOUBLES}
ORDER = ir.Constant(INTS, list(range(LANES)))
NO_CELLS = ir.Constant(INTS, [0] * LANES)


def constant(kind: Any, value: float) -> Any:
    """A vector with one number in all lanes."""
    return ir.Constant(kind, [ir.Constant(kind.element, value)] * LANES)


NAN, NOTHING = float("nan"), constant(DOUBLES, 0.0)

Signature = tuple[Any, Callable[..., Any]]


def step(function: Callable[..., Signature]) -> Callable[..., Any]:
    """numba's `intrinsic`, as mypy may see it: called without the typing context."""
    compiled: Callable[..., Any] = intrinsic(function)
    return compiled


class Run:
    """The code of one step over columns left … right of a row: of its arrays, the first is read by `each`."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        self.kinds, self.arguments = signature.args, arguments

    def each(self, left: Any, right: Any, body: Callable[[Any, Any], None]) -> None:
        """`body(start, lanes inside the run)` for every sixteen columns; the lanes are None where all are inside."""
        builder = self.builder
        whole = builder.add(left, builder.and_(builder.sub(right, left), LONG(-LANES)))
        with cgutils.for_range_slice(builder, left, whole, LONG(LANES), LONG) as (start, _):
            body(start, None)
        with builder.if_then(builder.icmp_signed("<", whole, right)):
            rest = builder.trunc(builder.sub(right, whole), INT)
            body(whole, builder.icmp_signed("<", ORDER, self.all(rest)))

    def load(self, argument: int, start: Any, inside: Any) -> Any:
        """Sixteen numbers of an array; NaN, or 0 for integers, outside the run."""
        dtype = self.kinds[argument].dtype
        if dtype in NUMBERS:
            kind, code = NUMBERS[dtype], "f32" if dtype == types.float32 else "f64"
            other = constant(kind, NAN)
        else:
            kind = ir.VectorType(ir.IntType(8 if dtype == types.boolean else dtype.bitwidth), LANES)
            code, other = f"i{kind.element.width}", ir.Constant(kind, [0] * LANES)
        place = self._place(argument, start, kind)
        if inside is None:
            return self.builder.load(place, align=kind.element.get_abi_size(self.context.target_data), typ=kind)
        return self._call(f"llvm.masked.load.v16{code}.p0", kind, place, inside, other)

    def store(self, argument: int, start: Any, inside: Any, values: Any) -> None:
        """array[start:start + 16] = values, inside the run."""
        code = "f64" if values.type == DOUBLES else "f32"
        place = self._place(argument, start, values.type)
        if inside is None:
            self.builder.store(values, place, align=values.type.element.get_abi_size(self.context.target_data))
        else:
            self._call(f"llvm.masked.store.v16{code}.p0", ir.VoidType(), values, place, inside)

    def fetch(self, argument: int, start: Any) -> None:
        """Have array[start:] on its way to the second cache. It may lie outside the array: nothing is read."""
        place = self._place(argument, start, BYTE)
        self._call("llvm.prefetch.p0", ir.VoidType(), place, INT(0), INT(3), INT(1))

    def _place(self, argument: int, start: Any, kind: Any) -> Any:
        array = self.context.make_array(self.kinds[argument])
        data = array(self.context, self.builder, self.arguments[argument]).data
        return self.builder.bitcast(self.builder.gep(data, [start]), kind.as_pointer())

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, [each.type for each in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)  # type: ignore[no-untyped-call]
        return self.builder.call(function, arguments)

    def length(self, argument: int) -> Any:
        """Elements of an array of one dimension."""
        array = self.context.make_array(self.kinds[argument])
        return array(self.context, self.builder, self.arguments[argument]).nitems

    def all(self, value: Any) -> Any:
        """A vector with one value in all lanes."""
        nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
        one = self.builder.insert_element(nothing, value, INT(0))
        return self.builder.shuffle_vector(one, nothing, NO_CELLS)

    def variable(self, value: Any) -> Any:
        """A place for a value that steps change, with its first."""
        place = cgutils.alloca_once(self.builder, value.type)  # type: ignore[no-untyped-call]
        self.builder.store(value, place)
        return place

    def add(self, total: Any, values: Any) -> None:
        self.builder.store(self.builder.fadd(self.builder.load(total), values), total)

    def count(self, number: Any, lanes: Any) -> None:
        """number += 1 in the lanes that hold."""
        self.builder.store(self.builder.sub(self.builder.load(number), self.builder.sext(lanes, INTS)), number)

    def how_many(self, lanes: Any) -> Any:
        """The number of lanes that hold, int64."""
        bits = self.builder.bitcast(lanes, SHORT)
        return self.builder.zext(self._call("llvm.ctpop.i16", SHORT, bits), LONG)

    def keep(self, best: Any, sign: str, values: Any) -> None:
        """best = values where they are beyond it; no NaN."""
        held = self.builder.load(best)
        self.builder.store(self.builder.select(self.builder.fcmp_ordered(sign, values, held), values, held), best)

    def finite(self, values: Any) -> Any:
        """Lanes that count."""
        return self.builder.fcmp_ordered("<", self.size(values), constant(values.type, float("inf")))

    def size(self, values: Any) -> Any:
        """|values|."""
        return self._call(f"llvm.fabs.v16{'f64' if values.type == DOUBLES else 'f32'}", values.type, values)

    def wide(self, values: Any) -> Any:
        """As float64."""
        return values if values.type == DOUBLES else self.builder.fpext(values, DOUBLES)

    def sum(self, total: Any) -> Any:
        """One number of the sixteen."""
        return self._fold(self.builder.load(total), self.builder.fadd)

    def number(self, count: Any) -> Any:
        """How many lanes were counted, as float64."""
        return self.builder.sitofp(self._fold(self.builder.load(count), self.builder.add), DOUBLE)

    def extreme(self, best: Any, sign: str) -> Any:
        """The number beyond the fifteen others."""
        builder = self.builder
        return self._fold(builder.load(best), lambda a, b: builder.select(builder.fcmp_ordered(sign, a, b), a, b))

    def _fold(self, values: Any, join: Callable[[Any, Any], Any]) -> Any:
        """One number of a vector, its halves joined over and over: the same order on every CPU."""
        builder, width = self.builder, LANES
        while width > 1:
            width //= 2
            kind = ir.VectorType(INT, width)
            low = builder.shuffle_vector(values, values, ir.Constant(kind, list(range(width))))
            high = builder.shuffle_vector(values, values, ir.Constant(kind, list(range(width, 2 * width))))
            values = join(low, high)
        return builder.extract_element(values, INT(0))


def numbers(count: int, kind: Any = types.float64) -> Any:
    """The type of a step that returns several numbers."""
    return types.UniTuple(kind, count)  # type: ignore[no-untyped-call]


def _sum(run: Run, left: Any, right: Any) -> tuple[Any, Any]:
    """(sum, number of cells that count) of the first array's [left:right], both float64."""
    builder = run.builder
    total, count = run.variable(NOTHING), run.variable(LONG(0))

    def body(start: Any, inside: Any) -> None:
        values = run.load(0, start, inside)
        known = run.finite(values)
        run.add(total, builder.select(known, run.wide(values), NOTHING))
        builder.store(builder.add(builder.load(count), run.how_many(known)), count)

    builder.store(NOTHING, total)
    builder.store(LONG(0), count)
    run.each(left, right, body)
    return run.sum(total), builder.sitofp(builder.load(count), DOUBLE)


@step
def sum_of_run(_: Any, row: Any, left: Any, right: Any) -> Signature:
    """(sum, number of cells that count) of row[left:right], both float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = _sum(Run(context, builder, signature, arguments), *arguments[1:])
        return context.make_tuple(builder, signature.return_type, found)

    return numbers(2)(row, types.int64, types.int64), generate


@step
def sizes_of_run(_: Any, row: Any, left: Any, right: Any) -> Signature:
    """Σ|value| of row[left:right], float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        total = run.variable(NOTHING)

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            run.add(total, builder.select(run.finite(values), run.wide(run.size(values)), NOTHING))

        run.each(arguments[1], arguments[2], body)
        return run.sum(total)

    return types.float64(row, types.int64, types.int64), generate


@step
def squares_of_run(_: Any, row: Any, left: Any, right: Any, mean: Any) -> Signature:
    """Σ(value − mean)² of row[left:right], float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        total, mean_ = run.variable(NOTHING), run.all(arguments[3])

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            above = builder.fsub(run.wide(values), mean_)
            run.add(total, builder.select(run.finite(values), builder.fmul(above, above), NOTHING))

        run.each(arguments[1], arguments[2], body)
        return run.sum(total)

    return types.float64(row, types.int64, types.int64, types.float64), generate


@step
def ends_of_run(_: Any, row: Any, left: Any, right: Any) -> Signature:
    """(least, greatest) of float32 row[left:right]; (inf, −inf) where no cell counts."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        worst = {"<": constant(FLOATS, float("inf")), ">": constant(FLOATS, float("-inf"))}
        ends = {sign: run.variable(value) for sign, value in worst.items()}

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            known = run.finite(values)
            for sign, end in ends.items():
                run.keep(end, sign, builder.select(known, values, worst[sign]))

        run.each(arguments[1], arguments[2], body)
        found = [run.extreme(end, sign) for sign, end in ends.items()]
        return context.make_tuple(builder, signature.return_type, found)

    return numbers(2, types.float32)(row, types.int64, types.int64), generate


@step
def put_run(_: Any, row: Any, left: Any, right: Any, mean: Any, share: Any, result: Any) -> Signature:
    """result[left:right] = (row − mean) · share, float64 rounded once to float32; NaN where a cell does not count."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        mean_, share_ = (run.all(each) for each in arguments[3:5])

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            found = builder.fptrunc(builder.fmul(builder.fsub(run.wide(values), mean_), share_), FLOATS)
            run.store(5, start, inside, builder.select(run.finite(values), found, constant(FLOATS, NAN)))

        run.each(arguments[1], arguments[2], body)
        return context.get_dummy_value()

    return types.void(row, types.int64, types.int64, types.float64, types.float64, result), generate


class _Spread:
    """Σ|row − mean| and max|row − mean| over any number of runs; the differences go to an array, if any."""

    def __init__(self, run: Run, centred: int | None) -> None:
        self.run, self.centred = run, centred
        self.total, self.largest = run.variable(NOTHING), run.variable(NOTHING)

    def take(self, left: Any, right: Any, mean: Any) -> None:
        run, mean = self.run, self.run.all(mean)

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            above = run.builder.select(run.finite(values), run.builder.fsub(run.wide(values), mean), NOTHING)
            if self.centred is not None:
                run.store(self.centred, start, inside, above)
            size = run.size(above)
            run.add(self.total, size)
            run.keep(self.largest, ">", size)

        run.each(left, right, body)

    def found(self) -> list[Any]:
        return [self.run.sum(self.total), self.run.extreme(self.largest, ">")]


@step
def spread_of_run(_: Any, row: Any, left: Any, right: Any, mean: Any) -> Signature:
    """(Σ|row − mean|, max|row − mean|) of row[left:right], float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        spread = _Spread(Run(context, builder, signature, arguments), None)
        spread.take(*arguments[1:])
        return context.make_tuple(builder, signature.return_type, spread.found())

    return numbers(2)(row, types.int64, types.int64, types.float64), generate


@step
def centre_run(_: Any, row: Any, left: Any, right: Any, mean: Any, centred: Any) -> Signature:
    """centred[left:right] = row − mean, float64, 0 where a cell does not count."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Spread(Run(context, builder, signature, arguments), 4).take(*arguments[1:4])
        return context.get_dummy_value()

    return types.void(row, types.int64, types.int64, types.float64, centred), generate


@step
def centre_groups(_: Any, row: Any, groups: Any, centred: Any) -> Signature:
    """centred = row − mean of the group, float64, 0 where a cell does not count.

    Group g is the run groups[g]:groups[g + 1], int64. Returns (Σ|centred|, max|centred|, Σ|sum of a group|).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        spread, taken = _Spread(run, 2), run.variable(DOUBLE(0.0))
        ends = context.make_array(signature.args[1])(context, builder, arguments[1]).data
        last = builder.sub(run.length(1), LONG(1))
        with cgutils.for_range(builder, last) as loop:
            left, right = (
                builder.load(builder.gep(ends, [place])) for place in (loop.index, builder.add(loop.index, LONG(1)))
            )
            total, count = _sum(run, left, right)
            some = builder.select(builder.fcmp_ordered(">", count, DOUBLE(0.0)), count, DOUBLE(1.0))
            spread.take(left, right, builder.fdiv(total, some))
            size = builder.call(builder.module.declare_intrinsic("llvm.fabs", [DOUBLE]), [total])
            builder.store(builder.fadd(builder.load(taken), size), taken)
        return context.make_tuple(builder, signature.return_type, [*spread.found(), builder.load(taken)])

    return numbers(3)(row, groups, centred), generate


@step
def rank_in_run(_: Any, row: Any, left: Any, right: Any, result: Any) -> Signature:
    """result[left:right] = rank in [0, 1] of float32 row[left:right], ties their average; NaN where the row is.

    Every value is compared with all of the run, sixteen at a time: the work grows with the square of its length.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        run = Run(context, builder, signature, arguments)
        left_, right_ = arguments[1:3]
        count = run.variable(LONG(0))
        builder.store(LONG(0), count)

        def known(values: Any) -> Any:
            return builder.fcmp_ordered("ord", values, values)

        def count_up(start: Any, inside: Any) -> None:
            here = run.how_many(known(run.load(0, start, inside)))
            builder.store(builder.add(builder.load(count), here), count)

        run.each(left_, right_, count_up)
        steps = builder.sitofp(builder.sub(builder.load(count), LONG(1)), DOUBLE)
        half_step = run.all(builder.fmul(DOUBLE(0.5), builder.fdiv(DOUBLE(1.0), steps)))
        lonely = run.all(builder.icmp_signed("==", builder.load(count), LONG(1)))
        below, to = run.variable(NO_CELLS), run.variable(NO_CELLS)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

        def body(start: Any, inside: Any) -> None:
            values = run.load(0, start, inside)
            builder.store(NO_CELLS, below)
            builder.store(ir.Constant(INTS, [-1] * LANES), to)  # each is at most itself
            with cgutils.for_range_slice(builder, left_, right_, LONG(1), LONG) as (other, _):
                value = run.all(builder.load(builder.gep(data, [other])))
                run.count(below, builder.fcmp_ordered("<", value, values))
                run.count(to, builder.fcmp_ordered("<=", value, values))
            place = builder.sitofp(builder.add(builder.load(below), builder.load(to)), DOUBLES)
            found = builder.fptrunc(builder.fmul(place, half_step), FLOATS)
            found = builder.select(lonely, constant(FLOATS, 0.5), found)
            run.store(3, start, inside, builder.select(known(values), found, constant(FLOATS, NAN)))

        run.each(left_, right_, body)
        return context.get_dummy_value()

    return types.void(row, types.int64, types.int64, result), generate
