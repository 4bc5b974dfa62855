"""Learners in generation runs: what they leave, who may go on from it, and that the seed still decides everything."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate import Round
from alpha_pipeline.orchestration.launch import Finished, Launcher
from alpha_pipeline.orchestration.learning import front_chart, learning_chart, write_curves
from alpha_pipeline.orchestration.workbench import RUNS
from alpha_pipeline_tests.orchestration.conftest import small_launcher


def mined_by(home: Path, **settings: object) -> tuple[Launcher, str, Finished]:
    launcher = small_launcher(home, **settings)
    version, _ = launcher.ensure_panel()
    key = launcher.new_run()
    return launcher, key, launcher.generate(key, version)


def files_of(home: Path, key: str) -> dict[str, object]:
    """What a run leaves, without the moment it was made at."""
    [path] = (home / "exports").glob(f"*{key}.json")
    exported = [{**row, "timestamp": ""} for row in json.loads(path.read_text())]
    run = home / "runs" / key
    learned = {each.name: each.read_bytes() for each in (run / "learned").iterdir()}
    return {"exported": exported, "curves": (run / "curves.csv").read_text(), "learned": learned}


def test_auto_is_the_same_bytes_in_two_homes(tmp_path: Path) -> None:
    """Search, policies, bandit, curves and what was learned."""
    found = []
    for name in ("one", "other"):
        _, key, finished = mined_by(tmp_path / name, generator="auto", candidates=160)
        assert finished.metadata["candidate_batch"]["proposed"] == 160
        found.append(files_of(tmp_path / name, key))
    assert found[0] == found[1]
    assert set(found[0]["learned"]) == {f"{n}.safetensors" for n in ("genetic", "reinforce", "ppo")}  # type: ignore[call-overload]
    rows = list(csv.DictReader(str(found[0]["curves"]).splitlines()))
    shares = [sum(float(row[f"share_{name}"]) for name in ("random", "genetic", "reinforce", "ppo")) for row in rows]
    assert shares == pytest.approx([1.0] * len(rows))


def test_a_run_goes_on_from_what_another_learned(tmp_path: Path) -> None:
    launcher, key, _ = mined_by(tmp_path, generator="reinforce")
    later = small_launcher(tmp_path, generator="reinforce", start_from=key)
    again = later.new_run()
    batch = later.generate(again, launcher.workbench.run(key).panel.version).metadata["candidate_batch"]
    assert batch["evaluations_trained"] == 96
    assert batch["evaluations"] == 2 * 96 + 8  # and the probes of styles
    rows = later.workbench.lake.scan(RUNS).filter(pl.col("generation_run") == again).collect()
    pinned = json.loads(rows["search"][0])
    assert (pinned["start_from"], len(pinned["learned"])) == (key, 12)

    def refused(match: str, **settings: object) -> None:
        wrong = small_launcher(tmp_path, **settings)
        with pytest.raises(BadInput, match=match):
            wrong.generate(wrong.new_run(), launcher.workbench.run(key).panel.version)

    refused("it holds what reinforce learned, not ppo", generator="ppo", start_from=key)
    refused("nothing learned is kept in", generator="ppo", start_from="run-0077")


def test_a_critic_sifts_a_run(tmp_path: Path) -> None:
    _, key, finished = mined_by(tmp_path, generator="genetic", critic=True, candidates=256)
    assert finished.metadata["candidate_batch"]["proposed"] == 256
    rows = list(csv.DictReader((tmp_path / "runs" / key / "curves.csv").read_text().splitlines()))
    assert any(name.startswith("critic_") for name in rows[-1])
    sifted = list(csv.DictReader((tmp_path / "runs" / key / "critic.csv").read_text().splitlines()))
    assert sum(row["handed_on"] == "1" for row in sifted) >= 256
    assert min(float(row["probability"]) for row in sifted) >= 0.15


def test_curves_hold_every_figure_of_every_round(tmp_path: Path) -> None:
    history = [Round(0, 32, 0.5, 0.1, 1, {"entropy": 0.9}), Round(1, 32, 0.6, 0.2, 5, {"loss": -1.5})]
    write_curves(history, tmp_path / "curves.csv")
    rows = list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    assert rows[0] == {
        **{"round": "1", "proposals": "32", "best_reward": "0.5", "mean_reward": "0.1", "passing": "1"},
        **{"entropy": "0.9", "loss": ""},
    }
    assert (rows[1]["entropy"], rows[1]["loss"]) == ("", "-1.5")
    assert learning_chart(history, "rewards").count("<polyline") == 3


def test_the_front_is_drawn(mined: tuple[Launcher, str, Finished]) -> None:
    launcher, key, finished = mined
    shown = len(finished.metadata["candidate_batch"]["pareto_front"].records)
    assert shown > 0
    drawn = (launcher.workbench.home.run_folder(key) / "pareto.svg").read_text()
    assert drawn.count("<circle") == shown
    assert front_chart([], "nothing").count("<circle") == 0
