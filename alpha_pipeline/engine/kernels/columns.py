"""Sixteen neighbouring columns as one value inside a kernel: numba types, their operators, and what loops cannot say.

    x = load(matrix, t, column)            # float32 × 16 of a row
    total = total + widen(x)               # float64 × 16; both sides of an operator are of one type
    store(out, t, column, select(total > all_of(0.0), narrow(total), missing))

A kernel in these words keeps its running state in registers and does not depend on whether LLVM can prove that arrays
do not overlap, which a loop over columns does. They are LLVM's own vectors: any processor runs them, at the width it
has. Nothing checks bounds: columns column … column + 15 must exist, and rows be contiguous (`run_on_columns` sees to
both).

numba's cache notices changes of a kernel's own file only: whoever edits this one empties `__pycache__` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from alpha_pipeline.engine.kernels.avx512 import AVAILABLE
from alpha_pipeline.engine.kernels.column_types import BITS, DOUBLES, ELEMENTS, FLOATS, INTS, LANES, LONGS, Lanes
from alpha_pipeline.engine.kernels.kernel import Matrix

AHEAD = 2 * LANES  # columns to fetch before their turn: by the time a column is done, those have come

Signature = tuple[Any, Callable[..., Any]]


def word(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba's `intrinsic`, as mypy may see it: called without the typing context."""
    word: Callable[..., Any] = intrinsic(function)
    return word


def _lanes_of(scalar: Any) -> Lanes:
    for kind, name in ((FLOATS, "float32"), (INTS, "int32"), (LONGS, "int64")):
        if str(scalar) == name:
            return kind
    return DOUBLES


def place_of(context: Any, builder: Any, kind: Any, arguments: Any, vector: Any) -> Any:
    """The address of matrix[row, column], rows being contiguous, as that of a vector."""
    matrix, row, column = arguments[:3]
    array = context.make_array(kind)(context, builder, matrix)
    byte = ir.IntType(8)
    start = builder.gep(
        builder.bitcast(array.data, byte.as_pointer()),
        [builder.mul(row, builder.extract_value(array.strides, 0))],
        source_etype=byte,
    )
    element = vector.element
    place = builder.gep(builder.bitcast(start, element.as_pointer()), [column], source_etype=element)
    return builder.bitcast(place, vector.as_pointer())


def _is_matrix(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == 2


@word
def load(_: Any, matrix: Any, row: Any, column: Any) -> Signature | None:
    """matrix[row, column : column + 16]."""
    if not _is_matrix(matrix):
        return None
    kind = _lanes_of(matrix.dtype)

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        loaded = builder.load(place_of(context, builder, chosen.args[0], arguments, kind.vector), typ=kind.vector)
        loaded.align = matrix.dtype.bitwidth // 8
        return loaded

    return kind(matrix, types.int64, types.int64), generate


@word
def store(_: Any, matrix: Any, row: Any, column: Any, value: Any) -> Signature | None:
    """matrix[row, column : column + 16] = value."""
    if not _is_matrix(matrix) or value != _lanes_of(matrix.dtype):
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        place = place_of(context, builder, chosen.args[0], arguments, value.vector)
        builder.store(arguments[3], place).align = matrix.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64, value), generate


@word
def fetch(_: Any, matrix: Any, row: Any, column: Any, writing: Any) -> Signature | None:
    """Have matrix[row, column] on its way to the second cache, to be written or only read. Any place may be named."""
    if not _is_matrix(matrix) or not isinstance(writing, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        place = place_of(context, builder, chosen.args[0], arguments, ir.VectorType(ELEMENTS["float32"], 1))
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        hints = [writing.literal_value, 2, 1]
        builder.call(function, [builder.bitcast(place, byte), *map(number, hints)])
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64, writing), generate


@word
def all_of(_: Any, value: Any) -> Signature:
    """The same number in all lanes: of the type of a NumPy scalar, float64 for a plain one."""
    kind = _lanes_of(value)

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


def _converted(name: str, source: Lanes, target: Lanes, how: str) -> Callable[..., Any]:
    def function(_: Any, value: Any) -> Signature | None:
        if value != source:
            return None

        def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
            return getattr(builder, how)(arguments[0], target.vector)

        return target(value), generate

    function.__name__ = function.__qualname__ = name
    return word(function)


widen = _converted("widen", FLOATS, DOUBLES, "fpext")
narrow = _converted("narrow", DOUBLES, FLOATS, "fptrunc")
float_bits = _converted("float_bits", FLOATS, INTS, "bitcast")
whole_float = _converted("whole_float", INTS, FLOATS, "sitofp")


def _called(name: str, llvm: str, count: int) -> Callable[..., Any]:
    def build(values: tuple[Any, ...]) -> Signature | None:
        kind = values[0]
        if not isinstance(kind, Lanes) or any(value != kind for value in values):
            return None

        def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
            suffix = f"v{LANES}" + {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}[kind.element]
            shape = ir.FunctionType(kind.vector, [kind.vector] * count)
            function = cgutils.get_or_insert_function(builder.module, shape, f"{llvm}.{suffix}")  # type: ignore[no-untyped-call]
            return builder.call(function, arguments)

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
        shape = ir.FunctionType(vector, [vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, shape, f"llvm.fmuladd.v{LANES}f64")  # type: ignore[no-untyped-call]
        half = builder.fmul(positive, fixed(vector, -0.5))
        for _ in range(steps):
            step = builder.call(fused, [builder.fmul(half, guess), guess, fixed(vector, 1.5)])
            guess = builder.fmul(guess, step)
        return guess

    return value(value), generate


def _estimate(builder: Any, value: Any) -> Any:
    """1 / √value to fourteen bits, by AVX-512."""
    half, lanes = ir.VectorType(ELEMENTS["float64"], LANES // 2), ir.VectorType(ELEMENTS["int32"], LANES // 2)
    shape = ir.FunctionType(half, [half, half, ir.IntType(8)])
    name = "llvm.x86.avx512.rsqrt14.pd.512"
    function = cgutils.get_or_insert_function(builder.module, shape, name)  # type: ignore[no-untyped-call]
    halves = []
    for first in (0, LANES // 2):
        part = builder.shuffle_vector(value, value, ir.Constant(lanes, list(range(first, first + LANES // 2))))
        halves.append(builder.call(function, [part, part, ir.IntType(8)(-1)]))
    return builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(ELEMENTS["int32"], LANES), list(range(LANES))))


def run_on_columns(
    kernel: Callable[..., None],
    matrices: tuple[Matrix, ...],
    parameters: tuple[Any, ...],
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    """kernel(*matrices, *parameters, out, lo, hi), on copies where there are not sixteen columns."""
    if hi - lo >= LANES and all(each.strides[1] == each.itemsize for each in (*matrices, out)):
        kernel(*matrices, *parameters, out, lo, hi)
        return
    width = max(hi - lo, LANES)
    copies = [np.full((len(each), width), np.nan, np.float32) for each in matrices]
    for copy, each in zip(copies, matrices, strict=True):
        copy[:, : hi - lo] = each[:, lo:hi]
    result = np.empty((len(out), width), np.float32)
    kernel(*copies, *parameters, result, 0, width)
    out[:, lo:hi] = result[:, : hi - lo]
