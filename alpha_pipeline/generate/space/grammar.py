"""The typed grammar of the search space, derived from the registered operators, and a sampler over it.

A nonterminal is a type with a unit and a range. Productions come from solving each operator's unit rules backwards,
so every sample is invariant to the price level. `_cheapest` holds, per nonterminal and depth left, the
fewest operators that finish it: a production is drawn only if the rest can still be finished, so nothing ends dead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    ACCOUNTS,
    OPERATORS,
    Call,
    Constant,
    ExpressionError,
    Field,
    Node,
    Operator,
    Slot,
    Unit,
    ValueType,
    canonical,
    check,
    depth,
    export_text,
    field_spec,
    lookback,
    operator_count,
    scale_exponent,
    walk,
)
from alpha_pipeline.expression.units import PURE
from alpha_pipeline.generate.base import SearchSettings
from alpha_pipeline.generate.space.drawn import Drawn
from alpha_pipeline.generate.space.units import RATIOS, UNITS, solve_units, unit_of
from alpha_pipeline.generate.space.waste import (
    KEEPS_POSITIVE,
    NEEDS_POSITIVE,
    POSITIVE,
    REDUNDANT,
    REVERSED_INSIDE,
    UNIT,
    is_positive,
    wasteful,
)

WINDOWS = (5, 10, 15, 20, 30, 40, 60, 90, 120, 180, 252)
SHORTEST, LONGEST = WINDOWS[0], WINDOWS[-1]
"""Days; the search draws from `WINDOWS` and moves between them in fine steps."""

LONGEST_EXPORT = 1_000
"""Characters of export text; far below what the platform's editor takes, and already hard to read."""

_FIELD_HISTORY = 20  # days kept free below every window, for the fields at the leaves (adv20 needs 19)


