"""What the engine works out about a tree before running it. Knows no data but the names that the panel holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Constant,
    Field,
    Node,
    Operator,
    Slot,
    ValueType,
    adv_window,
    average_volume,
    paired,
)

MARKET = "market"
"""The panel's group of all instruments: what 1 in the place of a group means."""


def resolve(node: Node, fields: Collection[str], groups: Collection[str], vectors: Collection[str] = ()) -> Node:
    """The tree with `adv{N}` spelt out as `ts_mean(volume, N)` and the group 1 as `market`.

    Raises:
        BadInput: a field, group or vector field that the panel does not hold; an operator that does not run here; a
            text, a vector or a number where it cannot stand.
    """
    if isinstance(node, Call) and OPERATORS[node.operator].result is ValueType.VECTOR:
        raise BadInput(f"{node.operator} gives several numbers a cell", "expression", "put a vec_ operator around it")
    return _resolved(node, Slot.NUMERIC, {Slot.NUMERIC: fields, Slot.GROUP: groups, Slot.VECTOR: vectors})


def _resolved(node: Node, slot: Slot, held: dict[Slot, Collection[str]]) -> Node:
    """`held`: the names of fields (under NUMERIC), groups and vector fields."""
    if isinstance(node, Field):
        return _field(node, slot, held)
    if isinstance(node, Constant):
        if slot is Slot.GROUP and node.value != 1:
            raise BadInput(f"{node.value:g} is no group", "expression", "use 1 for all instruments as one group")
        return Field(MARKET) if slot is Slot.GROUP else node
    operator = OPERATORS[node.operator]
    if operator.elsewhere:
        raise BadInput(f"{operator.name} runs {operator.elsewhere}, not here", "expression", "leave it out")
    slots = operator.slots_of(len(node.arguments))
    arguments = [_resolved(argument, slot, held) for slot, argument in zip(slots, node.arguments, strict=True)]
    return paired(node.over(arguments))


def _field(node: Field, slot: Slot, held: dict[Slot, Collection[str]]) -> Node:
    name = node.name
    if node.quoted:
        raise BadInput(f"the text {name} cannot be an input", "expression", "write a field's name without quotes")
    if slot is Slot.GROUP:
        if name not in held[Slot.GROUP]:
            raise BadInput(f"the panel has no group {name!r}", "expression", f"it has {', '.join(held[Slot.GROUP])}")
        return node
    if slot is Slot.VECTOR:
        if name not in held[Slot.VECTOR]:
            names = ", ".join(held[Slot.VECTOR]) or "none"
            raise BadInput(f"the panel has no vector field {name!r}", "expression", f"it has {names}")
        return node
    window = adv_window(name)
    if window is not None:
        return _resolved(average_volume(window), slot, held)
    if name not in held[Slot.NUMERIC] and not (slot is Slot.LABELS and name in held[Slot.GROUP]):
        names = ", ".join(held[Slot.NUMERIC])
        raise BadInput(f"the panel has no field {name!r}", "expression", f"it has {names} and adv{{N}}")
    return node


class Interning:
    """Equal subtrees as one object, so that looking one up compares no trees."""

    MOST = 200_000

    def __init__(self) -> None:
        self._known: dict[Node, Node] = {}

    def __call__(self, node: Node) -> Node:
        """The tree in which every subtree is the object it was when first met."""
        if len(self._known) > self.MOST:
            self._known = {}
        return self._one(node)

    def _one(self, node: Node) -> Node:
        found = self._known.get(node)
        if found is None:
            if isinstance(node, Call):
                node = node.over([self._one(argument) for argument in node.arguments])
            found = self._known.setdefault(node, node)
        return found


def masks(operator: Operator) -> bool:
    """Whether it looks across instruments, so that its matrix inputs are masked to the universe."""
    return operator.across in ("instruments", "both")


def confined(node: Node) -> bool:
    """Whether the value is surely NaN outside the universe, so that masking it would change nothing.

    Fields are (a panel is pasteurized); and so is an operator that passes on a NaN of today, if an input of it is
    confined or masked.
    """
    if isinstance(node, Field):
        return True
    if isinstance(node, Constant):
        return False
    operator = OPERATORS[node.operator]
    if not operator.passes_missing(node.attributes):
        return False
    inputs = [node.arguments[i] for i in operator.numeric_of(len(node.arguments))]
    if masks(operator):
        return any(not isinstance(argument, Constant) for argument in inputs)
    return any(confined(argument) for argument in inputs)


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
