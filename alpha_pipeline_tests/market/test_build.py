"""Raw bars to a panel: adjustment, layout by group, pieces of cut histories, batches that fit the memory."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.build import build_panel
from alpha_pipeline.market.sources.base import SourceInfo
from alpha_pipeline.market.universe import UniverseSettings

INFO = SourceInfo("files-test-000000", "files-test", "files", False, "unknown", True, ("SURVIVORS ONLY",))
DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(120)]
MEMBERS = UniverseSettings(floor=0.0)


def bars(name: str, closes: np.ndarray, factor: float = 1.0, first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "date": DAYS[first : first + len(closes)],
            "instrument": [name] * len(closes),
            "open": closes * 0.99,
            "high": closes * 1.02,
            "low": closes * 0.97,
            "close": closes,
            "adj_close": closes * factor,
            "volume": np.full(len(closes), 1e6),
        }
    )


def market(names: str = "ABCDE") -> pl.DataFrame:
    rng = np.random.default_rng(0)
    walks = 20 * np.exp(rng.normal(0, 0.02, (len(DAYS), len(names))).cumsum(axis=0))
    return pl.concat([bars(name, walks[:, number]) for number, name in enumerate(names)])


def test_prices_are_adjusted_and_volume_is_not() -> None:
    raw = pl.concat([market("AB"), bars("C", np.full(120, 50.0), factor=0.5)])
    panel = build_panel(raw.lazy(), None, INFO, membership=MEMBERS).panel
    column = panel.instruments.tolist().index("C")
    today = {name: float(values[-1, column]) for name, values in panel.fields.items()}
    assert today["close"] == pytest.approx(25)
    assert today["open"] == pytest.approx(24.75)
    assert today["high"] == pytest.approx(25.5)
    assert today["low"] == pytest.approx(24.25)
    assert today["vwap"] == pytest.approx((25.5 + 24.25 + 25) / 3)
    assert today["volume"] == 1e6
    assert panel.info.vwap == "(high+low+close)/3"
    assert list(panel.groups) == ["market"]
    assert sorted(panel.fields) == ["close", "high", "low", "open", "returns", "volume", "vwap"]


def test_given_vwap_and_cap_are_kept() -> None:
    raw = market("AB").with_columns(vwap=pl.col("close") * 1.01, cap=pl.lit(7e9), adj_close=pl.col("close") * 2)
    panel = build_panel(raw.lazy(), None, INFO, membership=MEMBERS).panel
    np.testing.assert_allclose(panel.fields["vwap"][-1], panel.fields["close"][-1] * 1.01, rtol=1e-6)
    assert panel.fields["cap"][-1].tolist() == [7e9, 7e9]
    assert panel.info.vwap == "given"


def test_columns_are_sorted_by_group_and_groups_nest() -> None:
    groups = pl.DataFrame(
        {
            "instrument": ["A", "B", "C", "D"],
            "sector": ["Tech", "Energy", "Tech", ""],
            "industry": ["Services", "Services", "Chips", "Chips"],
        }
    )
    built = build_panel(market().lazy(), groups, INFO, membership=MEMBERS)
    panel = built.panel
    assert panel.instruments.tolist() == ["B", "C", "A", "D", "E"]
    assert panel.groups["sector"].tolist() == [0, 1, 1, 2, 2]
    assert panel.groups["industry"].tolist() == [0, 1, 2, 3, 4]  # Services of Energy is not Services of Tech
    assert "2 of 5 instruments have no sector" in panel.info.warnings[-1]
    assert panel.info.warnings[0] == "SURVIVORS ONLY"


def test_a_cut_history_becomes_two_columns() -> None:
    jump = np.concatenate([np.full(70, 10.0), np.full(50, 40.0)])
    built = build_panel(pl.concat([market("AB"), bars("J", jump)]).lazy(), None, INFO, membership=MEMBERS)
    panel = built.panel
    assert panel.instruments.tolist() == ["A", "B", "J", "J#2"]
    assert np.isnan(panel.pnl_returns[70, 2:]).all()  # nothing is earned on the day of the jump
    assert not np.nanmax(np.abs(panel.pnl_returns[:, 2:])) > 0
    # The second piece is a member at once (the company has its traded value) and young.
    assert panel.universe[69, 2]
    assert not panel.universe[70:, 2].any()
    assert panel.universe[70, 3]
    assert panel.age[69:73, 3].tolist() == [-1, 0, 1, 2]
    assert built.report.instruments_in == 3
    assert built.report.instruments_out == 4


def test_the_report_adds_up() -> None:
    raw = market()
    spoiled = raw.with_columns(
        low=pl.when((pl.col("instrument") == "B") & (pl.col("date") == DAYS[50])).then(-1.0).otherwise(pl.col("low")),
        volume=pl.when((pl.col("instrument") == "C") & (pl.col("date") == DAYS[60]))
        .then(0.0)
        .otherwise(pl.col("volume")),
        adj_close=pl.when(pl.col("instrument") == "E").then(5e6).otherwise(pl.col("adj_close")),
    )
    built = build_panel(spoiled.lazy(), None, INFO, membership=MEMBERS)
    report = built.report
    assert report.rows_in == 600
    assert report.rows_out == 600 - 121
    assert {rule: count for rule, count in report.quarantined.items() if count} == {"C02": 1, "C08": 120}
    assert built.quarantine.height == sum(report.quarantined.values()) == report.rows_in - report.rows_out
    assert report.dropped == ("E",)
    assert (report.missing_bars, report.zero_volume_bars) == (1, 1)
    assert report.to_dict()["quarantined"]["C02"] == 1
    assert any(line.startswith("C08       120 rows") for line in report.lines())


def test_batches_do_not_change_the_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_panel(market().lazy(), None, INFO, membership=MEMBERS)
    monkeypatch.setattr("alpha_pipeline.market.build.BATCH_ROWS", (1, 1_500_000))
    parts = build_panel(market().lazy(), None, INFO, membership=MEMBERS, memory=1000)
    assert parts.panel.version == whole.panel.version
    assert parts.report == whole.report


def test_row_order_does_not_change_the_panel() -> None:
    shuffled = market().sample(fraction=1.0, shuffle=True, seed=3)
    one, other = (build_panel(raw.lazy(), None, INFO, membership=MEMBERS).panel for raw in (market(), shuffled))
    assert one.version == other.version


def test_the_version_follows_settings() -> None:
    one = build_panel(market().lazy(), None, INFO, membership=MEMBERS).panel
    other = build_panel(market().lazy(), None, INFO, membership=UniverseSettings(floor=1.0)).panel
    assert one.version != other.version
    assert one.info.settings["universe"]["floor"] == 0.0
    assert one.info.settings["cleaning"]["jump_up"] == 1.0


def test_nothing_to_build_from() -> None:
    with pytest.raises(BadInput, match="there are no rows"):
        build_panel(market().clear().lazy(), None, INFO)
    with pytest.raises(BadInput, match="no row survives cleaning"):
        build_panel(market().with_columns(close=pl.lit(-1.0)).lazy(), None, INFO)
    with pytest.raises(BadInput, match="is no universe"):
        build_panel(market().lazy(), None, INFO, universe="BEST")
