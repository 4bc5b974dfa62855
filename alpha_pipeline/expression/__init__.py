"""Fast Expression: text to immutable tree and back, types, canonical form, export dialect. Knows no data.

    text ── parse ──► Node ── check ──► ValueType
                       │ └─── canonical ──► Node ── to_text / export_text ──► text
                       └───── depth, size, lookback, scale_exponent

Operators are declared in `operators`, one function each; see `operator` for how.
"""

from alpha_pipeline.expression import operators as _operators  # noqa: F401  (registers them)
from alpha_pipeline.expression.check import check
from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices
from alpha_pipeline.expression.dialects import export_text, export_tree
from alpha_pipeline.expression.errors import ExpressionError, SyntaxProblem, TypeProblem
from alpha_pipeline.expression.fields import (
    CATALOGUE,
    FIELDS,
    Catalogue,
    FieldSpec,
    adv_window,
    average_volume,
    field_spec,
    load_fields,
    missing_data,
)
from alpha_pipeline.expression.measure import depth, fields_used, lookback, operator_count, scale_exponent, size
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node, Path, replace_at, walk, walk_paths
from alpha_pipeline.expression.operator import ACCOUNTS, OPERATORS, Operator
from alpha_pipeline.expression.parser import Parsed, parse, parse_text
from alpha_pipeline.expression.printer import to_text
from alpha_pipeline.expression.profiles import PROFILES, operators_of
from alpha_pipeline.expression.simplify import canonical, identity, paired
from alpha_pipeline.expression.types import Slot, ValueType
from alpha_pipeline.expression.unit_check import unit_of, unit_warning
from alpha_pipeline.expression.units import Unit

__all__ = [
    "ACCOUNTS",
    "CATALOGUE",
    "DEFAULT_CHOICES",
    "FIELDS",
    "OPERATORS",
    "PROFILES",
    "Call",
    "Catalogue",
    "Choices",
    "Constant",
    "ExpressionError",
    "Field",
    "FieldSpec",
    "Node",
    "Operator",
    "Parsed",
    "Path",
    "Slot",
    "SyntaxProblem",
    "TypeProblem",
    "Unit",
    "ValueType",
    "adv_window",
    "average_volume",
    "canonical",
    "check",
    "depth",
    "export_text",
    "export_tree",
    "field_spec",
    "fields_used",
    "identity",
    "load_fields",
    "lookback",
    "missing_data",
    "operator_count",
    "operators_of",
    "paired",
    "parse",
    "parse_text",
    "replace_at",
    "scale_exponent",
    "size",
    "to_text",
    "unit_of",
    "unit_warning",
    "walk",
    "walk_paths",
]
