from __future__ import annotations

from typing import Any

import pytest

from alpha_pipeline.backtest import SimulationSettings, alpha_id
from alpha_pipeline.errors import BadInput


def test_defaults_are_the_contract() -> None:
    assert SimulationSettings().to_dict() == {
        "region": "USA",
        "universe": "TOP3000",
        "delay": 1,
        "decay": 0,
        "neutralization": "MARKET",
        "truncation": 0.08,
        "extra_lag": 0,
        "strict_windows": False,
    }


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("region", "EUR", "USA"),
        ("universe", "TOP0", "TOP3000"),
        ("universe", "3000", "TOP3000"),
        ("universe", 3000, "TOP3000"),
        ("delay", 2, "0 to 1"),
        ("delay", "1", "0 to 1"),
        ("decay", -1, "0 to 512"),
        ("decay", 4.5, "0 to 512"),
        ("decay", True, "0 to 512"),
        ("decay", float("nan"), "0 to 512"),
        ("decay", float("inf"), "0 to 512"),
        ("neutralization", "market", "MARKET"),
        ("neutralization", "COUNTRY", "SUBINDUSTRY"),
        ("truncation", 1.01, "0 (off) to 1"),
        ("truncation", -0.1, "0 (off) to 1"),
        ("truncation", float("nan"), "0 (off) to 1"),
        ("truncation", "0.1", "0 (off) to 1"),
        ("extra_lag", -1, "0 to 252"),
    ],
)
def test_bad_settings_are_refused_by_name(name: str, value: Any, mend: str) -> None:
    with pytest.raises(BadInput) as caught:
        SimulationSettings(**{name: value})
    assert f"setting '{name}'" in str(caught.value)
    assert mend in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_floats_are_accepted_as_the_platform_does() -> None:
    assert SimulationSettings(decay=4.0) == SimulationSettings(decay=4)  # type: ignore[arg-type]
    assert isinstance(SimulationSettings(decay=4.0).decay, int)  # type: ignore[arg-type]
    assert SimulationSettings(truncation=1).to_dict()["truncation"] == 1.0


def test_round_trip_and_unknown_names() -> None:
    settings = SimulationSettings(decay=3, neutralization="SECTOR", truncation=0.05)
    assert SimulationSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(BadInput, match="'trunc'"):
        SimulationSettings.from_dict({"trunc": 0.1})


def test_payload_has_the_platform_names() -> None:
    payload = SimulationSettings(decay=4, neutralization="SUBINDUSTRY").to_brain()
    assert payload["instrumentType"] == "EQUITY"
    assert payload["decay"] == 4
    assert payload["neutralization"] == "SUBINDUSTRY"
    assert payload["language"] == "FASTEXPR"
    assert "extra_lag" not in payload


def test_alpha_id_depends_on_text_and_settings_only() -> None:
    base = alpha_id("rank(close)", SimulationSettings())
    assert base == alpha_id("rank(close)", SimulationSettings(truncation=0.08))
    assert base.startswith("alpha_")
    assert len(base) == len("alpha_") + 12
    assert int(base.removeprefix("alpha_"), 16) >= 0
    others = {alpha_id("rank(open)", SimulationSettings()), alpha_id("rank(close)", SimulationSettings(delay=0))}
    assert base not in others
    assert len(others) == 2
    assert base == "alpha_2e12f3d67766"
