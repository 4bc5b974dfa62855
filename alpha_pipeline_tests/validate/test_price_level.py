"""The price-level check: what must fail, what must pass, and that static and numeric answers agree."""

from __future__ import annotations

import pytest

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import parse, scale_exponent, to_text
from alpha_pipeline.generate import make_generator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.validate import PriceLevelTest, price_level

SEES_THE_LEVEL = [
    "1 / close",
    "rank(-close)",
    "close",
    "log(close)",
    "rank(ts_mean(vwap, 20))",
    "zscore(volume)",
    "close - ts_mean(close, 10)",
    "if_else(close > 10, 1, -1)",
    "rank(adv20)",
    "group_neutralize(close, sector)",
    "ts_covariance(close, returns, 20)",
]
HIDES_THAT_IT_SEES = [
    "returns - 1000 * (close > 20000)",  # nobody crosses the threshold as quoted
    "0.1 * close / close",  # cancels, but for rounding
    "sign(close * 1.1 - close - close * 0.1)",
    "1 / close + 0 * ts_mean(returns, 1300)",  # no day on which the lookback is filled
    "log(-close)",  # no book at all
    "rank(ts_delta(close, 5) / close) + 0.02 * rank(close)",  # sees little of it
    "returns * (1 + 0.3 * sign(close * 1.1 - close - close * 0.1))",  # noise in a part of the book
]
BLIND_TO_IT = [
    "-ts_delta(close, 5) / close",
    "ts_rank(close, 60)",
    "ts_zscore(volume, 20)",
    "ts_corr(close, volume, 10)",
    "-(close - vwap) / vwap",
    "rank(close * volume)",
    "ts_delta(log(close), 5)",
    "rank(cap)",
    "volume / adv20",
    "ts_arg_max(high, 30)",
    "sign(ts_delta(close, 3)) * ts_rank(volume, 20)",
]


@pytest.fixture(scope="module")
def blind(small_panel: Panel) -> PriceLevelTest:
    return PriceLevelTest(Evaluator(small_panel))


@pytest.mark.parametrize("text", SEES_THE_LEVEL)
def test_price_level_fails(text: str, blind: PriceLevelTest) -> None:
    assert blind(parse(text)).result == "FAIL"
    assert scale_exponent(parse(text)) != 0


@pytest.mark.parametrize("text", HIDES_THAT_IT_SEES)
def test_price_level_is_not_fooled(text: str, blind: PriceLevelTest) -> None:
    assert blind(parse(text)).result == "FAIL"


@pytest.mark.parametrize("text", BLIND_TO_IT)
def test_price_level_passes(text: str, blind: PriceLevelTest) -> None:
    assert blind(parse(text)).result == "PASS"


@pytest.mark.parametrize("text", [t for t in BLIND_TO_IT if "log" not in t])
def test_the_static_rule_knows_it_too(text: str) -> None:
    assert scale_exponent(parse(text)) == 0


def test_what_the_grammar_draws_passes(small_panel: Panel, blind: PriceLevelTest) -> None:
    """No honest expression is refused: the generators draw none whose scale exponent is not 0."""
    evaluator = Evaluator(small_panel)
    nodes = make_generator("random", 3, evaluator.available).ask(150)
    held = [t.node for t in evaluator.evaluate_many(nodes) if t.metrics.long_count and t.missing < 0.05]
    refused = [(to_text(n), f) for n, f in zip(held, blind.many(held), strict=True) if f.result == "FAIL"]
    assert not refused


def test_wrong_scale_rules_let_nothing_pass(small_panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that call everything blind only spare the honest the whole test."""
    monkeypatch.setattr(price_level, "scale_exponent", lambda *_: 0)
    blind = PriceLevelTest(Evaluator(small_panel))
    for text in (*SEES_THE_LEVEL, *HIDES_THAT_IT_SEES):
        assert blind(parse(text)).result == "FAIL", text


def test_stretches_decide_as_the_whole_window_does(small_panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = PriceLevelTest(Evaluator(small_panel))
    nodes = [*make_generator("random", 4, blind.evaluator.available).ask(40), *map(parse, BLIND_TO_IT)]
    nodes += [parse(text) for text in (*HIDES_THAT_IT_SEES, "ts_delay(close, 300) / close")]
    quick = blind.many(nodes)
    monkeypatch.setattr(price_level, "scale_exponent", lambda *_: None)
    whole = blind.many(nodes)
    assert [level.result for level in quick] == [level.result for level in whole]
    assert sum(one.days < other.days for one, other in zip(quick, whole, strict=True)) > 10
    assert {level.result for level in quick} == {"PASS", "FAIL"}


def test_what_moves_on_a_stretch_is_tested_on_every_day(blind: PriceLevelTest) -> None:
    noisy = blind(parse("returns + 0.001 * rank(0.1 * close / close)"))
    assert noisy.general > 1e-3
    assert noisy.result == "PASS"
    assert noisy.days > blind(parse("ts_zscore(volume, 20)")).days


def test_on_real_prices(real_data: object, real_panel: Panel) -> None:
    blind = PriceLevelTest(Evaluator(real_panel))
    assert blind(parse("1 / close")).result == "FAIL"
    assert blind(parse("rank(-close)")).result == "FAIL"
    assert blind(parse("-ts_delta(close, 5) / close")).result == "PASS"


def test_an_expression_tested_among_others_shows_what_it_shows_alone(blind: PriceLevelTest) -> None:
    """Whatever the others need of the past, and however they are split into batches."""
    texts = [*SEES_THE_LEVEL, *BLIND_TO_IT, "ts_mean(returns, 120)", "ts_mean(close, 400) / close"]
    assert blind.many([parse(text) for text in texts]) == [blind(parse(text)) for text in texts]
    assert blind.many([]) == []
