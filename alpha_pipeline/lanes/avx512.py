"""Steps of sixteen float32 values at a time for CPUs with AVX-512 alone, which the other words cannot say.

They look up tables held in registers, close gaps, or gather; each becomes a few instructions inside the kernel that
calls it. None checks bounds: arrays must reach 16 elements past the last one in use. Call them only where `AVAILABLE`:
elsewhere LLVM aborts the process.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target

from alpha_pipeline.lanes.intrinsic import Signature, call, word

LANES = 16
FLOAT, DOUBLE, BIT, SHORT, INT, LONG = ir.FloatType(), ir.DoubleType(), *(ir.IntType(size) for size in (1, 16, 32, 64))
FLOATS, DOUBLES, BITS, SHORTS, INTS = (ir.VectorType(each, LANES) for each in (FLOAT, DOUBLE, BIT, SHORT, INT))
NAN = ir.Constant(FLOATS, [ir.Constant(FLOAT, float("nan"))] * LANES)
ZERO = ir.Constant(FLOATS, [ir.Constant(FLOAT, 0.0)] * LANES)


def _available() -> bool:
    """Whether numba compiles for a CPU that has the instructions: it may be told to compile for another one."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    return {"+avx512f", "+avx512bw", "+avx512dq", "+avx512vl"} <= set(features)


AVAILABLE = _available()


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    """The address of array[index], as that of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any = FLOATS) -> Any:
    found = builder.load(_place(context, builder, kind, array, index, vector), typ=vector)
    found.align = vector.element.get_abi_size(context.target_data)
    return found


def _store(context: Any, builder: Any, kind: Any, array: Any, index: Any, value: Any) -> None:
    stored = builder.store(value, _place(context, builder, kind, array, index, value.type))
    stored.align = value.type.element.get_abi_size(context.target_data)


def _variable(builder: Any, value: Any) -> Any:
    return cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]


def _all(builder: Any, value: Any) -> Any:
    """A vector with one value in all lanes."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    one = builder.insert_element(nothing, value, INT(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(INTS, [0] * LANES))


def _row(context: Any, builder: Any, kind: Any, row: Any, start: Any, stop: Any, common: Any) -> tuple[Any, ...]:
    """row[start:start + 16], NaN from `stop` on; which are before `stop`; which hold `common`; and another number."""
    lanes = ir.Constant(INTS, list(range(LANES)))
    inside = builder.icmp_signed("<", lanes, _all(builder, builder.trunc(builder.sub(stop, start), INT)))
    place = _place(context, builder, kind, row, start, FLOATS)
    value = call(builder, "llvm.masked.load.v16f32.p0", FLOATS, place, inside, NAN)
    common = _all(builder, common)
    return (
        value,
        inside,
        builder.fcmp_ordered("==", value, common),
        builder.and_(builder.fcmp_ordered("ord", value, value), builder.fcmp_unordered("!=", value, common)),
    )


def _count(builder: Any, lanes: Any) -> Any:
    bits = call(builder, "llvm.ctpop.i16", SHORT, builder.bitcast(lanes, SHORT))
    return builder.zext(bits, LONG)


