"""The judge on runs made by hand: every figure worked out beforehand, and bugs that must be seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from alpha_pipeline.expression import Node, to_text
from alpha_pipeline.race import judging, measures
from alpha_pipeline.race.judging import checkpoints, judge
from alpha_pipeline.race.measures import area, clusters, portfolio_oracle, qd_score, recalls, share
from alpha_pipeline.race.oracle import Oracle, Worth
from alpha_pipeline.race.planting import PlantedAlpha
from alpha_pipeline.race.running import Budget, Run
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline_tests.race.made import trial, worth

DAYS = 400
PROFITS = np.random.default_rng(2).normal(0, 0.01, (6, DAYS))
PLANTED = (PlantedAlpha("ts_mean(returns, 20)", 1.5, "T1"), PlantedAlpha("ts_mean(volume, 9)", 0.5, "T2"))
OWN = [worth(2.0, (1.0, 0.0), DAYS, seed=1), worth(1.0, (0.0, 1.0), DAYS, seed=2)]
# text → what it is truly worth: alike and as good; alike and worthless; unlike and good; alike and good enough
TRUTH = {
    "rank(close / open)": worth(1.9, (0.8, 0.1), DAYS, 3),
    "rank(high / open)": worth(0.2, (0.9, 0.1), DAYS, 4),
    "rank(low / open)": worth(1.5, (0.3, 0.3), DAYS, 5),
    "rank(vwap / open)": worth(0.8, (0.0, 0.7), DAYS, 6),
}


class Told:
    """An oracle that says what it was told to."""

    def __init__(self, plants: list[Worth] = OWN, planted: tuple[PlantedAlpha, ...] = PLANTED) -> None:
        self.plants = plants
        self.market = SimpleNamespace(plants=planted)
        self.evaluator = SimpleNamespace(windows=SimpleNamespace(search=slice(0, DAYS)))
        self.asked = 0

    def worth(self, nodes: list[Node]) -> list[Worth]:
        self.asked += len(nodes)
        return [TRUTH[to_text(node)] for node in nodes]


def run_of(*entries: tuple[str, float], evaluations: list[int] | None = None) -> Run:
    trials = [trial(sharpe, PROFITS[number], text) for number, (text, sharpe) in enumerate(entries)]
    spent = np.array(evaluations or range(1, len(trials) + 1), np.int64)
    return Run(trials, spent, spent * 0.5, int(spent[-1]), int(spent[-1]) - len(trials), False)


def judged(run: Run, oracle: Told | None = None, budget: int = 20) -> dict[str, Any]:
    return judge(run, cast(Oracle, oracle or Told()), Thresholds(), Budget(budget))


ALL = (("rank(high / open)", 3.0), ("rank(close / open)", 2.5), ("rank(low / open)", 2.0), ("rank(vwap / open)", 1.5))


def test_recall_needs_likeness_and_worth() -> None:
    found = judged(run_of(*ALL))
    assert found["accepted"] == 4
    assert found["recall"] == 1.0
    assert found["recall_weighted"] == 1.0
    without_good = judged(run_of(ALL[0], ALL[2]))
    assert without_good["recall"] == 0.0  # alike but worthless, and good but unlike
    one = judged(run_of(ALL[0], ALL[2], ALL[3]))
    assert one["recall"] == 0.5
    assert one["recall_weighted"] == pytest.approx(1.0 / 3.0)
    assert [plant["found"] for plant in one["plants"]] == [False, True]


def test_a_judge_that_ignores_the_oracle_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: with likeness alone, the worthless look-alike counts, and the test above would fail."""

    def careless(plant: Worth, found: Worth, number: int) -> bool:
        return bool(found.likeness[number] >= measures.ALIKE)

    monkeypatch.setattr(measures, "recalls", careless)
    monkeypatch.setattr(judging, "recalls", careless)
    assert judged(run_of(ALL[0], ALL[2]))["recall"] == 0.5


def test_a_plant_that_a_better_one_keeps_out_is_found_but_not_exported() -> None:
    trials = run_of(*ALL).trials
    blend = trial(4.0, trials[1].pnl + 0.1 * trials[2].pnl, "rank(high / open)")
    spent = np.arange(1, 4)
    found = judged(Run([trials[1], trials[3], blend], spent, spent * 0.5, 3, 0, False))
    assert found["recall"] == 1.0
    assert found["recall_exported"] == 0.5
    assert found["recall_exported_weighted"] == pytest.approx(1.0 / 3.0)


def test_first_finds_count_repeats_and_are_never_before_the_proposal() -> None:
    found = judged(run_of(*ALL, evaluations=[1, 5, 9, 14]))
    assert [plant["first_evaluations"] for plant in found["plants"]] == [5, 14]
    assert [plant["first_cpu_seconds"] for plant in found["plants"]] == [2.5, 7.0]
    assert found["evaluations"] == 14
    assert found["repeats_share"] == pytest.approx(10 / 14)
    late = judged(run_of(*ALL, evaluations=[1, 5, 9, 21]))  # the last one came after the budget of 20 was spent
    assert late["recall"] == 0.5
    assert late["plants"][1]["first_evaluations"] is None


