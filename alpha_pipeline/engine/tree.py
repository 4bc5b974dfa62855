"""What the engine works out about a tree before running it. Knows no data but the names that the panel holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot, adv_window, average_volume

CROSS_SECTIONAL = ("cross_sectional", "group")


def resolve(node: Node, fields: Collection[str], groups: Collection[str]) -> Node:
    """The tree with `adv{N}` spelt out as `ts_mean(volume, N)`.

    Raises:
        BadInput: a field or group that the panel does not hold.
    """
    if isinstance(node, Constant):
        return node
    if isinstance(node, Field):
        window = adv_window(node.name)
        if window is not None:
            return resolve(average_volume(window), fields, groups)
        if node.name not in fields:
            raise BadInput(
                f"the panel has no field {node.name!r}", "expression", f"it has {', '.join(fields)} and adv{{N}}"
            )
        return node
    arguments = []
    for slot, argument in zip(OPERATORS[node.operator].slots, node.arguments, strict=True):
        if slot is not Slot.GROUP:
            arguments.append(resolve(argument, fields, groups))
        elif isinstance(argument, Field) and argument.name in groups:
            arguments.append(argument)
        else:
            name = argument.name if isinstance(argument, Field) else "?"
            raise BadInput(f"the panel has no group {name!r}", "expression", f"it has {', '.join(groups)}")
    return Call(node.operator, tuple(arguments))


def confined(node: Node) -> bool:
    """Whether the value is surely NaN outside the universe, so that masking it would change nothing.

    Fields are (a panel is pasteurized); results across instruments are, their inputs having been masked; and so is an
    operator that passes on a NaN of today, if an input of it is.
    """
    if isinstance(node, Field):
        return True
    if isinstance(node, Constant):
        return False
    operator = OPERATORS[node.operator]
    if operator.category in CROSS_SECTIONAL:
        return True
    return operator.keeps_missing and any(confined(node.arguments[i]) for i in operator.numeric_positions)


def calls(node: Node) -> Iterator[Call]:
    """Every distinct operator call of the tree, each once."""
    seen: set[Call] = set()
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Call) and here not in seen:
            seen.add(here)
            waiting.extend(here.arguments)
            yield here


def uses(node: Node) -> Counter[Call]:
    """How many arguments in the tree each distinct call feeds, the caller of the whole counted as one."""
    counted: Counter[Call] = Counter(
        argument for call in calls(node) for argument in call.arguments if isinstance(argument, Call)
    )
    if isinstance(node, Call):
        counted[node] += 1
    return counted


def shared(nodes: Iterable[Node]) -> Counter[Call]:
    """The calls worth keeping while a batch runs, and in how many of its expressions each stands.

    Those in more than one; without those that come with the same larger call every time, which is kept instead.
    """
    trees = [list(calls(node)) for node in nodes]
    counted = Counter(call for tree in trees for call in tree)
    inside = {
        argument
        for tree in trees
        for call in tree
        for argument in call.arguments
        if isinstance(argument, Call) and counted[argument] == counted[call]
    }
    return Counter({call: count for call, count in counted.items() if count > 1 and call not in inside})
