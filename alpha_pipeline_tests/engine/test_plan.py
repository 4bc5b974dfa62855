"""Units and pieces: what runs together, and that cutting a panel into tiles and blocks of any size changes no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alpha_pipeline.engine import Engine, pieces
from alpha_pipeline.engine.arguments import MATRICES
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.plan import UNIVERSE, Along, Plan, plan
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS, Call, Constant, Field, Node, parse
from alpha_pipeline.generate import SearchSettings, make_generator
from alpha_pipeline_tests.engine.checks import same_bits
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.engine.test_engine import NODES

PANEL = random_panel(days=150, instruments=130)


def drawn(count: int) -> list[Node]:
    """Expressions as a search proposes them."""
    names = sorted(set(PANEL.fields) | set(PANEL.groups))
    return make_generator("random", 5, names, "user", SearchSettings(budget=count)).ask(count)


ALL = [*NODES, *drawn(60)]


@pytest.fixture(scope="module")
def whole() -> list[np.ndarray[Any, Any]]:
    """Every value on a panel that is one piece."""
    engine = Engine(PANEL, threads=1)
    assert not engine.cuts_tiles
    return [engine.evaluate(node) for node in ALL]


@pytest.mark.parametrize(("tile", "block"), [(150 * 16, 130 * 7), (150 * 48, 10**6), (10**6, 130), (1, 1)])
@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_change_no_bit(
    tile: int, block: int, threads: int, whole: list[np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "TILE_CELLS", tile)
    monkeypatch.setattr(pieces, "BLOCK_CELLS", block)
    monkeypatch.setattr("alpha_pipeline.engine.engine.WORTH_SPLITTING", 1)
    with Engine(PANEL, threads=threads) as engine:
        for node, value in zip(ALL, whole, strict=True):
            assert same_bits(engine.evaluate(node), value), node
        engine.cache.clear()
        for index, same in engine.map(ALL, lambda index, value: same_bits(value, whole[index])):
            assert same, ALL[index]


def test_a_block_that_is_wrong_in_one_piece_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: a last piece that is forgotten shows."""
    monkeypatch.setattr(pieces, "TILE_CELLS", 150 * 16)
    node = parse("ts_mean(close / open, 5)")
    value = Engine(PANEL, threads=1).evaluate(node)
    right = pieces.pieces
    monkeypatch.setattr("alpha_pipeline.engine.engine.pieces", lambda along, shape: right(along, shape)[:-1])
    assert not same_bits(Engine(PANEL, threads=1).evaluate(node), value)


def planned(text: str, keep: tuple[str, ...] = ()) -> Plan:
    """The plan on a panel that is cut both ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "TILE_CELLS", 1)
        patch.setattr(pieces, "BLOCK_CELLS", 1)
        engine = Engine(PANEL, threads=1)
        return plan(engine._resolved(parse(text)), {engine._resolved(parse(each)) for each in keep}, engine.terms)


def shown(found: Plan) -> dict[str, tuple[str, int]]:
    """Operator of each unit's call: how it is cut, and how many steps it has."""
    return {call.operator: (along.value, len(found.unit(call).steps)) for call, (along, _) in found.members.items()}


def test_chains_along_time_are_one_unit() -> None:
    assert shown(planned("(close - ts_mean(close, 20)) / ts_std_dev(close, 20)")) == {"divide": ("columns", 4)}
    assert shown(planned("ts_decay_linear(ts_delta(close, 5) * ts_corr(close, volume, 10), 10)")) == {
        "ts_decay_linear": ("columns", 4)
    }


def test_cross_sections_and_what_follows_them_are_one_unit() -> None:
    assert shown(planned("-rank(close / open) * zscore(volume)")) == {"multiply": ("rows", 5)}
    assert shown(planned("rank(ts_mean(close, 5) / close)")) == {"rank": ("rows", 1), "divide": ("columns", 2)}
    assert shown(planned("ts_mean(rank(close) - rank(open), 5)")) == {
        "ts_mean": ("columns", 1),
        "subtract": ("rows", 3),
    }


