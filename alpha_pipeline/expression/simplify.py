"""One tree for what is plainly the same expression, so that duplicates are seen as such.

Only rewrites that leave every value bit-identical: arguments of commutative operators in order of their text, double
negation removed, `-1 * x` as `-x`, numbers folded, averages of volume in one spelling (`adv20`, which the platform has,
and `ts_mean(volume, N)` for any other N).
"""

from __future__ import annotations

from alpha_pipeline.expression.fields import adv_window, average_volume
from alpha_pipeline.expression.folding import fold
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.printer import to_text


def canonical(node: Node) -> Node:
    """The canonical form of a tree; canonical trees are fixed points. Trees that do not type-check are let be."""
    if isinstance(node, Field):
        window = adv_window(node.name)
        return node if window in (None, 20) else average_volume(window)
    if not isinstance(node, Call):
        return node
    if node == average_volume(20):
        return Field("adv20")
    operator = OPERATORS.get(node.operator)
    arguments = [canonical(argument) for argument in node.arguments]
    if operator is None or len(arguments) != operator.arity:
        return node.over(arguments)
    if arguments and all(isinstance(a, Constant) for a in arguments):
        folded = fold(node.operator, [a.value for a in arguments if isinstance(a, Constant)], node.attributes)
        if folded is not None:
            return folded
    if node.operator == "multiply" and not node.attributes:
        for one, other in (arguments, arguments[::-1]):
            if one == Constant(-1):
                return canonical(Call("reverse", (other,)))
    if node.operator == "reverse" and isinstance(arguments[0], Call) and arguments[0].operator == "reverse":
        return arguments[0].arguments[0]
    if operator.commutative:
        arguments[:2] = sorted(arguments[:2], key=to_text)
    return node.over(arguments)
