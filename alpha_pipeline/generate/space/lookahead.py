"""What a nonterminal takes at least, so that nothing is begun that cannot be ended.

`generators.md`'s fixpoint, jointly over depth, operators and windows: `LookAhead.cheapest` is the fewest operators that
finish a nonterminal within a depth and a number of nested windows, inside the operator around it with its bans
(`waste.REDUNDANT` and the rules below). It is worked out where it is asked for, and kept.

Equal arguments are a waste too, and no nonterminal can hold what a sibling turned out to be. So `cheapest` also takes
how many trees may be forbidden in the place: the answer is the fewest operators with which no such choice of trees
blocks every way on. A forbidden tree rules out one leaf, or weighs on one operator, which must then be able to finish
while the same tree is forbidden further down. `cheapest` is exact where nothing is forbidden, and errs on the safe side
where something is.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

from alpha_pipeline.expression import Field, Node, Slot
from alpha_pipeline.expression.simplify import ORDERLESS
from alpha_pipeline.generate.space.grammar import SHORTEST, Choice, Grammar, Production, Symbol
from alpha_pipeline.generate.space.waste import REDUNDANT, REVERSED_INSIDE

NEVER = 1_000
"""Operators: more than any expression may hold."""

ADV = "ts_mean of 20 days"
"""The place inside `ts_mean(…, 20)`: over `volume` it is `adv20`, in another spelling and another unit."""

ALIKE = {"subtract": "ts_delta"}
"""Operators of which canonical form makes another: `x - ts_delay(x, 5)` is `ts_delta(x, 5)`."""


HISTORY = 20
"""Days kept free below every window for the fields at the leaves, as the grammar keeps them."""


def windows_within(days: int) -> int:
    """How many windows fit inside one another in so many days of lookback."""
    return max(0, (days - HISTORY) // SHORTEST)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A production with its number, if it takes one, chosen.

    Attributes:
        name: the operator.
        symbols: its subtrees' nonterminals, in order; `numbers`: their positions in `LookAhead.symbols`.
        rivals: positions in `symbols` of earlier subtrees that the last one could equal.
        positions: the arguments that `symbols` are.
        window, group: the arguments that are a window and a group, or None.
        number, number_position: the number it takes, and which argument that is, or None.
    """

    name: str
    production: Production
    symbols: tuple[Symbol, ...]
    numbers: tuple[int, ...]
    rivals: tuple[int, ...]
    positions: tuple[int, ...]
    window: int | None
    group: int | None
    number: float | None
    number_position: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a nonterminal stands: which operators it may not be, and which fields; `bare`: no field at all."""

    number: int
    operators: frozenset[str]
    leaves: frozenset[Node] = frozenset()
    bare: bool = False


class Taken(NamedTuple):
    """How many trees may be forbidden: of any kind, leaves, calls."""

    unknown: int = 0
    leaves: int = 0
    calls: int = 0


FREE = Taken()


class LookAhead:
    """The fewest operators that finish a nonterminal; see the module.

    Attributes:
        symbols: the nonterminals, in order.
        ways: per nonterminal, the operators that make it and the ways in which each does.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.symbols = tuple(grammar.productions)
        self.ways: dict[Symbol, dict[str, tuple[Way, ...]]] = {
            symbol: self._by_operator(productions) for symbol, productions in grammar.productions.items()
        }
        bans = {operator.name: (_banned(operator.name), frozenset[Node]()) for operator in grammar.operators}
        bans[ADV] = (_banned("ts_mean"), frozenset({Field("volume")}))
        shared = {ban: Place(number, *ban) for number, ban in enumerate(dict.fromkeys(bans.values()))}
        self._places = {name: shared[ban] for name, ban in bans.items()}
        self.root = Place(len(shared), frozenset({"reverse"}), bare=True)
        """A bare field has no operator, and is no proposal."""
        self.root_after_minus = Place(len(shared) + 1, frozenset({"reverse", "subtract"}))
        """A minus before a difference is the other difference."""
        self._cheapest: dict[tuple[Symbol, Place, int, int, Taken], int] = {}
        self._by_name: dict[tuple[Symbol, str, int, int, int], int] = {}
        self._inputs: dict[tuple[Way, int, int, int, Place], tuple[int, ...]] = {}

    def place(self, name: str, window: int = 0) -> Place:
        """The place inside an operator."""
        return self._places[ADV if name == "ts_mean" and window == 20 else name]

    def leaves(self, symbol: Symbol, place: Place) -> tuple[Node, ...]:
        """The fields that may stand there."""
        if place.bare:
            return ()
        return tuple(leaf for leaf in self.grammar.leaves.get(symbol, ()) if leaf not in place.leaves)

    def cheapest(self, symbol: Symbol, place: Place, depth: int, windows: int, taken: Taken = FREE) -> int:
        """The fewest operators that finish the nonterminal whatever `taken` trees are; `NEVER` where none do.

        Args:
            symbol: the nonterminal.
            place: what is around it.
            depth: operators inside one another, at most.
            windows: operators with a window inside one another, at most.
            taken: trees that are forbidden.
        """
        case = (symbol, place, depth, min(windows, depth), taken)
        known = self._cheapest.get(case)
        if known is None:
            known = self._cheapest[case] = self._find_cheapest(*case)
        return known

    def of_operator(self, symbol: Symbol, name: str, depth: int, windows: int, forbidden: int = 0) -> int:
        """The fewest operators of a tree of the nonterminal under that operator, itself counted."""
        case = (symbol, name, depth, min(windows, depth), forbidden)
        known = self._by_name.get(case)
        if known is None:
            ways = self.ways[symbol].get(name, ())
            known = min((self.of_way(way, depth, windows, forbidden) for way in ways), default=NEVER)
            self._by_name[case] = known
        return known

    def of_way(self, way: Way, depth: int, windows: int, forbidden: int = 0, window: int = 0) -> int:
        """The fewest operators of a tree that begins in that way; `windows` counts its own."""
        left = windows - (way.window is not None)
        if depth < 1 or left < 0:
            return NEVER
        return min(1 + sum(self.of_inputs(way, depth - 1, left, forbidden, self.place(way.name, window))), NEVER)

    def of_inputs(self, way: Way, depth: int, windows: int, forbidden: int, place: Place) -> tuple[int, ...]:
        """The fewest operators of each subtree; of the last one while its rivals and the forbidden are not known."""
        case = (way, depth, min(windows, depth), forbidden, place)
        known = self._inputs.get(case)
        if known is None:
            costs = [self.cheapest(symbol, place, depth, windows) for symbol in way.symbols[:-1]]
            last = self.cheapest(way.symbols[-1], place, depth, windows, Taken(forbidden + len(way.rivals)))
            known = self._inputs[case] = (*costs, last)
        return known

    def _find_cheapest(self, symbol: Symbol, place: Place, depth: int, windows: int, taken: Taken) -> int:
        blocked = max(0, len(self.leaves(symbol, place)) - taken.leaves)
        if blocked > taken.unknown:
            return 0
        # Every operator must be blocked as well, each by as many trees as it can do without.
        needed = taken.unknown - blocked + taken.calls + 1
        costs: list[int] = []
        kinds: dict[str, list[str]] = {}
        for name in self.ways[symbol]:
            if name not in place.operators:
                kinds.setdefault(ALIKE.get(name, name), []).append(name)
        for names in kinds.values():
            for forbidden in range(needed):
                cost = min(self.of_operator(symbol, n, depth, windows, forbidden) for n in names)
                if cost >= NEVER:
                    break
                costs.append(cost)
            if costs.count(1) >= needed:
                return 1
        return heapq.nsmallest(needed, costs)[-1] if len(costs) >= needed else NEVER

    def _by_operator(self, productions: tuple[Production, ...]) -> dict[str, tuple[Way, ...]]:
        found: dict[str, list[Way]] = {}
        for production in productions:
            symbols, slots = production.symbols, production.operator.slots
            last = symbols[-1]
            rivals = tuple(i for i, s in enumerate(symbols[:-1]) if (s.type, s.unit) == (last.type, last.unit))
            values: list[float | None] = []
            number_position = None
            positions = []
            for position, given in enumerate(production.inputs):
                if isinstance(given, Choice):
                    if not given.window:
                        values, number_position = [*given.values], position
                elif slots[position] is not Slot.GROUP:
                    positions.append(position)
            name = production.operator.name
            found.setdefault(name, []).extend(
                Way(
                    name,
                    production,
                    symbols,
                    tuple(self.symbols.index(symbol) for symbol in symbols),
                    rivals,
                    tuple(positions),
                    slots.index(Slot.WINDOW) if Slot.WINDOW in slots else None,
                    slots.index(Slot.GROUP) if Slot.GROUP in slots else None,
                    number,
                    number_position,
                )
                for number in values or [None]
            )
        return {name: tuple(ways) for name, ways in found.items()}


def _banned(name: str) -> frozenset[str]:
    """The operators that may not stand directly inside one."""
    banned = set(REDUNDANT.get(name, ()))
    if name not in REVERSED_INSIDE:
        banned.add("reverse")
    if name == "reverse":
        banned.add("subtract")
    if name in ORDERLESS:
        banned.add(name)  # chains are sorted as a whole, which may make them deeper than allowed
    return frozenset(banned)
