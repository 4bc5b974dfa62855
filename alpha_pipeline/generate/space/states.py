"""What may follow, stage by stage of a derivation: found by the look-ahead once for every state, and kept.

Many states allow the same tokens at the same cost, so that there are far fewer `Legal` than states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from alpha_pipeline.expression import Call, Field, Node
from alpha_pipeline.generate.space.grammar import ROOTS, WEIGHTS
from alpha_pipeline.generate.space.legal import Legal, Option, Priors
from alpha_pipeline.generate.space.lookahead import ALIKE, HISTORY, NEVER, LookAhead, Place, Way, windows_within
from alpha_pipeline.generate.space.spelling import Fork
from alpha_pipeline.generate.space.tokens import Vocabulary


class _Options:
    """Tokens that may follow with enough room; `legal` keeps those within each room."""

    __slots__ = ("legal", "most", "options")

    def __init__(self, options: Iterable[Option]) -> None:
        self.options = sorted((o for o in options if o.cost < NEVER), key=lambda option: option.token)
        self.most = max((option.cost for option in self.options), default=0)
        """Room beyond which nothing more may follow."""
        self.legal: dict[tuple[int, bool], Legal] = {}


class States:
    """What may follow in every state of a token space; see the module.

    Args:
        vocabulary: the tokens.
        ahead: the look-ahead.
        priors: how likely each token is.
        most_operators: operators that an expression may have.
    """

    def __init__(self, vocabulary: Vocabulary, ahead: LookAhead, priors: Priors, most_operators: int) -> None:
        self._vocabulary, self._ahead, self._priors = vocabulary, ahead, priors
        self._most_operators = most_operators
        self._logs = self._operator_logs()
        self._options: dict[tuple[object, ...], _Options] = {}
        self._shared: dict[tuple[Option, ...], Legal] = {}
        self.nothing = self._within(_Options(()), 0)
        """What may follow a complete expression."""
        self.groups = self._within(_Options(Option(token) for token in vocabulary.groups.values()), 0)
        by_sign = {minus: self._within(self._roots(minus), most_operators - minus) for minus in (False, True)}
        signs = [Option(token) for minus, token in enumerate(vocabulary.signs.values()) if by_sign[bool(minus)].tokens]
        self.signs = self._within(_Options(signs), 0)
        self.roots = by_sign
        """Units of the whole, without and with a minus before it."""

    def nodes(
        self,
        number: int,
        place: Place,
        depth: int,
        windows: int,
        room: int,
        leaves_fit: bool = True,
        forbidden: tuple[Node, ...] = (),
    ) -> Legal:
        """Fields and operators of a nonterminal.

        Args:
            number: the nonterminal's position in `LookAhead.symbols`.
            place: what is around it.
            depth, windows: see `LookAhead.cheapest`.
            room: operators that may be used.
            leaves_fit: whether a field leaves room for what must then differ from it.
            forbidden: trees, canonical, that it may not become.
        """
        kinds = tuple(sorted(map(_kind, forbidden))) if forbidden else ()
        key = (number, place.number, depth, windows if windows < depth else depth, kinds)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = _Options(self._nodes(number, place, depth, windows, kinds))
        return self._within(options, room, leaves_fit)

    def branches(self, fork: Fork, depth: int, windows: int, room: int, forbidden: int) -> Legal:
        """Units or numbers at a fork; `forbidden` is how many trees with this operator may not be made."""
        windows = min(windows, depth)
        key = ("fork", fork.number, depth, windows, forbidden)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = _Options(
                Option(token, min(self._ahead.of_way(way, depth, windows, forbidden) for way in ways))
                for token, ways in fork.ways.items()
            )
        return self._within(options, room)

    def windows(self, way: Way, depth: int, days: int, room: int, forbidden: int) -> Legal:
        """Windows of an operator, with so many days of lookback left for it."""
        key = ("window", way, depth, days, forbidden)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = _Options(
                Option(token, self._ahead.of_way(way, depth, windows_within(days - window) + 1, forbidden, window))
                for window, token in self._vocabulary.windows.items()
                if window <= days - HISTORY
            )
        return self._within(options, room)

    def _roots(self, minus: bool) -> _Options:
        settings = self._ahead.grammar.settings
        place = self._ahead.root_after_minus if minus else self._ahead.root
        windows = windows_within(settings.longest_lookback)
        return _Options(
            Option(
                self._vocabulary.units[symbol.unit],
                self._ahead.cheapest(symbol, place, settings.deepest - minus, windows),
                math.log(weight) if self._priors.weights else 0.0,
            )
            for symbol, weight in ROOTS
        )

    def _nodes(self, number: int, place: Place, depth: int, windows: int, kinds: tuple[str, ...]) -> Iterable[Option]:
        symbol = self._ahead.symbols[number]
        for leaf in self._ahead.leaves(symbol, place):
            if _kind(leaf) not in kinds:
                yield Option(self._vocabulary.fields[leaf], arity=0)
        for name, ways in self._ahead.ways[symbol].items():
            if name not in place.operators:
                forbidden = kinds.count(ALIKE.get(name, name))
                cost = self._ahead.of_operator(symbol, name, depth, windows, forbidden)
                yield Option(self._vocabulary.operators[name], cost, self._logs[name], len(ways[0].symbols))

    def _operator_logs(self) -> dict[str, float]:
        """Per operator, its share of those with as many inputs, one or more, as a logarithm."""
        arities = {
            name: min(len(ways[0].symbols), 2)
            for by_name in self._ahead.ways.values()
            for name, ways in by_name.items()
        }
        weights = {name: WEIGHTS.get(name, 1.0) if self._priors.weights else 1.0 for name in arities}
        totals = {arity: sum(weights[name] for name in arities if arities[name] == arity) for arity in (1, 2)}
        return {
            name: math.log(weight / totals[arities[name]] if self._priors.arity else weight)
            for name, weight in weights.items()
        }

    def _within(self, options: _Options, room: int, leaves_fit: bool = True) -> Legal:
        case = (min(room, options.most), leaves_fit)
        known = options.legal.get(case)
        if known is None:
            legal = tuple(o for o in options.options if o.cost <= room and (leaves_fit or o.arity != 0))
            known = self._shared.get(legal)
            if known is None:
                known = self._shared[legal] = Legal(len(self._vocabulary), legal, self._priors)
            options.legal[case] = known
        return known


def _kind(node: Node) -> str:
    """What a forbidden tree rules out: a field, or, in part, an operator and those like it."""
    if isinstance(node, Call):
        return ALIKE.get(node.operator, node.operator)
    assert isinstance(node, Field)
    return f"field {node.name}"
