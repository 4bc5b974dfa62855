"""What is planted: expressions with a tier of difficulty and a strength, from a JSON file or built in.

    {"plants": [{"expression": …, "tier": "T1", "sharpe": 1.5}, …]}
    {"lists": [[{"expression": …, "tier": "T1"}, …], …], "strengths": [0.5, 1.0, 1.5, 2.5]}

With `lists`, market i takes list i modulo their number. Plants without a Sharpe ratio of their own take one of the
`strengths`, crossed over plants in a Latin square over markets: over as many markets of its list as there are
strengths, every plant has each of them once, so that strength and difficulty are not confounded.

The tiers of the built-in lists: T1 one or two operators deep, T2 three or four, T3 conditional or nested, T4 with an
operator that the search does not draw, so that only something like it can be found. Generators are tuned on `tuning`
and reported on `report`, and on plants that a seed draws (`drawing`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from alpha_pipeline.errors import AlphaPipelineError, BadInput
from alpha_pipeline.expression import OPERATORS, Call, Node, check, lookback, parse, scale_exponent, walk
from alpha_pipeline.market.sources.plants import LONGEST_WINDOW

BUILT_IN = ("tuning", "report")
LONGEST_LOOKBACK = LONGEST_WINDOW - 1
"""Days before today that a plant may look at."""
HELD = ("open", "high", "low", "close", "vwap", "volume", "returns", "sector", "industry", "subindustry", "market")
"""What plants may be made of: what the simulator knows while it simulates."""
FORM = 'write {"plants": [{"expression": "-ts_delta(close, 5) / close", "sharpe": 1.5, "tier": "T1"}]}'
UNTIERED = "untiered"
STRONGEST = 20.0  # annual Sharpe ratio; beyond it the plants would be the whole market


@dataclass(frozen=True)
class PlantedAlpha:
    """One planted alpha: its text, its annual Sharpe ratio alone and before costs, its tier."""

    expression: str
    sharpe: float
    tier: str


@dataclass(frozen=True)
class _Entry:
    expression: str
    sharpe: float | None
    tier: str


@dataclass(frozen=True)
class PlantLists:
    """What is planted in each market of a race.

    Attributes:
        name: of the built-in list, or the file's.
    """

    name: str
    lists: tuple[tuple[_Entry, ...], ...]
    strengths: tuple[float, ...]

    def of_market(self, number: int) -> tuple[PlantedAlpha, ...]:
        """The plants of market `number`, from 0."""
        found = []
        turn = number // len(self.lists)  # of this list: markets of one list are so many apart
        for position, entry in enumerate(self.lists[number % len(self.lists)]):
            sharpe = self.dealt(position, turn) if entry.sharpe is None else entry.sharpe
            found.append(PlantedAlpha(entry.expression, sharpe, entry.tier))
        return tuple(found)

    def dealt(self, position: int, turn: int) -> float:
        """The strength of a plant: a cyclic square, moved on by one each time all strengths were dealt."""
        count = len(self.strengths)
        return self.strengths[(position + position // count + turn) % count]

    def to_dict(self) -> dict[str, Any]:
        """All that decides what is planted, as JSON-ready values."""
        lists = [[[e.expression, e.sharpe, e.tier] for e in entries] for entries in self.lists]
        return {"lists": lists, "strengths": list(self.strengths)}


def load_plants(name: str) -> PlantLists:
    """Plants by the name of a built-in list, or from a JSON file.

    Raises:
        BadInput: no such file, no such JSON, or a plant that cannot be planted; says which and why.
    """
    if name in BUILT_IN:
        text = files("alpha_pipeline.race").joinpath("plants", f"{name}.json").read_text()
        return read_plants(text, name)
    path = Path(name)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        mend = f"give a JSON file, or one of {', '.join(BUILT_IN)}"
        raise BadInput(f"it cannot be read ({error})", f"--plants {name}", mend) from error
    return read_plants(text, path.name)


def read_plants(text: str, name: str) -> PlantLists:
    """Plants from JSON text; see the module."""
    try:
        held = json.loads(text)
    except ValueError as error:
        raise BadInput(f"it is no JSON ({error})", f"plants {name}", FORM) from error
    if not isinstance(held, dict) or ("plants" in held) == ("lists" in held):
        raise BadInput("it has not one of `plants` and `lists`", f"plants {name}", FORM)
    unknown = sorted(held.keys() - {"plants", "lists", "strengths"})
    if unknown:
        raise BadInput(f"`{unknown[0]}` is unknown", f"plants {name}", "use plants or lists, and strengths")
    strengths = tuple(_sharpe(value, f"plants {name}, strengths") for value in _listed(held.get("strengths", []), name))
    lists = _listed(held["lists"], name) if "lists" in held else [held["plants"]]
    found = tuple(
        tuple(
            _entry(entry, f"plants {name}, list {number}, plant {position}", bool(strengths))
            for position, entry in enumerate(_listed(entries, name), start=1)
        )
        for number, entries in enumerate(lists, start=1)
    )
    if not found or not all(found):
        raise BadInput("a list holds no plant", f"plants {name}", "use --null for a market without plants")
    return PlantLists(name, found, strengths)


def tree_of(expression: str) -> Node:
    """The tree of a plant that was found to be valid."""
    return parse(expression)


def _entry(value: Any, where: str, has_strengths: bool) -> _Entry:
    if not isinstance(value, Mapping) or not isinstance(value.get("expression"), str):
        raise BadInput("it has no `expression`", where, FORM)
    unknown = sorted(value.keys() - {"expression", "sharpe", "tier"})
    if unknown:
        raise BadInput(f"`{unknown[0]}` is unknown", where, "use expression, sharpe and tier")
    sharpe = None if value.get("sharpe") is None else _sharpe(value["sharpe"], where)
    if sharpe is None and not has_strengths:
        raise BadInput("it has no `sharpe`", where, "give it one, or give `strengths` for all")
    check_plantable(value["expression"], where)
    return _Entry(value["expression"], sharpe, str(value.get("tier", UNTIERED)))


def check_plantable(expression: str, where: str) -> None:
    """Refuse what the simulator cannot plant.

    Raises:
        BadInput: it is no expression, or over other fields, or looks back too far; says which.
    """
    where = f"{where} {expression!r}"
    try:
        tree = parse(expression)
        check(tree, HELD)
    except AlphaPipelineError as error:
        raise BadInput(str(error), where, f"use an expression over {', '.join(HELD)}") from error
    remembering = [part.operator for part in walk(tree) if isinstance(part, Call) and OPERATORS[part.operator].stateful]
    if remembering:
        what = f"{remembering[0]} remembers any earlier day"
        raise BadInput(what, where, f"the simulator keeps {LONGEST_WINDOW} days: use an operator with a window")
    if lookback(tree) > LONGEST_LOOKBACK:
        raise BadInput(f"it looks back {lookback(tree)} days", where, f"use windows of {LONGEST_LOOKBACK} days in all")
    if scale_exponent(tree) != 0:
        mend = "compare prices with prices: simulated ones are back-adjusted"
        raise BadInput("it depends on the price level", where, mend)


def _sharpe(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 < value <= STRONGEST:
        raise BadInput(f"{value!r} is no strength", where, f"use an annual Sharpe ratio above 0, up to {STRONGEST:g}")
    return float(value)


def _listed(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise BadInput(f"{value!r} is not a list", f"plants {name}", "write lists in brackets: […]")
    return value
