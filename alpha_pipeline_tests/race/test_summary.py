"""From runs to figures of arms: worked out by hand on runs that were made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline.race.contest import Outcome
from alpha_pipeline.race.report import write_report
from alpha_pipeline.race.report.pages import sentences
from alpha_pipeline.race.report.tables import tables
from alpha_pipeline.race.settings import RaceSettings
from alpha_pipeline.race.summary import MEANS, ROBUST, comparisons, curve, grouped, references, summarise


def run(arm: str, market: int, recall: float | None = 0.5, **changed: Any) -> dict[str, Any]:
    plants = [
        {"tier": "T1", "sharpe": 1.0, "oracle": 2.0, "found": True, "first_evaluations": 10, "first_cpu_seconds": 1.0},
        {"tier": "T2", "sharpe": 2.0, "oracle": 1.0, "found": False} | {"first_evaluations": None},
        {"tier": "T2", "sharpe": 1.0, "oracle": -0.2, "found": False} | {"first_evaluations": None},
    ]
    for plant in plants[1:]:
        plant["first_cpu_seconds"] = None
    points = [
        {"at": at, "best": at / 100, "portfolio": 1.0, "recall_weighted": recall, "recall": recall, "accepted": 3}
        for at in (100.0, 200.0)
    ]
    figures = dict.fromkeys((*ROBUST, *MEANS), 1.0) | {name: recall for name in ROBUST if "recall" in name}
    return {"arm": arm, "market": market, **figures, "evaluations": 200, "plants": plants, "curve": points, **changed}


def test_plants_are_grouped_and_worthless_ones_left_out() -> None:
    results = [run("a", number) for number in range(3)]
    results[2]["plants"][0] |= {"found": False, "first_evaluations": None, "first_cpu_seconds": None}
    tiers = {each["tier"]: each for each in grouped(results, "tier")}
    assert tiers["T1"]["recall"] == pytest.approx(2 / 3)
    assert tiers["T1"]["median_evaluations"] == 10
    assert tiers["T2"] == {
        "tier": "T2",
        "plants": 3,
        "recall": 0.0,
        "median_evaluations": None,
        "median_cpu_seconds": None,
    }


def test_curves_are_shares_of_the_best_plant() -> None:
    points = curve([run("a", number) for number in range(3)])
    assert [point["at"] for point in points] == [100, 200]
    assert [point["best"] for point in points] == [0.5, 1.0]
    assert points[0]["best_interval"] == (0.5, 0.5)
    nothing = run("a", 0, None)
    nothing["plants"] = []
    assert curve([nothing])[1]["best"] == 2.0
    assert "recall_weighted" not in curve([nothing])[1]


def test_who_is_held_against_whom() -> None:
    racing = ["random", "hill", "genetic", "ppo", "matched", "matched_ppo"]
    assert {arm: references(arm, racing) for arm in racing} == {
        "random": [],
        "hill": ["random"],
        "genetic": ["random", "matched"],
        "ppo": ["random", "matched", "matched_ppo"],
        "matched": [],
        "matched_ppo": [],
    }


def test_comparisons_pair_by_market_and_not_by_place() -> None:
    held = {
        "random": [run("random", 0, 0.1), run("random", 1, 0.9), run("random", 3, 0.5)],
        "genetic": [run("genetic", 1, 0.95), run("genetic", 0, 0.2), run("genetic", 2, 0.0)],
    }
    found = next(each for each in comparisons(held) if each["figure"] == "recall_weighted")
    assert found["markets"] == 2
    assert (found["wins"], found["losses"]) == (2, 0)
    assert found["difference"] == pytest.approx(0.075)
    assert found["p"] == pytest.approx(0.25)


def test_each_figure_has_a_holm_family_of_its_own() -> None:
    held = {
        name: [run(name, number, value + number / 100) for number in range(8)]
        for name, value in {"random": 0.1, "genetic": 0.5, "ppo": 0.6}.items()
    }
    recall = [each for each in comparisons(held) if each["figure"] == "recall_weighted"]
    assert [each["p"] for each in recall] == pytest.approx([1 / 256, 1 / 256])
    assert [each["p_holm"] for each in recall] == pytest.approx([2 / 256, 2 / 256])


def test_many_arms_are_reported(tmp_path: Path) -> None:
    """More arms than colours, expressions with bars and angles in them, a race that was stopped."""
    arms = (
        "random",
        "hill",
        "genetic",
        "ppo",
        "reinforce",
        "auto",
        "matched",
        *(f"matched_{n}" for n in ("ppo", "auto")),
    )
    settings = RaceSettings(markets=2, evaluations=200, arms=(*arms, "genetic_no_diversity"))
    results = {(number, arm): run(arm, number) for arm in settings.arms for number in range(2)}
    del results[1, "matched_auto"]
    plants = [{"expression": "if_else(a < b || c, 1, 2)", "tier": "T3", "sharpe": 1.0, "oracle": 1.5}]
    markets = [{"market": number, "plants": plants} for number in range(2)]
    summary = summarise(settings, "own", Outcome(markets, results, stopped=True), "race-1", "code-1", "the command")
    paths = write_report(summary, tmp_path)
    assert {path.name for path in paths} == {"race.json", "race.html", "race.md", "anytime.svg", "recall.svg"}
    page = (tmp_path / "race.html").read_text()
    assert "a &lt; b || c" in page
    assert "was stopped" in page
    notes = (tmp_path / "race.md").read_text()
    assert "`if_else(a < b \\|\\| c, 1, 2)`" in notes
    again = {path: path.read_bytes() for path in paths}
    write_report(json.loads((tmp_path / "race.json").read_text()), tmp_path)
    assert {path: path.read_bytes() for path in paths} == again  # the JSON holds all of it; the same bytes each time


def told(markets: int) -> tuple[str, dict[str, list[list[str]]]]:
    """The sentences and the tables of a race on so many markets."""
    settings = RaceSettings(markets=markets, evaluations=200, arms=("random", "genetic"))
    results = {(number, arm): run(arm, number) for arm in settings.arms for number in range(markets)}
    described = [{"market": number, "plants": []} for number in range(markets)]
    summary = summarise(settings, "own", Outcome(described, results, stopped=False), "race-1", "code-1", "the command")
    return " ".join(sentences(summary)), {table.title: [list(row) for row in table.rows] for table in tables(summary)}


def test_one_market_has_no_interval() -> None:
    """All resamples of one market are that market: a width of 0 would look like certainty."""
    words, shown = told(1)
    assert "1 simulated market of" in words
    assert shown["Who finds what is there"][0][1] == "0.500"
    assert shown["Who beats whom"][0][2] == "–"
    assert shown["Optimism and false finds"][0][3] == "1.00"
    _, shown = told(2)
    assert shown["Who finds what is there"][0][1] == "0.500 (0.500 to 0.500)"


@pytest.mark.parametrize(("markets", "lowest"), [(1, "0.5"), (2, "0.25"), (4, "0.0625"), (5, None)])
def test_too_few_markets_are_told(markets: int, lowest: str | None) -> None:
    words, _ = told(markets)
    assert ("So few markets" in words) == (lowest is not None)
    if lowest is not None:
        assert f"can be below {lowest}," in words
