"""Which operators an account may use, and the names of the 2015 paper.

`user` is an ordinary BRAIN account, `consultant` a consultant's, `legacy101` the paper's language, `all` everything
that is registered. An operator's declaration says which accounts have it; what the paper has is a closed list, below.
"""

from __future__ import annotations

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression.operator import ACCOUNTS, OPERATORS, Operator, folded

PROFILES = (*ACCOUNTS, "legacy101", "all")
"""What an expression may be read as."""

LEGACY_NAMES: dict[str, str] = {
    "delay": "ts_delay",
    "delta": "ts_delta",
    "correlation": "ts_corr",
    "covariance": "ts_covariance",
    "stddev": "ts_std_dev",
    "sum": "ts_sum",
    "product": "ts_product",
    "ts_min": "ts_min",
    "ts_max": "ts_max",
    "ts_argmax": "ts_arg_max",
    "ts_argmin": "ts_arg_min",
    "ts_rank": "ts_rank",
    "decay_linear": "ts_decay_linear",
    "signedpower": "signed_power",
    "indneutralize": "group_neutralize",
    "scale": "scale",
    "rank": "rank",
    "abs": "abs",
    "log": "log",
    "sign": "sign",
    "min": "min",
    "max": "max",
}
"""The paper's functions, beside its infix operators; `min(x, d)` and `max(x, d)` with a whole number d mean `ts_min`
and `ts_max`. Every name but these two means the same under any profile."""

LEGACY_SPELLINGS: dict[str, str] = {folded(name): meant for name, meant in LEGACY_NAMES.items()}
"""The same as a text may spell them: in lower case and without underscores."""

_LEGACY_INFIX = (
    *("add", "subtract", "multiply", "divide", "power", "reverse"),
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
    *("and", "or", "if_else"),
)

_LEGACY = frozenset((*LEGACY_NAMES.values(), *_LEGACY_INFIX))


def available(operator: Operator, profile: str) -> bool:
    """Whether the operator may be used under a profile."""
    if profile == "all":
        return True
    return operator.name in _LEGACY if profile == "legacy101" else profile in operator.profiles


def operators_of(profile: str) -> list[Operator]:
    """The operators of a profile, in the order of declaration.

    Raises:
        BadInput: there is no such profile.
    """
    if profile not in PROFILES:
        raise BadInput(f"there is no profile {profile!r}", "profile", f"use one of {', '.join(PROFILES)}")
    return [operator for operator in OPERATORS.values() if available(operator, profile)]
