"""The parts of a derivation: an operator with subtrees still to come, the stages between them, what a policy sees."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from alpha_pipeline.expression import OPERATORS, Call, Node, canonical
from alpha_pipeline.generate.space.lookahead import ALIKE, Place, Taken, Way


class Stage(IntEnum):
    """What kind of token comes next, where it is not a nonterminal's."""

    SIGN = 0
    ROOT = 1
    FORK = 2
    WINDOW = 3
    GROUP = 4
    DONE = 5


class Context(NamedTuple):
    """What a policy sees of a derivation; `PrefixSpace.context_sizes` says how many values each figure has.

    The vocabulary's length stands for no token.

    Attributes:
        parent: token of the operator around.
        sibling: first token of the subtree before, under the same operator.
        depth: operators around.
        expected: number of the nonterminal; after all of these, the other stages.
        room: operators that may be spent here.
        previous: the last token.
    """

    parent: int
    sibling: int
    depth: int
    expected: int
    room: int
    previous: int


class Frame:
    """An operator with subtrees still to come."""

    __slots__ = (
        "children", "costs", "days", "depth", "first_token", "fixed", "forbidden", "place", "taken", "token", "way",
    )  # fmt: skip

    def __init__(
        self, way: Way, token: int, fixed: dict[int, Node], forbidden: list[Call], place: Place, depth: int, days: int
    ) -> None:
        self.way, self.token, self.fixed = way, token, fixed
        self.forbidden = forbidden  # trees with this operator that it may not become
        self.place, self.depth, self.days = place, depth, days  # of its subtrees
        self.children: list[Node] = []
        self.first_token = -1  # of the subtree before the one at hand
        self.taken = Taken(len(forbidden) + len(way.rivals))  # what the last subtree may not become
        self.costs: list[int] = []  # operators reserved for each subtree

    def node(self) -> Node:
        """The finished tree, canonical."""
        subtrees = iter(self.children)
        count = len(self.children) + len(self.fixed)
        arguments = [self.fixed[place] if place in self.fixed else next(subtrees) for place in range(count)]
        return canonical(Call(self.way.name, tuple(arguments)))

    def may_be(self, tree: Call) -> bool:
        """Whether it could still become the tree, by its numbers, window and group."""
        if tree.operator != self.way.name:
            return self.way.name in ALIKE
        return all(tree.arguments[position] == given for position, given in self.fixed.items())

    def forbidden_last(self) -> list[Node]:
        """What the last subtree may not become, all others being known."""
        found: list[Node] = [self.children[rival] for rival in self.way.rivals]
        for tree in self.forbidden:
            if tree.operator != self.way.name:  # a delta, of which this difference may become another spelling
                if tree.arguments[0] == self.children[0]:
                    found.append(Call("ts_delay", tree.arguments))
                continue
            parts = [tree.arguments[position] for position in self.way.positions]
            if self.children == parts[:-1]:
                found.append(parts[-1])
            elif len(parts) == 2 and OPERATORS[self.way.name].commutative and self.children == parts[1:]:
                found.append(parts[0])
        return list(dict.fromkeys(found))
