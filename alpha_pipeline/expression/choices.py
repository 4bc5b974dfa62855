"""Where sources about the language contradict one another or are silent, and what is taken here.

Each entry is a setting (`ALPHA_LANGUAGE__<NAME>`); the default is the marked choice of our reference. The page
docs/operators/choices.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from alpha_pipeline.errors import BadInput


def _choice(default: str, others: tuple[str, ...], reason: str) -> Any:
    return field(default=default, metadata={"options": (default, *others), "reason": reason})


@dataclass(frozen=True, slots=True)
class Choices:
    """The readings taken. Each is text: one of the options that its metadata names."""

    multiply_filter: str = _choice(
        "one",
        ("zero",),
        "`multiply(…, filter=true)` reads NaN as 1, as in the worked example 5·NaN = 5; a newer one-liner says 0.",
    )
    log_1p: str = _choice(
        "natural",
        ("decimal",),
        "The text of `s_log_1p` says natural logarithm, its example (9 → 1) is the decimal one.",
    )
    nan_mask: str = _choice(
        "negative",
        ("not_positive",),
        "`nan_mask(x, y)` masks where y is negative; one example also masks where it is 0.",
    )
    quantile_over_time: str = _choice(
        "rank",
        ("zscore",),
        "`ts_quantile` is said to invert the driver's distribution at ts_rank; its example is instead the normal "
        "distribution function of today's z-score with the sample deviation.",
    )
    days_from_change: str = _choice(
        "zero",
        ("one",),
        "`days_from_last_change` is 0 on the day of a change by one worked table; another page counts from 1.",
    )
    group_mean: str = _choice(
        "arithmetic",
        ("harmonic",),
        "`group_mean(x, weight, group)` is Σwx / Σw in the old registry; the current page works out a harmonic mean.",
    )
    tail_bound: str = _choice(
        "keep",
        ("drop",),
        "`left_tail` and `right_tail` keep a value equal to the bound, as the text says; the printed example drops it.",
    )
    time_series_units: str = _choice(
        "time_series",
        ("same",),
        "Operators along time turn CSPrice into TSPrice, CSShare into TSShare (reports agree, no page says so).",
    )
    legacy_arg_max: str = _choice(
        "days_since",
        ("from_start",),
        "`ts_argmax` of the legacy101 profile is read as ts_arg_max, days since the extreme; the paper's ports count "
        "the position from the start of the window, 1 to d.",
    )
    longest_window: str = _choice(
        "9999",
        ("511",),
        "One page says that a lookback must be below 512, yet other pages use 504, 756 and 1000.",
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value, options = getattr(self, each.name), each.metadata["options"]
            if value not in options:
                raise BadInput(
                    f"{value!r} is no reading of {each.name}",
                    f"setting ALPHA_LANGUAGE__{each.name.upper()}",
                    f"use one of {', '.join(options)}",
                )

    def changed(self) -> Mapping[str, str]:
        """The readings that differ from the defaults: part of an alpha's identity."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }


DEFAULT_CHOICES = Choices()

SETTLED: tuple[tuple[str, str], ...] = (
    ("Ties", "share the average rank in `rank`, `ts_rank`, `group_rank` and what builds on them."),
    ("A single value", "has rank 0.5."),
    ("Comparisons with NaN", "are NaN; so are `and`, `or`, `not`, `max` and `min` with a NaN input."),
    ("A NaN condition", "of `if_else` takes the second value; in `trade_when` it does not hold."),
    ("Equal extremes", "`ts_arg_max` and `ts_arg_min` give the most recent."),
    ("`log`", "of 0 or less is NaN; so is `power` of a negative number to a fractional exponent."),
    ("`-x^2`", "is `-(x^2)`, and `^` is right-associative."),
    ("Partial windows", "use the valid values they hold (setting `strict_windows`: all must be valid)."),
    ("Standard deviations", "divide by n, except in `normalize(useStd=true)` and `group_backfill` (n − 1)."),
    ("`hump`", "limits a day's change to hump × the day's Σ|x| over the instruments."),
    ("`rank(rate=…)`", "trades precision for speed on the platform; ranks here are always exact."),
    ("Branches of `if_else`", "must agree in unit, but a plain number may stand in either."),
    ("`ts_regression`", "asks no unit of its second input."),
    (
        "Correlations, higher moments and ratios over time",
        "are pure numbers, though no list of the platform's says so.",
    ),
)
"""What no source decides and no setting changes: (subject, rule)."""