@word
def close_gaps(_: Any, row: Any, start: Any, stop: Any, common: Any, values: Any, at: Any) -> Signature:
    """values[at:] = row[start:start + 16], before `stop`, without NaN and `common`. Returns how many."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_, start_, stop_, common_, values_, at_ = arguments
        value, _, _, known = _row(context, builder, signature.args[0], row_, start_, stop_, common_)
        packed = call(builder, "llvm.x86.avx512.mask.compress.v16f32", FLOATS, value, value, known)
        _store(context, builder, signature.args[4], values_, at_, packed)
        return _count(builder, known)

    return types.int64(row, types.int64, types.int64, types.float32, values, types.int64), generate


@word
def locate(_: Any, values: Any, at: Any, tables: Any, last: Any, shift: Any, buckets: Any) -> Signature:
    """buckets[at:at + 16] = bucket of each of values[at:at + 16], which never falls as the value rises.

    tables, float32 [32]: the lower ends of 16 segments, ascending, and the buckets per unit of each. A segment has
    2^shift buckets: from segment · 2^shift on; `last` = 2^shift − 1. What lies outside its segment is clamped, and
    0 · inf and inf − inf give a segment's first bucket. ±0 are one value to each of the steps.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values_, at_, tables_, last_, shift_, buckets_ = arguments
        value = _load(context, builder, signature.args[0], values_, at_)
        ends = _load(context, builder, signature.args[2], tables_, LONG(0))
        slopes = _load(context, builder, signature.args[2], tables_, LONG(LANES))
        segment = ir.Constant(INTS, [0] * LANES)
        for step in (8, 4, 2, 1):  # binary search; the ends are in one register
            probe = builder.or_(segment, ir.Constant(INTS, [step] * LANES))
            reached = builder.fcmp_ordered(">=", value, _look_up(builder, ends, probe))
            segment = builder.select(reached, probe, segment)
        above = builder.fsub(value, _look_up(builder, ends, segment))
        place = builder.fmul(above, _look_up(builder, slopes, segment))
        place = builder.select(builder.fcmp_ordered(">", place, ZERO), place, ZERO)
        last_ = _all(builder, last_)
        place = builder.select(builder.fcmp_ordered("<", place, last_), place, last_)
        found = builder.add(builder.fptosi(place, INTS), builder.shl(segment, _all(builder, shift_)))
        _store(context, builder, signature.args[5], buckets_, at_, builder.trunc(found, SHORTS))
        return context.get_dummy_value()

    return types.void(values, types.int64, tables, types.float32, types.int32, buckets), generate


def _look_up(builder: Any, table: Any, index: Any) -> Any:
    return call(builder, "llvm.x86.avx512.permvar.sf.512", FLOATS, table, index)


@word
def add_up(_: Any, numbers: Any, count: Any) -> Signature:
    """numbers[:count], rounded up to 16, become their running totals. Returns the largest of the numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers_, count_ = arguments
        zeros = ir.Constant(INTS, [0] * LANES)
        carried, largest = _variable(builder, zeros), _variable(builder, zeros)
        with cgutils.for_range_slice(builder, LONG(0), count_, LONG(LANES), LONG) as (start, _):
            total = _load(context, builder, signature.args[0], numbers_, start, INTS)
            most = builder.load(largest)
            builder.store(builder.select(builder.icmp_signed(">", total, most), total, most), largest)
            for step in (1, 2, 4, 8):
                moved = ir.Constant(INTS, [k - step + LANES if k >= step else 0 for k in range(LANES)])
                total = builder.add(total, builder.shuffle_vector(zeros, total, moved))
            total = builder.add(total, builder.load(carried))
            _store(context, builder, signature.args[0], numbers_, start, total)
            last = ir.Constant(INTS, [LANES - 1] * LANES)
            builder.store(builder.shuffle_vector(total, total, last), carried)
        return call(builder, "llvm.vector.reduce.smax.v16i32", INT, builder.load(largest))

    return types.int32(numbers, types.int64), generate


@word
def fetch_for_writing(_: Any, row: Any, start: Any) -> Signature:
    """Have row[start] on its way to the first cache by the time it is written to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_, start_ = arguments
        place = _place(context, builder, signature.args[0], row_, start_, FLOATS)
        call(builder, "llvm.prefetch.p0", ir.VoidType(), place, INT(1), INT(3), INT(1))
        return context.get_dummy_value()

    return types.void(row, types.int64), generate


@word
def compare(_: Any, value: Any, others: Any, start: Any) -> Signature:
    """How many of others[start:start + 16] are below `value`, plus how many are at most `value`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value_, others_, start_ = arguments
        window, value_ = _load(context, builder, signature.args[1], others_, start_), _all(builder, value_)
        below, to = builder.fcmp_ordered("<", window, value_), builder.fcmp_ordered("<=", window, value_)
        both = builder.shuffle_vector(below, to, ir.Constant(ir.VectorType(INT, 32), list(range(32))))
        return call(builder, "llvm.ctpop.i32", INT, builder.bitcast(both, INT))

    return types.int32(types.float32, others, types.int64), generate


@word
def steps_above(_: Any, numbers: Any, start: Any, stop: Any, size: Any, found: Any, at: Any) -> Signature:
    """found[at:] = those k of start … start + 15, before `stop`, where numbers[k + 1] − numbers[k] > size. How many."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers_, start_, stop_, size_, found_, at_ = arguments
        here = _load(context, builder, signature.args[0], numbers_, start_, INTS)
        there = _load(context, builder, signature.args[0], numbers_, builder.add(start_, LONG(1)), INTS)
        index = builder.add(ir.Constant(INTS, list(range(LANES))), _all(builder, builder.trunc(start_, INT)))
        inside = builder.icmp_signed("<", index, _all(builder, builder.trunc(stop_, INT)))
        above = builder.and_(inside, builder.icmp_signed(">", builder.sub(there, here), _all(builder, size_)))
        packed = call(builder, "llvm.x86.avx512.mask.compress.v16i32", INTS, index, index, above)
        _store(context, builder, signature.args[4], found_, at_, packed)
        return _count(builder, above)

    return types.int64(numbers, types.int64, types.int64, types.int32, found, types.int64), generate


