"""Who may race, how lengths are matched, and that hills are climbed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import operator_count
from alpha_pipeline.generate import GENERATORS, Scored, Thresholds
from alpha_pipeline.generate.hill_climb import HillClimb
from alpha_pipeline.race.arms import (
    Setting,
    arm_names,
    check_arms,
    grammar_for,
    lengths_of,
    make_arm,
    models_of,
    pooled,
    without,
)
from alpha_pipeline_tests.generate.toy import FIELDS, mine, score

LIMITS = Thresholds()


def setting(lengths: dict[int, int] | None = None, seed: int = 3) -> Setting:
    return Setting(grammar_for(frozenset(FIELDS), LIMITS, 400, 1500), LIMITS, seed, None, lengths or {})


def test_every_generator_is_an_arm() -> None:
    assert set(GENERATORS) <= set(arm_names())
    assert {"hill", "matched"} <= set(arm_names())


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ((), "no arm"),
        (("random", "sprint"), "unknown arm 'sprint'"),
        (("matched_sprint", "genetic"), "unknown arm"),
        (("random", "random"), "named twice"),
        (("random", "hill", "matched"), "nobody to be matched to"),
        (("random", "matched_genetic"), "let genetic race"),
    ],
)
def test_arms_that_cannot_race_are_refused(arms: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_arms(arms)
    assert says in str(caught.value)


def test_matched_arms_copy_learners_and_no_baseline() -> None:
    racing = ("random", "hill", "genetic", "genetic_no_diversity", "matched", "matched_hill")
    check_arms(racing)
    assert models_of("matched", racing) == ["genetic", "genetic_no_diversity"]
    assert models_of("matched_hill", racing) == ["hill"]


def test_lengths_are_drawn_as_they_were_proposed() -> None:
    lengths = {2: 100, 5: 200, 9: 100}
    arm = make_arm("matched", setting(lengths))
    found = lengths_of(arm.ask(400))
    assert found[5] / 400 == pytest.approx(0.5, abs=0.09)
    assert found[2] / 400 == pytest.approx(0.25, abs=0.09)
    assert found.get(9, 0) / 400 == pytest.approx(0.25, abs=0.09)
    assert sum(number for length, number in found.items() if length not in lengths) < 20


def test_pooled_lengths_add_up() -> None:
    assert pooled([{3: 1, 5: 2}, {5: 1, 2: 4}]) == {2: 4, 3: 1, 5: 3}


@pytest.mark.parametrize("name", ["hill", "genetic_no_diversity", "matched"])
def test_arms_are_repeatable(name: str) -> None:
    asks = [[each.node for each in mine(make_arm(name, setting({4: 1, 6: 1})), 64, 16)] for _ in range(2)]
    assert asks[0] == asks[1]
    assert len(asks[0]) == 64


def test_an_ablation_is_paid_otherwise() -> None:
    assert without("genetic", correlation=0.0)(setting()).memory.weights.correlation == 0.0


def test_a_hill_is_climbed_and_left() -> None:
    """Never downhill on one hill, and more than one hill."""
    arm = make_arm("hill", setting())
    assert isinstance(arm, HillClimb)
    heights: list[float] = []
    for _ in range(40):
        arm.tell([score(node) for node in arm.ask(16)])
        heights.append(arm._current[2] if arm._current is not None else -np.inf)
    steps = [after - before for before, after in pairwise(heights) if np.isfinite(after) and np.isfinite(before)]
    assert all(step >= 0 for step in steps)
    assert sum(step > 0 for step in steps) >= 3
    assert arm.history[-1].figures["hills"] >= 2


def test_hills_beat_random_search_on_the_toy() -> None:
    tops = {
        name: np.mean([top(mine(make_arm(name, setting(seed=seed)), 240, 16)) for seed in range(2)])
        for name in ("random", "hill")
    }
    assert tops["hill"] > tops["random"]


def top(results: list[Scored]) -> float:
    """Mean Sharpe ratio of the twenty best."""
    return float(np.sort([result.sharpe for result in results])[-20:].mean())


def test_lengths_count_operators() -> None:
    nodes = make_arm("random", setting()).ask(30)
    assert sum(length * number for length, number in lengths_of(nodes).items()) == sum(map(operator_count, nodes))
