"""Export text: the platform's own dialect for an account profile.

Canonical text already uses BRAIN's operator names. What is left is data: of the `adv{N}` fields the platform has only
`adv20`; any other is written as `ts_mean(volume, N)`, which has the same value here by definition.
"""

from __future__ import annotations

from alpha_pipeline.expression.errors import TypeProblem
from alpha_pipeline.expression.fields import adv_window, average_volume
from alpha_pipeline.expression.nodes import Call, Field, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.printer import to_text
from alpha_pipeline.expression.profiles import available


def export_text(node: Node, profile: str = "user") -> str:
    """The expression as the platform's editor takes it.

    Raises:
        TypeProblem: an operator that this profile of the platform does not offer.
    """
    return to_text(export_tree(node, profile))


def export_tree(node: Node, profile: str = "user") -> Node:
    """The tree whose canonical text is the export text; evaluates to the same values."""
    if isinstance(node, Field):
        window = adv_window(node.name)
        if window is not None and window != 20:
            return average_volume(window)
        return node
    if not isinstance(node, Call):
        return node
    if not available(OPERATORS[node.operator], profile):
        raise TypeProblem(f"the platform's `{profile}` profile has no operator `{node.operator}`")
    return node.over([export_tree(argument, profile) for argument in node.arguments])