class Range(Enum):
    """What is known of a nonterminal's values."""

    ANY = "any"
    POSITIVE = "positive"
    UNIT = "0 to 1"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A nonterminal: type, unit, range."""

    type: ValueType
    unit: Unit = PURE
    range: Range = Range.ANY


@dataclass(frozen=True, slots=True)
class Choice:
    """A number out of a few; `window` marks a window."""

    values: tuple[float, ...]
    window: bool = False


Input: TypeAlias = Symbol | Choice

ROOT = Symbol(ValueType.MATRIX)
"""A pure number: what most expressions are, and what ends any of them."""

ROOTS: tuple[tuple[Symbol, float], ...] = (
    (ROOT, 0.7),
    *((Symbol(ValueType.MATRIX, u), 0.3 / len(RATIOS)) for u in RATIOS),
)
"""What a whole expression may be, and how often: a ratio to the own past is as free of the price scale as a number."""

_GROUP = Symbol(ValueType.GROUP)
_CONDITION = Symbol(ValueType.BOOLEAN)
_WINDOW = Choice(tuple(float(window) for window in WINDOWS), window=True)

NUMBERS: dict[tuple[str, int], Choice] = {
    ("signed_power", 1): Choice((0.5, 2.0)),
    ("less", 1): Choice((0.2, 0.5, 0.8)),
    ("greater", 1): Choice((0.2, 0.5, 0.8)),
}
"""Where numbers stand (operator, position). Thresholds are compared with values in [0, 1]."""
_ALWAYS_NUMBER = frozenset({"signed_power"})

WEIGHTS: dict[str, float] = {
    "divide": 2.5,
    "subtract": 2.0,
    "multiply": 1.5,
    "ts_corr": 2.0,
    "ts_delta": 1.5,
    "ts_zscore": 1.5,
    "rank": 1.5,
    "ts_sum": 0.3,  # proportional to ts_mean where windows are full
    "ts_delay": 0.5,
    "ts_covariance": 0.5,
    "scale": 0.2,
    "abs": 0.4,
    "sign": 0.3,
    "log": 0.5,
    "max": 0.4,
    "min": 0.4,
    "reverse": 0.3,
}
"""How often an operator is drawn, against 1 for one not named."""


@dataclass(frozen=True, slots=True)
class Production:
    """One way to write a nonterminal: an operator over inputs."""

    operator: Operator
    inputs: tuple[Input, ...]
    symbols: tuple[Symbol, ...] = field(init=False)
    """The inputs that are grown as subtrees."""

    def __post_init__(self) -> None:
        grown = tuple(i for i in self.inputs if isinstance(i, Symbol) and i.type is not ValueType.GROUP)
        object.__setattr__(self, "symbols", grown)


class Grammar:
    """The search space over what a panel holds.

    Args:
        fields: names of the panel's fields and groups; others that the language knows are not drawn.
        profile: the account whose operators may be used.
        settings: bounds.

    Raises:
        BadInput: unknown profile, or fields from which no invariant expression can be made.
    """

    def __init__(self, fields: Collection[str], profile: str = "user", settings: SearchSettings | None = None) -> None:
        if profile not in ACCOUNTS:
            raise BadInput(f"unknown profile {profile!r}", "generator", f"use one of {', '.join(ACCOUNTS)}")
        self.settings = settings or SearchSettings()
        self.largest_sample = min(self.settings.largest_sample, max(1, self.settings.most_operators * 3 // 5))
        self.profile = profile
        self.available = tuple(sorted(set(fields)))
        self.operators = tuple(o for o in OPERATORS.values() if o.searched and profile in o.profiles)
        # "market" is left out: within it a group operator is the cross-sectional one.
        self.groups = tuple(n for n in self.available if _is_group(n) and n != "market")
        self.leaves = self._leaves()
        self.productions = self._productions()
        self._cheapest = self._solve_cheapest()
        possible = [(s, w) for s, w in ROOTS if math.isfinite(self._cheapest[max(self.settings.deepest - 1, 0)][s])]
        self.roots = tuple(symbol for symbol, _ in possible)
        self._problem = lru_cache(maxsize=10_000)(self._find_problem)  # samples are asked about twice
        self._known_costs: dict[tuple[Symbol, int], list[float]] = {}
        self._legal_ways: dict[tuple[Symbol, int, int, bool, str | None], tuple[list[Production], Drawn]] = {}
        if math.isinf(self._cheapest[self.settings.deepest][ROOT]):
            held = ", ".join(self.available) or "nothing"
            raise BadInput(
                f"no price-level invariant expression within depth {self.settings.deepest} from {held}",
                "generator",
                "give the panel more fields (open, high, low, close, volume) or allow more depth",
            )
        self._root = Drawn([weight for _, weight in possible])

    def sample(self, random: np.random.Generator, operators: int | None = None) -> Node | None:
        """A random valid canonical expression, either sign alike; None if none was found in 200 tries.

        Args:
            random: where randomness comes from.
            operators: operators to aim at; None draws from 2 to the largest sample, uniformly.
        """
        for _ in range(200):
            aim = int(random.integers(2, max(3, self.largest_sample))) if operators is None else operators
            minus = bool(random.random() < 0.5)
            root = self.roots[self._root(random)]
            node = self.grow(random, root, aim, self.settings.deepest - minus)
            if node is None:
                continue
            node = canonical(negated(node) if minus else node)
            if isinstance(node, Call) and self.problem(node) is None:
                return node
        return None

    def grow(
        self,
        random: np.random.Generator,
        symbol: Symbol,
        operators: int,
        deepest: int,
        days: int | None = None,
        inside: str | None = None,
    ) -> Node | None:
        """A random tree of a nonterminal with about `operators` operators; None where its rules were not met.

        Args:
            random: where randomness comes from.
            symbol: the nonterminal.
            operators: operators to use; more only where the nonterminal cannot be finished with so few.
            deepest: operators inside one another, at most.
            days: lookback left.
            inside: the operator around it.
        """
        days = self.settings.longest_lookback if days is None else days
        operators = max(operators, int(min(self._cheapest[deepest][symbol], 60)))
        legal, drawn = self._legal(symbol, operators, deepest, days >= SHORTEST + _FIELD_HISTORY, inside)
        leaves = self.leaves.get(symbol, ())
        if not legal or operators == 0:
            return leaves[int(random.integers(len(leaves)))] if leaves else None
        production = legal[drawn(random)]
        for _ in range(4):
            node = self._fill(random, production, operators - 1, deepest - 1, days)
            if node is not None and wasteful(node, inside) is None:
                return node
        return None

    def problem(self, node: Node) -> str | None:
        """Why the generators may not propose the tree, or None."""
        return self._problem(node)

    def _find_problem(self, node: Node) -> str | None:
        limits = self.settings
        try:
            kind = check(node, self.available)
            text = export_text(node, self.profile)
        except ExpressionError as error:
            return str(error)
        if kind is not ValueType.MATRIX:
            return f"a {kind.value} is no alpha"
        if len(text) > LONGEST_EXPORT:
            return f"{len(text)} characters"
        if scale_exponent(node) != 0:
            return "depends on the price level"
        if unit_of(node) is None:
            return "units do not agree"
        if depth(node) > limits.deepest:
            return f"depth {depth(node)}"
        if operator_count(node) > limits.most_operators:
            return f"{operator_count(node)} operators"
        if lookback(node) > limits.longest_lookback:
            return f"lookback {lookback(node)}"
        for part in walk(node):
            if isinstance(part, Call):
                position = OPERATORS[part.operator].window_position
                window = part.arguments[position] if position is not None else None
                if isinstance(window, Constant) and not SHORTEST <= window.value <= LONGEST:
                    return f"window {window.value}"
        return wasteful(node)

    def _leaves(self) -> dict[Symbol, tuple[Node, ...]]:
        names = [*self.available, *(["adv20"] if "volume" in self.available else [])]
        leaves: dict[Symbol, tuple[Node, ...]] = {_GROUP: tuple(Field(name) for name in self.groups)}
        for name in names:
            spec = field_spec(name)
            unit = unit_of(Field(name))
            if spec is None or unit is None or spec.type is not ValueType.MATRIX:
                continue
            for held in (Range.ANY, Range.POSITIVE):
                if held is Range.ANY or is_positive(Field(name)):
                    symbol = Symbol(ValueType.MATRIX, unit, held)
                    leaves[symbol] = (*leaves.get(symbol, ()), Field(name))
        return leaves

    def _productions(self) -> dict[Symbol, tuple[Production, ...]]:
        symbols = [Symbol(ValueType.MATRIX, u, r) for u in UNITS for r in (Range.ANY, Range.POSITIVE)]
        symbols += [Symbol(ValueType.MATRIX, PURE, Range.UNIT), _CONDITION]
        return {s: tuple(p for o in self.operators for p in self._ways(o, s)) for s in symbols}

    def _ways(self, operator: Operator, symbol: Symbol) -> list[Production]:
        """Every way in which the operator makes the nonterminal."""
        name = operator.name
        if operator.result is not symbol.type or (Slot.GROUP in operator.slots and not self.groups):
            return []
        if symbol.range is Range.UNIT and name not in UNIT:
            return []
        passes_on = symbol.range is Range.POSITIVE and name not in POSITIVE
        if passes_on and name not in KEEPS_POSITIVE:
            return []
        numeric = operator.numeric_positions
        found = []
        for units in solve_units(name, symbol.unit):
            plain: list[Input] = []
            for position, slot in enumerate(operator.slots):
                if slot is Slot.WINDOW:
                    plain.append(_WINDOW)
                elif slot is Slot.GROUP:
                    plain.append(_GROUP)
                elif slot is Slot.CONDITION:
                    plain.append(_CONDITION)
                else:
                    unit = units[numeric.index(position)]
                    positive = passes_on or (name, position) in NEEDS_POSITIVE
                    plain.append(Symbol(ValueType.MATRIX, unit, Range.POSITIVE if positive else Range.ANY))
            if name not in _ALWAYS_NUMBER:
                found.append(Production(operator, tuple(plain)))
            for position in range(operator.arity):
                if (name, position) in NUMBERS and set(units) == {PURE}:
                    mixed = list(plain)
                    mixed[position] = NUMBERS[name, position]
                    if name not in _ALWAYS_NUMBER:
                        mixed[0] = Symbol(ValueType.MATRIX, PURE, Range.UNIT)
                    found.append(Production(operator, tuple(mixed)))
        return found

    def _solve_cheapest(self) -> list[dict[Symbol, float]]:
        """Per depth left, the fewest operators that finish each nonterminal; infinite where none do."""
        levels = [{s: 0.0 if self.leaves.get(s) else math.inf for s in self.productions}]
        for _ in range(self.settings.deepest):
            below = levels[-1]
            level = {}
            for symbol, productions in self.productions.items():
                costs = [1 + sum(below[s] for s in p.symbols) for p in productions]
                level[symbol] = min([levels[0][symbol], *costs])
            levels.append(level)
        return levels

    def _legal(
        self, symbol: Symbol, operators: int, deepest: int, windows: bool, inside: str | None
    ) -> tuple[list[Production], Drawn]:
        """The productions that may be used, and how often each: worked out once for each case.

        Args:
            windows: whether there is history left for an operator with a window.
        """
        case = (symbol, operators, deepest, windows, inside)
        known = self._legal_ways.get(case)
        if known is None:
            known = self._legal_ways[case] = self._find_legal(symbol, operators, deepest, windows, inside)
        return known

    def _find_legal(
        self, symbol: Symbol, operators: int, deepest: int, windows: bool, inside: str | None
    ) -> tuple[list[Production], Drawn]:
        if deepest == 0:
            return [], Drawn([1.0])
        banned = REDUNDANT.get(inside or "", frozenset[str]())
        legal = []
        for production, cost in zip(self.productions[symbol], self._costs(symbol, deepest - 1), strict=True):
            if cost > operators:
                continue
            name = production.operator.name
            if name in banned or (name == "reverse" and inside not in REVERSED_INSIDE):
                continue
            if windows or _WINDOW not in production.inputs:
                legal.append(production)
        # An operator's weight is shared by its ways, or ratios would crowd out what has one way only.
        ways = Counter(production.operator.name for production in legal)
        return legal, Drawn([WEIGHTS.get(p.operator.name, 1.0) / ways[p.operator.name] for p in legal] or [1.0])

    def _costs(self, symbol: Symbol, deepest: int) -> list[float]:
        """Operators that each production of a nonterminal takes at least, with so much depth left below it."""
        known = self._known_costs.get((symbol, deepest))
        if known is None:
            below = self._cheapest[deepest]
            known = [1 + sum(below[s] for s in p.symbols) for p in self.productions[symbol]]
            self._known_costs[symbol, deepest] = known
        return known

    def _fill(
        self, random: np.random.Generator, production: Production, operators: int, deepest: int, days: int
    ) -> Node | None:
        """The production with its inputs grown; `operators`, `deepest` and `days` are what is left for them."""
        needs = [int(self._cheapest[deepest][symbol]) for symbol in production.symbols]
        for _ in range(max(0, operators - sum(needs))):
            needs[int(random.integers(len(needs)))] += 1
        shares = iter(needs)
        numbers = {
            position: float(_pick(random, given, days))
            for position, given in enumerate(production.inputs)
            if isinstance(given, Choice)
        }
        windows = [v for p, v in numbers.items() if production.inputs[p] == _WINDOW]
        left = days - int(sum(windows))
        arguments: list[Node] = []
        for position, given in enumerate(production.inputs):
            if isinstance(given, Choice):
                arguments.append(Constant(numbers[position]))
            elif given.type is ValueType.GROUP:
                arguments.append(self.leaves[_GROUP][int(random.integers(len(self.groups)))])
            else:
                grown = self.grow(random, given, next(shares), deepest, left, production.operator.name)
                if grown is None:
                    return None
                arguments.append(grown)
        return Call(production.operator.name, tuple(arguments))


@lru_cache(maxsize=50_000)
def symbol_of(node: Node) -> Symbol | None:
    """Type and unit of a subtree (range left open), by which subtrees are exchanged; None for a number."""
    if isinstance(node, Constant):
        return None
    unit = unit_of(node)
    if isinstance(node, Field):
        spec = field_spec(node.name)
        return Symbol(spec.type, unit) if spec is not None and unit is not None else None
    return Symbol(OPERATORS[node.operator].result or ValueType.GROUP, unit) if unit is not None else None


def negated(node: Node) -> Node:
    """The expression with the opposite sign, without a minus that could be spared."""
    if isinstance(node, Call) and node.operator == "reverse":
        return node.arguments[0]
    if isinstance(node, Call) and node.operator == "subtract":
        return Call("subtract", node.arguments[::-1])
    return Call("reverse", (node,))


def _pick(random: np.random.Generator, choice: Choice, days: int) -> float:
    allowed = [v for v in choice.values if not choice.window or v <= days - _FIELD_HISTORY]
    return allowed[int(random.integers(len(allowed)))]


def _is_group(name: str) -> bool:
    spec = field_spec(name)
    return spec is not None and spec.type is ValueType.GROUP
