"""The hazards that the real price sets name in their README, each as a test. Skipped where the sets are absent."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alpha_pipeline.market.build import Built, build_from
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources.files import FilesSource


@pytest.fixture(scope="session")
def folder(real_data: Path) -> Path:
    return real_data / "us_daily_2016_2021"


@pytest.fixture(scope="session")
def source(folder: Path) -> FilesSource:
    return FilesSource(folder / "us_daily_2016_2021.parquet", groups=folder / "sectors.csv")


@pytest.fixture(scope="session")
def built(source: FilesSource) -> Built:
    return build_from(source, memory=3 << 29)


@pytest.fixture(scope="session")
def panel(built: Built) -> Panel:
    return built.panel


def column(panel: Panel, name: str) -> int:
    return panel.instruments.tolist().index(name)


def test_size_and_accounts(built: Built) -> None:
    report = built.report
    assert report.rows_in == 4_386_771
    assert report.instruments_in == 3000
    assert len(built.panel.dates) == 1511
    assert report.rows_in - report.rows_out == built.quarantine.height == sum(report.quarantined.values())
    assert built.panel.shape[1] == 3000 - len(report.dropped) + len(report.cuts)


def test_survivors_only_is_said(panel: Panel) -> None:
    assert panel.info.survivors_only
    assert not panel.info.synthetic
    assert panel.info.warnings[0].startswith("SURVIVORS ONLY: 3000 of 3000")


def test_prices_know_the_future_is_said(panel: Panel) -> None:
    assert panel.info.adjusted_as_of == "unknown, taken as later than 2021-12-31"
    assert any("price levels know the future" in text for text in panel.info.warnings)


def test_absurd_prices_are_quarantined_whole(built: Built) -> None:
    absurd = built.quarantine.filter(rule="C08")
    assert sorted(absurd["instrument"].unique()) == list(built.report.dropped)
    assert {"CENN", "AULT"} <= set(built.report.dropped)
    assert len(built.report.dropped) == 10
    assert np.nanmax(built.panel.fields["close"]) <= 1_000_000


def test_negative_adjusted_closes(built: Built) -> None:
    bad = built.quarantine.filter(rule="C03")
    assert bad.height == 1098
    assert bad["instrument"].unique().to_list() == ["VATE"]
    assert np.nanmin(built.panel.fields["close"]) > 0


@pytest.mark.parametrize(("name", "day"), [("CHRD", "2020-11-20"), ("AMPY", "2016-10-24")])
def test_famous_jumps_cut_the_history_and_earn_nothing(built: Built, name: str, day: str) -> None:
    panel = built.panel
    (cut,) = [cut for cut in built.report.cuts if cut.instrument == name and str(cut.date) == day]
    assert cut.rule == "C10"
    assert cut.move > 100
    row = int(np.searchsorted(panel.dates, np.datetime64(day)))
    after = column(panel, cut.continues_as)
    pieces = [number for number, each in enumerate(panel.instruments) if each.split("#")[0] == name]
    assert np.isnan(panel.pnl_returns[row, pieces]).all()
    assert np.isfinite(panel.pnl_returns[row + 1, after])


def test_no_return_beyond_the_thresholds_is_left(panel: Panel) -> None:
    assert np.nanmax(panel.pnl_returns) <= 1.0001
    assert np.nanmin(panel.pnl_returns) >= -0.8001


def test_spikes_that_reverse(built: Built) -> None:
    spikes = built.quarantine.filter(rule="C09")
    assert 19 <= spikes["instrument"].n_unique() <= 40
    assert spikes.group_by("instrument").len()["len"].max() <= 10
    assert 150 <= len(built.report.cuts) <= 180  # of 178 + 14 jumps


def test_zero_volume_rows_are_counted_and_out_of_the_universe(built: Built, source: FilesSource) -> None:
    first, last = source.months()
    silent = source.read(first, last).filter(pl.col("volume") == 0).select("instrument").collect()
    assert silent.height == 7968
    assert silent["instrument"].n_unique() == 222
    quarantined = built.quarantine.filter(pl.col("volume") == 0).height
    assert built.report.zero_volume_bars == 7968 - quarantined
    inside = built.panel.universe & (built.panel.fields["volume"] == 0)
    assert inside.sum() < 100  # of 3.6 million


def test_opens_outside_the_range(built: Built) -> None:
    rows = built.quarantine.filter(rule="C05")
    assert sorted(rows["instrument"]) == ["HUBB", "PEAK", "SHEL", "SITC", "UA", "WLY"]
    assert rows["date"].unique().dt.to_string().to_list() == ["2021-05-05"]


def test_missing_cells_and_late_listings(panel: Panel) -> None:
    live = np.isfinite(panel.pnl_returns).sum(axis=1)
    assert 2600 <= live[5] <= 2760
    assert panel.universe[:39].sum() == 0  # January: no history; February: 19 bars of it
    assert (panel.universe[45:].sum(axis=1) > 1900).all()


def test_industries_nest(panel: Panel, folder: Path) -> None:
    raw = pl.read_csv(folder / "sectors.csv", infer_schema=False)
    sectors_of = raw.filter(pl.col("industry") != "").group_by("industry").agg(pl.col("sector").n_unique())
    assert (sectors_of["sector"] > 1).sum() >= 35  # not nested in the file
    for inner, outer in (("industry", "sector"), ("subindustry", "industry")):
        codes, parents = panel.groups[inner], panel.groups[outer]
        assert (np.diff(codes) >= 0).all()
        assert all(len(np.unique(parents[codes == code])) == 1 for code in np.unique(codes))


def test_universe_against_the_published_ranks(panel: Panel, folder: Path) -> None:
    """Same rule (63-day median, here from what cleaning left): members agree but at the floor's edge."""
    ranks = pl.read_parquet(folder / "universe_rank_monthly.parquet")
    root = np.array([name.split("#")[0] for name in panel.instruments])
    months = panel.dates.astype("datetime64[M]")
    agree, union = 0, 0
    for month in np.unique(months)[6:]:
        before = panel.dates[months < month][-1].item()
        told = ranks.filter((pl.col("date") == before) & (pl.col("median_dollar_volume_63d") >= 1e6))["symbol"]
        expected = set(told) - {"AULT", "INPX", "CEI", "JAGX", "TOPS", "PSHG", "AVGR", "CENN", "AYTU", "TNXP"}
        found = set(root[panel.universe[months == month].any(axis=0)])
        agree, union = agree + len(expected & found), union + len(expected | found)
    assert agree / union > 0.98


