"""Sixteen neighbouring columns as one value inside a compiled function: what loops cannot say, said plainly.

    x = load(matrix, t, column)            # float32 × 16 of a row
    total = total + widen(x)               # float64 × 16; both sides of an operator are of one type
    store(out, t, column, select(total > all_of(0.0), narrow(total), missing))

    for start in range(left, right, LANES):
        x = load_run(row, start, right)    # and NaN from `right` on
        total = total + select(finite(x), widen(x), all_of(0.0))
    return sum_of(total)

A function in these words keeps its running state in registers and does not depend on whether LLVM can prove that arrays
do not overlap, which a loop over columns does; nor on long loops: what is left of a run takes one step, under a mask.
They are LLVM's own vectors: any processor runs them, at the width it has, and adds up in the same order. Nothing checks
bounds: columns column … column + 15 must exist, or left … right − 1 of a run, and rows be contiguous.

`types` has the values and their operators, `places` what reads and writes memory, `words` the rest, `runs` sums and the
like of whole runs, and `avx512` steps for such processors alone.
"""

from alpha_pipeline.lanes.places import fetch, load, load_run, store, store_run
from alpha_pipeline.lanes.types import LANES
from alpha_pipeline.lanes.words import (
    all_of,
    anywhere,
    finite,
    float_bits,
    greatest_of,
    how_many,
    inverse_root,
    larger,
    least_of,
    multiply_add,
    narrow,
    select,
    size_of,
    smaller,
    sum_of,
    whole_double,
    whole_float,
    widen,
)

__all__ = [
    "LANES",
    "all_of",
    "anywhere",
    "fetch",
    "finite",
    "float_bits",
    "greatest_of",
    "how_many",
    "inverse_root",
    "larger",
    "least_of",
    "load",
    "load_run",
    "multiply_add",
    "narrow",
    "select",
    "size_of",
    "smaller",
    "store",
    "store_run",
    "sum_of",
    "whole_double",
    "whole_float",
    "widen",
]