def test_false_finds_and_optimism() -> None:
    found = judged(run_of(*ALL))
    assert found["false_finds"] == 1
    assert found["false_share"] == 0.25
    assert found["false_per_1000"] == 250.0
    assert found["in_sample"] == pytest.approx(2.25)
    assert found["oracle"] == pytest.approx((0.2 + 1.9 + 1.5 + 0.8) / 4)
    assert found["optimism_gap"] == pytest.approx(2.25 - 1.1)


def test_the_curve_follows_the_best_in_sample_not_the_truly_best() -> None:
    found = judged(run_of(ALL[1], ALL[0], ALL[2], ALL[3]))
    assert [point["at"] for point in found["curve"]] == [2, 4, 10, 20]
    assert [point["best"] for point in found["curve"]] == [0.2] * 4
    assert found["anytime"] == pytest.approx(0.1)  # 0.2 of the best plant's 2.0
    early = judged(run_of(ALL[1], ALL[0], evaluations=[1, 11]))
    assert [point["best"] for point in early["curve"]] == [1.9, 1.9, 1.9, 0.2]


def test_a_null_market_has_no_recall_and_every_find_is_false() -> None:
    truth = Worth(0.0, np.zeros(DAYS), PROFITS[0], 0, np.zeros(0))
    oracle = Told([], ())
    oracle.worth = lambda nodes: [truth for _ in nodes]  # type: ignore[method-assign]
    found = judged(run_of(*ALL), oracle)
    assert found["recall"] is None
    assert found["recall_weighted"] is None
    assert found["anytime"] is None
    assert found["false_finds"] == found["accepted"] == 4


def test_plants_that_others_outweigh_are_nothing_to_find() -> None:
    found = judged(run_of(*ALL), Told([OWN[0], worth(-0.5, (0.0, 1.0), DAYS)]))
    assert found["recall"] == 1.0
    assert [plant["found"] for plant in found["plants"]] == [True, False]


def test_a_run_that_found_nothing_is_judged() -> None:
    found = judged(run_of(("rank(close / open)", -1.0)))
    assert found["accepted"] == 0
    assert found["recall"] == 0.0
    assert found["clusters"] == 0
    assert found["curve"][-1]["portfolio"] == 0.0


def test_checkpoints() -> None:
    assert checkpoints(Budget(10_000)) == [100, 200, 500, 1000, 2000, 5000, 10_000]
    assert checkpoints(Budget(60)) == [6, 12, 30, 60]
    assert checkpoints(Budget(300)) == [100, 200, 300]
    assert checkpoints(Budget(300, 64.0)) == [1, 2, 4, 8, 16, 32, 64]


def test_area_is_over_the_logarithm() -> None:
    assert area([100, 1000, 10_000], [0.0, 1.0, 1.0], 2.0) == pytest.approx(0.375)
    assert area([100, 200], [1.0, 1.0], 0.0) is None
    assert area([10], [3.0], 2.0) == 1.5


def test_share() -> None:
    assert share([True, False], np.array([3.0, 1.0])) == 0.75
    assert share([], np.zeros(0)) is None
    assert not recalls(OWN[0], worth(1.59, (0.9, 0.0)), 0)
    assert recalls(OWN[0], worth(1.61, (0.7, 0.0)), 0)


def test_a_portfolio_of_independent_books_adds_in_squares() -> None:
    held = [worth(1.0, days=20_000, seed=seed) for seed in range(4)]
    assert portfolio_oracle(held, slice(0, 20_000)) == pytest.approx(2.0, abs=0.05)
    louder = Worth(1.0, held[0].earned * 9, held[0].profit * 9, 0, np.zeros(0))
    assert portfolio_oracle([louder, *held[1:]], slice(0, 20_000)) == pytest.approx(2.0, abs=0.05)
    assert portfolio_oracle([], slice(0, 9)) == 0.0


def test_clusters_are_families() -> None:
    random = np.random.default_rng(3)
    families = random.normal(0, 0.01, (3, DAYS))
    members = [family + random.normal(0, 0.004, DAYS) for family in families for _ in range(4)]
    assert clusters([trial(2, member) for member in members]) == 3
    assert clusters([trial(2, members[0])]) == 1


def test_qd_score_takes_the_best_of_each_cell() -> None:
    slow, fast = trial(2, PROFITS[0], turnover=0.04), trial(2, PROFITS[0], turnover=0.4)
    assert qd_score([(slow, 1.0), (slow, 1.5), (fast, 0.5), (fast, -2.0)]) == pytest.approx(2.0)
