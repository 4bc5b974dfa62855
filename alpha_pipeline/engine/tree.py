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
    """One tree resolved; see `Resolver`."""
    return Resolver(fields, groups, vectors)(node)


class Resolver:
    """Trees with `adv{N}` spelt out as `ts_mean(volume, N)` and the group 1 as `market`.

    What was met before is remembered, and equal subtrees are one object, so that looking one up compares no trees.

    Args:
        fields, groups, vectors: the names that a panel holds.
    """

    MOST = 200_000

    def __init__(self, fields: Collection[str], groups: Collection[str], vectors: Collection[str] = ()) -> None:
        self._held = {Slot.NUMERIC: fields, Slot.GROUP: groups, Slot.VECTOR: vectors}
        self._known: dict[Call, Node] = {}  # as given → as resolved
        self._same: dict[Node, Node] = {}

    def __call__(self, node: Node) -> Node:
        """The resolved tree.

        Raises:
            BadInput: a field, group or vector field that the panel does not hold; an operator that does not run here; a
                text, a vector or a number where it cannot stand.
        """
        if isinstance(node, Call) and OPERATORS[node.operator].result is ValueType.VECTOR:
            raise BadInput(
                f"{node.operator} gives several numbers a cell", "expression", "put a vec_ operator around it"
            )
        if len(self._known) > self.MOST:
            self._known, self._same = {}, {}
        return self._resolved(node, Slot.NUMERIC)

    def _resolved(self, node: Node, slot: Slot) -> Node:
        if isinstance(node, Call):
            found = self._known.get(node)
            if found is None:
                found = self._known[node] = self._call(node)
            return found
        resolved = self._field(node, slot) if isinstance(node, Field) else _constant(node, slot)
        return self._same.setdefault(resolved, resolved)

    def _call(self, call: Call) -> Node:
        operator = OPERATORS[call.operator]
        if operator.elsewhere:
            raise BadInput(f"{operator.name} runs {operator.elsewhere}, not here", "expression", "leave it out")
        slots = operator.slots_of(len(call.arguments))
        resolved = paired(call.over([self._resolved(a, slot) for slot, a in zip(slots, call.arguments, strict=True)]))
        return self._same.setdefault(resolved, resolved)

    def _field(self, node: Field, slot: Slot) -> Node:
        name, held = node.name, self._held
        if node.quoted:
            raise BadInput(f"the text {name} cannot be an input", "expression", "write a field's name without quotes")
        if slot is Slot.GROUP:
            if name not in held[Slot.GROUP]:
                raise BadInput(
                    f"the panel has no group {name!r}", "expression", f"it has {', '.join(held[Slot.GROUP])}"
                )
            return node
        if slot is Slot.VECTOR:
            if name not in held[Slot.VECTOR]:
                names = ", ".join(held[Slot.VECTOR]) or "none"
                raise BadInput(f"the panel has no vector field {name!r}", "expression", f"it has {names}")
            return node
        window = adv_window(name)
        if window is not None:
            return self._resolved(average_volume(window), slot)
        if name not in held[Slot.NUMERIC] and not (slot is Slot.LABELS and name in held[Slot.GROUP]):
            names = ", ".join(held[Slot.NUMERIC])
            raise BadInput(f"the panel has no field {name!r}", "expression", f"it has {names} and adv{{N}}")
        return node


def _constant(node: Constant, slot: Slot) -> Node:
    if slot is Slot.GROUP and node.value != 1:
        raise BadInput(f"{node.value:g} is no group", "expression", "use 1 for all instruments as one group")
    return Field(MARKET) if slot is Slot.GROUP else node


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
