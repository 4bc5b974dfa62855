"""Typed changes to trees: crossover, subtree, point, window, hoist, wrap. Pure but for the random generator given.

Subtrees are exchanged where type and unit agree, so every child type-checks and stays invariant to
the price level. A change returns None where the parent offers no place for it; bounds and waste are the grammar's to
judge (`Grammar.problem`).
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Constant,
    Field,
    Node,
    Path,
    ValueType,
    operator_count,
    replace_at,
    walk_paths,
)
from alpha_pipeline.generate.space.grammar import LONGEST, NUMBERS, SHORTEST, WINDOWS, Grammar, Symbol, symbol_of
from alpha_pipeline.generate.space.units import unit_of

SMOOTHING = ("ts_decay_linear", "ts_mean")
NEUTRALISING = ("group_neutralize", "group_rank", "rank", "zscore")
NORMALISING = ("ts_zscore", "ts_rank")
SMOOTHING_WINDOWS = tuple(window for window in WINDOWS if window <= 40)


def crossover(random: np.random.Generator, grammar: Grammar, receiver: Node, donor: Node) -> Node | None:
    """`receiver` with one subtree replaced by one of `donor` of the same type and unit."""
    offers: dict[Symbol, list[Node]] = {}
    for _, symbol, part in _places(donor):
        offers.setdefault(symbol, []).append(part)
    places = [(path, symbol) for path, symbol, _ in _places(receiver) if path and symbol in offers]
    if not places:
        return None
    path, symbol = places[int(random.integers(len(places)))]
    given = offers[symbol]
    return replace_at(receiver, path, given[int(random.integers(len(given)))])


def subtree(random: np.random.Generator, grammar: Grammar, parent: Node) -> Node | None:
    """One subtree grown anew, about as large as what it replaces."""
    places = [place for place in _places(parent) if place[0]]
    if not places:
        return None
    path, symbol, old = places[int(random.integers(len(places)))]
    if symbol not in grammar.productions:
        return None
    operators = max(0, operator_count(old) + int(random.integers(-1, 3)))
    room = grammar.settings.deepest - len(path)
    if room < 0:
        return None  # the parent is the mirror image of a proposal, and its minus one operator too deep
    around = _at(parent, path[:-1])
    new = grammar.grow(random, symbol, operators, room, inside=around.operator if isinstance(around, Call) else None)
    return None if new is None else replace_at(parent, path, new)


def point(random: np.random.Generator, grammar: Grammar, parent: Node) -> Node | None:
    """One field, group, number or operator exchanged for another that takes and gives the same."""
    options: list[tuple[Path, list[Node]]] = []
    for path, node in walk_paths(parent):
        others = _alternatives(grammar, parent, path, node)
        if others:
            options.append((path, others))
    if not options:
        return None
    path, others = options[int(random.integers(len(options)))]
    return replace_at(parent, path, others[int(random.integers(len(others)))])


def window(random: np.random.Generator, grammar: Grammar, parent: Node) -> Node | None:
    """One window moved by a factor of about 1.5, by a day at least."""
    found = [(path, node) for path, node in walk_paths(parent) if _is_window(parent, path)]
    if not found:
        return None
    path, node = found[int(random.integers(len(found)))]
    assert isinstance(node, Constant)
    days = round(node.value * float(np.exp(random.normal(0.0, 0.4))))
    if days == node.value:
        days += 1 if random.random() < 0.5 else -1
    days = min(max(days, SHORTEST), LONGEST)
    return None if days == node.value else replace_at(parent, path, Constant(float(days)))


def hoist(random: np.random.Generator, grammar: Grammar, parent: Node) -> Node | None:
    """A subtree replaced by a smaller one of the same type and unit inside it: shorter, often better."""
    options = []
    for path, symbol, node in _places(parent):
        for inner_path, inner_symbol, inner in _places(node):
            if inner_path and inner_symbol == symbol and (path or isinstance(inner, Call)):
                options.append((path, inner))
    if not options:
        return None
    path, inner = options[int(random.integers(len(options)))]
    return replace_at(parent, path, inner)


def wrap(random: np.random.Generator, grammar: Grammar, parent: Node, turnover: float = 0.0) -> Node | None:
    """The whole, or a part, inside one more operator of the same type; None where units then disagree.

    Above a turnover of 0.3 smoothing is tried three times out of four: it is what brings turnover down, and fitness up.
    """
    places = [place for place in _places(parent) if place[1].type is ValueType.MATRIX]
    whole = random.random() < 0.7 or len(places) == 1
    path, symbol, node = places[0] if whole else places[1 + int(random.integers(len(places) - 1))]
    smooth = random.random() < (0.75 if turnover > 0.3 else 0.25)
    names = list(SMOOTHING) if smooth else [*NEUTRALISING, *NORMALISING]
    if symbol.unit.scale != 0:
        names = list(SMOOTHING)  # across instruments only what is free of the price level compares
    usable = [n for n in names if n in {o.name for o in grammar.operators} and (grammar.groups or "group" not in n)]
    if not usable:
        return None
    name = usable[int(random.integers(len(usable)))]
    sign = isinstance(node, Call) and node.operator == "reverse" and not path
    inside = node.arguments[0] if sign and isinstance(node, Call) else node
    wrapped = wrapped_in(random, grammar, name, inside)
    child = replace_at(parent, path, Call("reverse", (wrapped,)) if sign else wrapped)
    return None if unit_of(child) is None else child  # a rank of money is a number, which may not fit what is around it


def wrapped_in(random: np.random.Generator, grammar: Grammar, name: str, node: Node) -> Node:
    """`name(node)`, with a random window or group where it takes one."""
    operator = OPERATORS[name]
    if operator.window_position is not None:
        windows = SMOOTHING_WINDOWS if name in SMOOTHING else WINDOWS
        return Call(name, (node, Constant(float(windows[int(random.integers(len(windows)))]))))
    if operator.category == "group":
        return Call(name, (node, Field(grammar.groups[int(random.integers(len(grammar.groups)))])))
    return Call(name, (node,))


def _places(node: Node) -> list[tuple[Path, Symbol, Node]]:
    """Subtrees that can be exchanged: fields, groups and calls, the root first."""
    found = []
    for path, part in walk_paths(node):
        symbol = symbol_of(part)
        if symbol is not None:
            found.append((path, symbol, part))
    return found


def _at(node: Node, path: Path) -> Node:
    for position in path:
        assert isinstance(node, Call)
        node = node.arguments[position]
    return node


def _is_window(root: Node, path: Path) -> bool:
    if not path:
        return False
    around = _at(root, path[:-1])
    return isinstance(around, Call) and OPERATORS[around.operator].window_position == path[-1]


def _alternatives(grammar: Grammar, root: Node, path: Path, node: Node) -> list[Node]:
    if isinstance(node, Field):
        symbol = symbol_of(node)
        return [leaf for leaf in grammar.leaves.get(symbol, ()) if leaf != node] if symbol else []
    if isinstance(node, Constant):
        around = _at(root, path[:-1]) if path else None
        if not isinstance(around, Call) or _is_window(root, path):
            return []
        choice = NUMBERS.get((around.operator, path[-1]))
        return [Constant(value) for value in choice.values if value != node.value] if choice else []
    old, symbol = OPERATORS[node.operator], symbol_of(node)
    others: list[Node] = []
    for new in grammar.operators:
        if new.name != old.name and new.slots == old.slots and new.name != "reverse" and old.name != "reverse":
            changed = Call(new.name, node.arguments)
            if symbol_of(changed) == symbol:
                others.append(changed)
    return others
