"""Words that read and write memory: sixteen columns of a matrix, or what is left of a run of a row's columns."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from alpha_pipeline.lanes.intrinsic import Signature, call, word
from alpha_pipeline.lanes.types import BITS, LANES, lanes_of

BYTE, INT = ir.IntType(8), ir.IntType(32)


def place_of(context: Any, builder: Any, kind: Any, arguments: Any, vector: Any) -> Any:
    """The address of matrix[row, column] or row[column], rows being contiguous, as that of a vector."""
    array = context.make_array(kind)(context, builder, arguments[0])
    start, column = array.data, arguments[kind.ndim]
    if kind.ndim == 2:
        step = builder.mul(arguments[1], builder.extract_value(array.strides, 0))
        start = builder.gep(builder.bitcast(start, BYTE.as_pointer()), [step], source_etype=BYTE)
    element = vector.element
    place = builder.gep(builder.bitcast(start, element.as_pointer()), [column], source_etype=element)
    return builder.bitcast(place, vector.as_pointer())


def _is_array(kind: Any, dimensions: int) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == dimensions


@word
def load(_: Any, matrix: Any, row: Any, column: Any) -> Signature | None:
    """matrix[row, column : column + 16]."""
    if not _is_array(matrix, 2):
        return None
    kind = lanes_of(matrix.dtype)

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        loaded = builder.load(place_of(context, builder, chosen.args[0], arguments, kind.vector), typ=kind.vector)
        loaded.align = matrix.dtype.bitwidth // 8
        return loaded

    return kind(matrix, types.int64, types.int64), generate


@word
def store(_: Any, matrix: Any, row: Any, column: Any, value: Any) -> Signature | None:
    """matrix[row, column : column + 16] = value."""
    if not _is_array(matrix, 2) or value != lanes_of(matrix.dtype):
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        place = place_of(context, builder, chosen.args[0], arguments, value.vector)
        builder.store(arguments[3], place).align = matrix.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64, value), generate


def _before(builder: Any, start: Any, stop: Any) -> tuple[Any, Any]:
    """Whether all of start … start + 15 lie before `stop`, and a function that tells which do."""

    def inside() -> Any:
        nothing = ir.Constant(ir.VectorType(INT, LANES), ir.Undefined)
        one = builder.insert_element(nothing, builder.trunc(builder.sub(stop, start), INT), INT(0))
        left = builder.shuffle_vector(one, nothing, ir.Constant(nothing.type, [0] * LANES))
        return builder.icmp_signed("<", ir.Constant(nothing.type, list(range(LANES))), left)

    return builder.icmp_signed(">=", builder.sub(stop, start), start.type(LANES)), inside


@word
def load_run(_: Any, row: Any, start: Any, stop: Any) -> Signature | None:
    """row[start : start + 16]; from `stop` on NaN, 0 or False."""
    if not _is_array(row, 1):
        return None
    flags = row.dtype == types.boolean
    kind = BITS if flags else lanes_of(row.dtype)

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        vector = ir.VectorType(BYTE, LANES) if flags else kind.vector
        size = 1 if flags else row.dtype.bitwidth // 8
        code = {"bits": "i8", "float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}[kind.element]
        other = ir.Constant(vector, [ir.Constant(vector.element, float("nan") if kind.floating else 0)] * LANES)
        place = place_of(context, builder, chosen.args[0], arguments, vector)
        whole, inside = _before(builder, *arguments[1:])
        with builder.if_else(whole) as (then, otherwise):
            with then:
                every = builder.load(place, typ=vector, align=size)
                every_block = builder.block
            with otherwise:
                some = call(builder, f"llvm.masked.load.v{LANES}{code}.p0", vector, place, inside(), other)
                some_block = builder.block
        found = builder.phi(vector)
        found.add_incoming(every, every_block)
        found.add_incoming(some, some_block)
        return builder.icmp_unsigned("!=", found, other) if flags else found

    return kind(row, types.int64, types.int64), generate


@word
def store_run(_: Any, row: Any, start: Any, stop: Any, value: Any) -> Signature | None:
    """row[start : start + 16] = value, before `stop`."""
    if not _is_array(row, 1) or value != lanes_of(row.dtype):
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        code = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}[value.element]
        place = place_of(context, builder, chosen.args[0], arguments, value.vector)
        whole, inside = _before(builder, *arguments[1:3])
        with builder.if_else(whole) as (then, otherwise):
            with then:
                builder.store(arguments[3], place, align=row.dtype.bitwidth // 8)
            with otherwise:
                name = f"llvm.masked.store.v{LANES}{code}.p0"
                call(builder, name, ir.VoidType(), arguments[3], place, inside())
        return context.get_dummy_value()

    return types.void(row, types.int64, types.int64, value), generate


@word
def fetch(_: Any, matrix: Any, row: Any, column: Any, writing: Any) -> Signature | None:
    """Have matrix[row, column] on its way to the nearest cache, to be written or only read. Any place may be named."""
    if not _is_array(matrix, 2) or not isinstance(writing, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, chosen: Any, arguments: Any) -> Any:
        size = 8 if matrix.dtype == types.boolean else matrix.dtype.bitwidth
        place = place_of(context, builder, chosen.args[0], arguments, ir.VectorType(ir.IntType(size), 1))
        hints = [writing.literal_value, 3, 1]  # nearest; data
        call(builder, "llvm.prefetch.p0", ir.VoidType(), builder.bitcast(place, BYTE.as_pointer()), *map(INT, hints))
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64, writing), generate
