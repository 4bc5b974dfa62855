"""What can be planted, and what is said about what cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Call, lookback, parse, scale_exponent, to_text, walk
from alpha_pipeline.generate import Grammar
from alpha_pipeline.race.planting import BUILT_IN, HELD, load_plants, read_plants

GOOD = {"expression": "-ts_delta(close, 5) / close", "sharpe": 1.5, "tier": "T1"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_lists_keep_to_the_protocol(name: str) -> None:
    lists = load_plants(name)
    drawn = {operator.name for operator in Grammar(HELD).operators}
    held = [lists.of_market(number) for number in range(len(lists.lists))]
    for plants in held:
        assert [plant.tier for plant in plants] == ["T1", "T1", "T2", "T2", "T3", "T3", "T4", "T4"]
    for plant in (plant for plants in held for plant in plants):
        tree = parse(plant.expression)
        assert lookback(tree) <= 60
        assert scale_exponent(tree) == 0
        used = {part.operator for part in walk(tree) if isinstance(part, Call)}
        fits = not used <= drawn if plant.tier == "T4" else all(OPERATORS[name].searched for name in used)
        assert fits, plant.expression  # of T1 to T3 some account's search draws every operator


def test_tuning_and_report_share_nothing() -> None:
    texts = []
    for lists in map(load_plants, BUILT_IN):
        held = [lists.of_market(number) for number in range(len(lists.lists))]
        texts.append({to_text(parse(plant.expression)) for plants in held for plant in plants})
    assert not texts[0] & texts[1]


def test_strengths_are_crossed_over_plants_and_markets() -> None:
    """A Latin square: over four markets of a list each plant has each strength once; each market uses all of them."""
    plants = load_plants("tuning")
    turns = range(0, 4 * len(plants.lists), len(plants.lists))  # of the first list
    square = [[plant.sharpe for plant in plants.of_market(number)] for number in turns]
    for column in zip(*square, strict=True):
        assert sorted(column) == [0.5, 1.0, 1.5, 2.5]
    for row in square:
        assert sorted(row) == sorted([0.5, 1.0, 1.5, 2.5] * 2)
    tiers = [sorted({row[place], row[place + 1]}) for row in square for place in (0, 2, 4, 6)]
    assert all(len(pair) == 2 for pair in tiers)


def test_each_list_has_a_square_of_its_own() -> None:
    """By the market's number, two lists would see every other strength alone."""
    lists = [[{"expression": "rank(close / open)"}], [{"expression": "rank(high / open)"}]]
    plants = read_plants(json.dumps({"lists": lists, "strengths": [0.5, 1.0, 1.5, 2.5]}), "mine")
    for first in (0, 1):
        assert [plants.of_market(first + 2 * turn)[0].sharpe for turn in range(4)] == [0.5, 1.0, 1.5, 2.5]


def test_lists_take_turns_and_own_strengths_stay() -> None:
    text = json.dumps({"lists": [[GOOD], [{"expression": "ts_mean(returns, 20)"}]], "strengths": [0.5]})
    plants = read_plants(text, "mine")
    assert [plants.of_market(number)[0].sharpe for number in range(3)] == [1.5, 0.5, 1.5]
    assert plants.of_market(1)[0].tier == "untiered"


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ("[1, 2", "no JSON"),
        ({"plants": [GOOD], "lists": [[GOOD]]}, "not one of"),
        ({"plant": [GOOD]}, "not one of"),
        ({"plants": [GOOD], "strenghts": [1]}, "`strenghts` is unknown"),
        ({"plants": []}, "no plant"),
        ({"plants": {}}, "not a list"),
        ({"plants": [{"sharpe": 1}]}, "plant 1: it has no `expression`"),
        ({"plants": [GOOD, {"expression": "rank(close / open)"}]}, "plant 2: it has no `sharpe`"),
        ({"plants": [{**GOOD, "power": 1}]}, "`power` is unknown"),
        ({"plants": [{**GOOD, "sharpe": -1}]}, "-1 is no strength"),
        ({"plants": [{**GOOD, "sharpe": True}]}, "True is no strength"),
        ({"plants": [{**GOOD, "expression": "rank(clsoe)"}]}, "clsoe"),
        ({"plants": [{**GOOD, "expression": "rank(close"}]}, "rank(close"),
        ({"plants": [{**GOOD, "expression": "rank(cap)"}]}, "cap"),
        ({"plants": [{**GOOD, "expression": "ts_mean(returns, 90)"}]}, "looks back 90 days"),
        ({"plants": [{**GOOD, "expression": "1 / close"}]}, "price level"),
        ({"plants": [{**GOOD, "expression": "hump(rank(returns))"}]}, "remembers"),
    ],
)
def test_bad_plants_are_told(held: object, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_plants(held if isinstance(held, str) else json.dumps(held), "p.json")
    assert says in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_plants(str(tmp_path / "none.json"))
