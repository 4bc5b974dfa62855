"""Operators that run elsewhere: in SuperAlphas, whose inputs are other alphas, or on the platform only.

They parse and type-check; what they would compute needs the platform's own alphas or data.
"""

from __future__ import annotations

from typing import Annotated

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import (
    Anything,
    Array,
    AttributeKind,
    AttributeType,
    Count,
    CountFromZero,
    Flag,
    Matrix,
    Real,
    Share,
)
from alpha_pipeline.expression.units import Bare

CONSULTANT = ("consultant",)
SUPERALPHAS = "in SuperAlphas only"
PLATFORM = "on the platform only"
NOT_HERE = "runs on the platform only"

Algorithm = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("algo1",))]
Conversion = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("dollar2share",))]


@operator("special", scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def inst_pnl(x: Matrix) -> Array:
    """Profit of each instrument from holding x; counts as a use of the price and volume data.

    Formula: yesterday's x · today's return
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def convert(x: Matrix, *, mode: Conversion = "dollar2share") -> Array:
    """x turned from dollars to shares.

    Formula: the platform's catalogue names it without a formula
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def position_safeguard(*inputs: Anything) -> Array:
    """A guard on positions.

    Formula: the platform's catalogue names it without a formula
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def unit(*inputs: Anything) -> Array:
    """A value with another unit.

    Formula: the platform's catalogue names it without a formula
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("cross_sectional", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def generalized_rank(x: Matrix, *, m: Real = 1.0) -> Array:
    """Differences to the other instruments, raised to a power, added to the rank of the larger.

    Formula: Σ sign(x − other) · |x − other|^m, as far as it is told
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def multi_regression(y: Matrix, *x: Matrix) -> Array:
    """What a regression of y over several inputs leaves, day by day across the instruments.

    Formula: y − (a + b₁x₁ + b₂x₂ + …)
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("group", scale=Pure(), profiles=CONSULTANT, elsewhere=PLATFORM)
def group_multi_regression(y: Matrix, *inputs: Anything) -> Array:
    """multi_regression inside each group.

    Formula: y − (a + b₁x₁ + b₂x₂ + …) inside the group
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def generate_stats(alpha: Anything) -> Array:
    """Statistics of each alpha of a SuperAlpha, day by day.

    Formula: the platform's own
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def combo_a(alpha: Anything, *, nlength: Count = 250, mode: Algorithm = "algo1") -> Array:
    """Weights of the alphas of a SuperAlpha from their last nlength days.

    Formula: the platform's own, one per mode
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def self_corr(x: Anything) -> Array:
    """Correlations of the alphas of a SuperAlpha with one another.

    Formula: Pearson's, over the days
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def in_(x: Anything, *values: Anything) -> Array:
    """Whether a property of an alpha is one of those that are listed, when alphas are selected.

    Formula: 1 if x is among the values, else 0
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def universe_size(x: Anything) -> Array:
    """How many instruments a universe has, when alphas are selected.

    Formula: the number of instruments
    NaN: the platform's own.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_avg(x: Anything, *, threshold: Real = 0.0) -> Array:
    """Mean over the alphas of a SuperAlpha.

    Formula: Σx / n
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_sum(x: Anything) -> Array:
    """Sum over the alphas of a SuperAlpha.

    Formula: Σx
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_max(x: Anything) -> Array:
    """Largest value over the alphas of a SuperAlpha.

    Formula: max x
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_min(x: Anything) -> Array:
    """Smallest value over the alphas of a SuperAlpha.

    Formula: min x
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_range(x: Anything) -> Array:
    """Largest less smallest value over the alphas of a SuperAlpha.

    Formula: max x − min x
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_stddev(x: Anything, *, threshold: Real = 0.0) -> Array:
    """Standard deviation over the alphas of a SuperAlpha.

    Formula: √(Σ(x − mean)² / n)
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_ir(x: Anything) -> Array:
    """Mean over standard deviation, over the alphas of a SuperAlpha.

    Formula: mean / σ
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_skewness(x: Anything) -> Array:
    """Skewness over the alphas of a SuperAlpha.

    Formula: mean of ((x − mean) / σ)³
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_kurtosis(x: Anything) -> Array:
    """Excess kurtosis over the alphas of a SuperAlpha.

    Formula: mean of ((x − mean) / σ)⁴, less 3
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_count(x: Anything, *, threshold: Real = 0.0) -> Array:
    """How many alphas of a SuperAlpha have a value above a threshold.

    Formula: number of x > threshold
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_choose(x: Anything, *, nth: CountFromZero, ignoreNan: Flag = True) -> Array:
    """The value of one alpha of a SuperAlpha by its place.

    Formula: x[nth]
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_norm(x: Anything) -> Array:
    """Sum of the absolute values over the alphas of a SuperAlpha.

    Formula: Σ|x|
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_percentage(x: Anything, *, percentage: Share = 0.5) -> Array:
    """The value below which a share of the alphas of a SuperAlpha lies.

    Formula: the quantile of x
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)


@operator("special", unit=Bare(), scale=Pure(), profiles=CONSULTANT, elsewhere=SUPERALPHAS)
def reduce_powersum(x: Anything, *, constant: Real = 2.0, precise: Flag = False) -> Array:
    """Sum of a power over the alphas of a SuperAlpha.

    Formula: Σ x^constant
    NaN: where there is none to reduce.
    """
    raise AssertionError(NOT_HERE)
