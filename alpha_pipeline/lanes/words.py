"""Words for what is done with sixteen values: choose, convert, compare, add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from alpha_pipeline.lanes.avx512 import AVAILABLE
from alpha_pipeline.lanes.intrinsic import Signature, call, word
from alpha_pipeline.lanes.types import BITS, DOUBLES, ELEMENTS, FLOATS, INTS, LANES, LONGS, Lanes, lanes_of

CODES = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}  # LLVM's


@word
def all_of(_: Any, value: Any) -> Signature:
    """The same number in all lanes: of the type of a NumPy scalar, float64 for a plain one."""
    kind = lanes_of(value)

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        nothing = ir.Constant(kind.vector, ir.Undefined)
        one = builder.insert_element(nothing, arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return kind(value), generate


@word
def select(_: Any, chosen: Any, one: Any, other: Any) -> Signature | None:
    """`one` where `chosen`, `other` elsewhere."""
    if chosen != BITS or one != other:
        return None

    def generate(context: Any, builder: Any, signature_: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return one(chosen, one, other), generate


def _converted(name: str, how: str, kinds: dict[Lanes, Lanes]) -> Callable[..., Any]:
    def function(_: Any, value: Any) -> Signature | None:
        target = kinds.get(value)
        if target is None:
            return None

        def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
            return arguments[0] if target == value else getattr(builder, how)(arguments[0], target.vector)

        return target(value), generate

    function.__name__ = function.__qualname__ = name
    return word(function)


widen = _converted("widen", "fpext", {FLOATS: DOUBLES, DOUBLES: DOUBLES})
narrow = _converted("narrow", "fptrunc", {DOUBLES: FLOATS})
float_bits = _converted("float_bits", "bitcast", {FLOATS: INTS})
whole_float = _converted("whole_float", "sitofp", {INTS: FLOATS})
whole_double = _converted("whole_double", "sitofp", {INTS: DOUBLES})


def _called(name: str, llvm: str, count: int) -> Callable[..., Any]:
    def build(values: tuple[Any, ...]) -> Signature | None:
        kind = values[0]
        if not isinstance(kind, Lanes) or any(value != kind for value in values):
            return None

        def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
            return call(builder, f"{llvm}.v{LANES}{CODES[kind.element]}", kind.vector, *arguments)

        return kind(*values), generate

    if count == 1:

        def function(_: Any, a: Any) -> Signature | None:
            return build((a,))
    elif count == 2:

        def function(_: Any, a: Any, b: Any) -> Signature | None:  # type: ignore[misc]
            return build((a, b))
    else:

        def function(_: Any, a: Any, b: Any, c: Any) -> Signature | None:  # type: ignore[misc]
            return build((a, b, c))

    function.__name__ = function.__qualname__ = name
    return word(function)


size_of = _called("size_of", "llvm.fabs", 1)
multiply_add = _called("multiply_add", "llvm.fmuladd", 3)  # a·b + c, rounded once where the processor can
larger = _called("larger", "llvm.smax", 2)  # of whole numbers
smaller = _called("smaller", "llvm.smin", 2)


@word
def anywhere(_: Any, lanes: Any) -> Signature | None:
    """Whether any of the lanes holds."""
    if lanes != BITS:
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        return builder.icmp_unsigned("!=", builder.bitcast(arguments[0], ir.IntType(LANES)), ir.IntType(LANES)(0))

    return types.boolean(lanes), generate


@word
def how_many(_: Any, lanes: Any) -> Signature | None:
    """In how many of the lanes it holds, int64."""
    if lanes != BITS:
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.zext(call(builder, f"llvm.ctpop.i{LANES}", bits.type, bits), ir.IntType(64))

    return types.int64(lanes), generate


@word
def finite(_: Any, value: Any) -> Signature | None:
    """The lanes that are neither NaN nor infinite."""
    if not isinstance(value, Lanes) or not value.floating:
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        size = call(builder, f"llvm.fabs.v{LANES}{CODES[value.element]}", value.vector, arguments[0])
        infinity = ir.Constant(value.vector.element, float("inf"))
        return builder.fcmp_ordered("<", size, ir.Constant(value.vector, [infinity] * LANES))

    return BITS(value), generate


def _folded(name: str, join: Callable[[Any, Lanes, Any, Any], Any]) -> Callable[..., Any]:
    """One number of sixteen, their halves joined over and over: the same order on every processor."""

    def function(_: Any, value: Any) -> Signature | None:
        if not isinstance(value, Lanes) or value == BITS:
            return None

        def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
            found, width = arguments[0], LANES
            while width > 1:
                width //= 2
                places = ir.VectorType(ELEMENTS["int32"], width)
                halves = (ir.Constant(places, list(range(start, start + width))) for start in (0, width))
                found = join(builder, value, *(builder.shuffle_vector(found, found, half) for half in halves))
            return builder.extract_element(found, ELEMENTS["int32"](0))

        return getattr(types, value.element)(value), generate

    function.__name__ = function.__qualname__ = name
    return word(function)


def _further(sign: str) -> Callable[[Any, Lanes, Any, Any], Any]:
    def join(builder: Any, kind: Lanes, a: Any, b: Any) -> Any:
        beyond = builder.fcmp_ordered(sign, a, b) if kind.floating else builder.icmp_signed(sign, a, b)
        return builder.select(beyond, a, b)

    return join


sum_of = _folded("sum_of", lambda builder, kind, a, b: builder.fadd(a, b) if kind.floating else builder.add(a, b))
least_of = _folded("least_of", _further("<"))  # none may be NaN
greatest_of = _folded("greatest_of", _further(">"))


@word
def inverse_root(_: Any, value: Any) -> Signature | None:
    """1 / √value to fifteen digits; below 1e-300, of which the squares of float32 are far, it is that of 1e-300.

    A fraction of the time of a root and a division: the processor's estimate or a guess from the exponent, and as many
    of Newton's steps as float64 has digits for, so that what is rounded to float32 is the same on every machine.
    """
    if value != DOUBLES:
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        vector, whole = DOUBLES.vector, LONGS.vector

        def fixed(kind: Any, number: Any) -> Any:
            return ir.Constant(kind, [number] * LANES)

        least = fixed(vector, 1e-300)
        positive = builder.select(builder.fcmp_ordered(">", arguments[0], least), arguments[0], least)
        if AVAILABLE:
            guess, steps = _estimate(builder, positive), 2
        else:
            bits = builder.lshr(builder.bitcast(positive, whole), fixed(whole, 1))
            guess, steps = builder.bitcast(builder.sub(fixed(whole, 0x5FE6EB50C7B537A9), bits), vector), 4
        half = builder.fmul(positive, fixed(vector, -0.5))
        for _ in range(steps):
            product = builder.fmul(half, guess)
            step = call(builder, f"llvm.fmuladd.v{LANES}f64", vector, product, guess, fixed(vector, 1.5))
            guess = builder.fmul(guess, step)
        return guess

    return value(value), generate


def _estimate(builder: Any, value: Any) -> Any:
    """1 / √value to fourteen bits, by AVX-512."""
    half, lanes = ir.VectorType(ELEMENTS["float64"], LANES // 2), ir.VectorType(ELEMENTS["int32"], LANES // 2)
    halves = []
    for first in (0, LANES // 2):
        part = builder.shuffle_vector(value, value, ir.Constant(lanes, list(range(first, first + LANES // 2))))
        halves.append(call(builder, "llvm.x86.avx512.rsqrt14.pd.512", half, part, part, ir.IntType(8)(-1)))
    return builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(ELEMENTS["int32"], LANES), list(range(LANES))))