def test_what_fields_alone_make_goes_to_its_user() -> None:
    found = planned("ts_mean(high / low, 5)")
    assert shown(found) == {"ts_mean": ("columns", 2)}
    assert shown(planned("rank(high / low)")) == {"rank": ("rows", 2)}
    assert shown(planned("high / low")) == {"divide": ("rows", 1)}


def test_a_part_of_two_units_is_a_unit() -> None:
    found = planned("rank(ts_mean(close, 5)) + ts_delta(ts_mean(close, 5), 2) * ts_mean(rank(volume), 3)")
    part = Call("ts_mean", (Field("close"), parse("5")))
    assert found.unit(part).along is Along.COLUMNS
    assert found.uses[part] == 2


def test_what_is_to_be_kept_is_a_unit() -> None:
    text, part = "ts_delta(ts_mean(close, 5), 2)", "ts_mean(close, 5)"
    assert len(planned(text).members) == 1
    assert shown(planned(text, (part,))) == {"ts_delta": ("columns", 1), "ts_mean": ("columns", 1)}


def test_values_that_may_leave_the_universe_are_masked_once() -> None:
    found = planned("rank(ts_mean(close, 5)) + zscore(ts_mean(close, 5))")
    (top,) = [found.unit(call) for call in found.members if call.operator == "add"]
    assert UNIVERSE in top.inputs
    assert len(top.steps) == 4  # mask, rank, zscore, add


def test_places_are_free_after_their_last_use() -> None:
    """A long chain needs no more scratch matrices than a short one."""
    text = "close"
    for _ in range(12):
        text = f"ts_mean({text}, 3) / close"
    scratch = pieces.Scratch()
    found = planned(text)
    unit = found.unit(*found.members)
    out = np.empty(PANEL.shape, np.float32)
    pieces.run_piece(unit, [PANEL.fields["close"]], out, 0, (0, 16), scratch)
    assert len(scratch._flat) <= 4


@pytest.mark.parametrize(
    "text", ["close ^ (is_nan(volume) * 0 + {})", "signed_power(returns, is_nan(volume) * 0 + {})"]
)
@pytest.mark.parametrize("exponent", ["0.5", "2", "1", "-1", "0.7"])
def test_a_power_does_not_depend_on_how_rows_are_cut(text: str, exponent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of one row of equal exponents looks like a constant, and is no other power for that."""
    node = parse(text.format(exponent))
    whole = Engine(PANEL, threads=1).evaluate(node)
    monkeypatch.setattr(pieces, "BLOCK_CELLS", 1)
    assert same_bits(Engine(PANEL, threads=1).evaluate(node), whole)
    constant = parse(text.replace("is_nan(volume) * 0 + ", "").replace("is_nan(low) * 0 + ", "").format(exponent))
    np.testing.assert_allclose(Engine(PANEL, threads=1).evaluate(constant), whole, rtol=2e-6)


@pytest.mark.parametrize("name", [name for name in OPERATORS if name in KERNELS and KERNELS[name].broadcasts])
def test_numbers_may_stand_in_any_place(name: str) -> None:
    """The shape of the first input is not that of the result."""
    operator = OPERATORS[name]
    for number in operator.numeric_positions:
        arguments: list[Node] = [Field("returns")] * operator.arity
        if any(slot not in MATRICES for slot in operator.slots) or operator.arity < 2:
            continue
        arguments[number] = Constant(2.0)
        value = Engine(PANEL, threads=1).evaluate(Call(name, tuple(arguments)))
        given = [np.full(PANEL.shape, 2.0) if at == number else PANEL.fields["returns"] for at in range(operator.arity)]
        with np.errstate(all="ignore"):
            expected = operator.run_plain([np.asarray(each, np.float64) for each in given], (), DEFAULT_CHOICES)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
