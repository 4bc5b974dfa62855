"""The one door: cached by identity, the same alone and in a batch, refused where types do not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alpha_pipeline.backtest import SimulationSettings
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import TypeProblem, parse
from alpha_pipeline.market.panel import Panel

TEXTS = ["-ts_delta(close, 5) / close", "rank(ts_mean(returns, 60))", "ts_corr(close, volume, 10)", "adv20 / volume"]


def test_alone_and_in_a_batch_the_figures_are_equal(small_panel: Panel) -> None:
    nodes = [parse(text) for text in TEXTS]
    batch = Evaluator(small_panel, threads=2).evaluate_many(nodes)
    for node, trial in zip(nodes, batch, strict=True):
        alone = Evaluator(small_panel, threads=1).evaluate(node)
        assert alone.metrics == trial.metrics
        assert np.array_equal(alone.pnl, trial.pnl)
        assert alone.missing == trial.missing
        assert alone.alpha_id == trial.alpha_id


def test_what_is_the_same_expression_is_evaluated_once(small_panel: Panel) -> None:
    evaluator = Evaluator(small_panel)
    trials = evaluator.evaluate_many([parse(t) for t in ("close * volume", "volume*close", "-(-(close*volume))")])
    assert len({trial.alpha_id for trial in trials}) == 1
    assert evaluator.evaluations == 1
    evaluator.evaluate(parse("close*volume"))
    assert evaluator.evaluations == 1


def test_settings_are_part_of_the_identity(small_panel: Panel) -> None:
    node = parse("rank(returns)")
    plain = Evaluator(small_panel).evaluate(node)
    other = Evaluator(small_panel, SimulationSettings(neutralization="SECTOR")).evaluate(node)
    assert plain.alpha_id != other.alpha_id
    assert plain.metrics != other.metrics


def test_an_expression_that_does_not_type_check_is_refused_before_anything_runs(small_panel: Panel) -> None:
    evaluator = Evaluator(small_panel)
    with pytest.raises(TypeProblem, match="Grouping data used outside"):
        evaluator.evaluate_many([parse("rank(returns)"), parse("rank(sector)")])
    assert evaluator.evaluations == 0


def test_what_the_canonical_form_would_mend_is_refused(small_panel: Panel) -> None:
    evaluator = Evaluator(small_panel)
    evaluator.evaluate(parse("rank(returns)"))
    for text in ("rank(returns, foo=1)", "ts_delay(ts_delay(returns, 2.5), 2.5)", "group_rank(returns, sector * 1)"):
        with pytest.raises(TypeProblem):
            evaluator.evaluate(parse(text))
        with pytest.raises(TypeProblem):
            evaluator.evaluate_many([parse(text)])
    with pytest.raises(TypeProblem, match="must be a number"):
        evaluator.evaluate(parse("winsorize(returns, std=true)"))
    evaluator.evaluate(parse("winsorize(returns, std=1)"))  # what was refused before has no part in it


def test_a_trial_shows_search_days_only(small_panel: Panel) -> None:
    evaluator = Evaluator(small_panel)
    trial = evaluator.evaluate(parse("rank(ts_mean(returns, 60))"))
    search = evaluator.windows.search.stop
    assert len(trial.pnl) == search == 560
    assert len(trial.sealed.pnl) == 700
    assert trial.metrics == trial.sealed.metrics["search"]
    # The last search day's profit comes from a book decided before it, and nothing after it counts.
    assert trial.metrics.days == search - trial.first_day


def test_the_last_search_day_ignores_the_first_gate_return(small_panel: Panel) -> None:
    search = Evaluator(small_panel).windows.search.stop
    returns = np.array(small_panel.pnl_returns)
    returns[search] = 0.5
    changed = dataclasses.replace(small_panel, pnl_returns=returns)
    node = parse("rank(ts_mean(close, 5) / close)")
    before, after = Evaluator(small_panel).evaluate(node), Evaluator(changed).evaluate(node)
    assert before.metrics == after.metrics
    assert before.sealed.metrics["gate"] != after.sealed.metrics["gate"]