def test_small_memory_gives_the_same_panel(source: FilesSource, panel: Panel) -> None:
    assert build_from(source, memory=1 << 29).panel.version == panel.version


def test_memory_stays_below_three_gib(folder: Path) -> None:
    code = (
        "import resource, sys\n"
        "from alpha_pipeline.market.sources.files import FilesSource\n"
        "from alpha_pipeline.market.build import build_from\n"
        "build_from(FilesSource(sys.argv[1]), memory=3 << 29)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    path = str(folder / "us_daily_2016_2021.parquet")
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(out.stdout) / 2**20 < 2.5  # GiB


def test_original_csv_layouts(folder: Path, real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "raw_samples_yahoo_csv.zip") as archive:
        archive.extractall(tmp_path / "yahoo")
    built = build_from(FilesSource(tmp_path / "yahoo"))
    assert built.report.instruments_in == 10
    assert built.report.quarantined["C03"] == 1098
    assert "AMPY#2" in built.panel.instruments.tolist()
    with zipfile.ZipFile(real_data / "sp500_2013_2018" / "raw_samples_sp500_5yr_csv.zip") as archive:
        archive.extractall(tmp_path / "sp500")
    built = build_from(FilesSource(tmp_path / "sp500"))
    assert "BRK.B" in built.panel.instruments.tolist()
    assert built.report.instruments_in == 12


def test_the_second_set(real_data: Path) -> None:
    source = FilesSource(real_data / "sp500_2013_2018" / "sp500_5yr_2013_2018_cc0.parquet")
    built = build_from(source, universe="TOP500")
    assert built.panel.shape == (1259, 505)
    assert any("no adjusted close" in text for text in built.panel.info.warnings)
    assert built.report.quarantined["C01"] == 11  # holes in the file


def test_round_trip_of_the_real_panel(panel: Panel, tmp_path: Path) -> None:
    stored = panel.write(tmp_path / panel.version)
    assert stored.version == panel.version
    assert stored.shape == panel.shape