@word
def lowest_and_highest(_: Any, values: Any, start: Any) -> Signature:
    """The least and the greatest of values[start:start + 16], of which none may be NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = _load(context, builder, signature.args[0], *arguments)
        found = []
        for sign in "<>":
            best = value
            for step in (8, 4, 2, 1):
                moved = builder.shuffle_vector(best, best, ir.Constant(INTS, [k ^ step for k in range(LANES)]))
                best = builder.select(builder.fcmp_ordered(sign, best, moved), best, moved)
            found.append(builder.extract_element(best, INT(0)))
        return context.make_tuple(builder, signature.return_type, found)

    pair = types.UniTuple(types.float32, 2)  # type: ignore[no-untyped-call]
    return pair(values, types.int64), generate


@word
def crowded_of(_: Any, buckets: Any, start: Any, stop: Any, crowds: Any, members: Any, at: Any) -> Signature:
    """members[at:] = those k of start … start + 15, before `stop`, where crowds[buckets[k]] ≥ 0. Returns how many."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        buckets_, start_, stop_, crowds_, members_, at_ = arguments
        numbers = ir.Constant(INTS, list(range(LANES)))
        inside = builder.icmp_signed("<", numbers, _all(builder, builder.trunc(builder.sub(stop_, start_), INT)))
        bucket = builder.zext(_load(context, builder, signature.args[0], buckets_, start_, SHORTS), INTS)
        none = ir.Constant(INTS, [-1] * LANES)
        place = _place(context, builder, signature.args[3], crowds_, LONG(0), INT)
        gather = "llvm.x86.avx512.mask.gather.dpi.512"
        crowd = call(builder, gather, INTS, none, place, bucket, inside, INT(4))
        crowded = builder.icmp_signed(">", crowd, none)
        here = builder.add(numbers, _all(builder, builder.trunc(start_, INT)))
        packed = call(builder, "llvm.x86.avx512.mask.compress.v16i32", INTS, here, here, crowded)
        _store(context, builder, signature.args[4], members_, at_, packed)
        return _count(builder, crowded)

    return types.int64(buckets, types.int64, types.int64, crowds, members, types.int64), generate


@word
def open_gaps(
    _: Any, row: Any, start: Any, stop: Any, common: Any, its_rank: Any, numbers: Any, at: Any, factor: Any, result: Any
) -> Signature:
    """result[start:start + 16], before `stop` = numbers[at:] · factor where `row` is a number that is not `common`.

    There it is `its_rank`, and NaN where `row` is. The product is float64, rounded once to float32. Returns how many of
    `numbers` were used.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_, start_, stop_, common_, its_rank_, numbers_, at_, factor_, result_ = arguments
        _, inside, shared, known = _row(context, builder, signature.args[0], row_, start_, stop_, common_)
        number = builder.sitofp(_load(context, builder, signature.args[5], numbers_, at_, INTS), DOUBLES)
        product = builder.fptrunc(builder.fmul(number, _all(builder, factor_)), FLOATS)
        others = builder.select(shared, _all(builder, its_rank_), NAN)
        spread = call(builder, "llvm.x86.avx512.mask.expand.v16f32", FLOATS, product, others, known)
        place = _place(context, builder, signature.args[8], result_, start_, FLOATS)
        call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), spread, place, inside)
        return _count(builder, known)

    arguments = (
        row,
        types.int64,
        types.int64,
        types.float32,
        types.float32,
        numbers,
        types.int64,
        types.float64,
        result,
    )
    return types.int64(*arguments), generate
