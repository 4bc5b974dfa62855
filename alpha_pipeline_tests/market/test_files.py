"""Price files in their layouts, and malformed ones with their messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources import open_source
from alpha_pipeline.market.sources.files import FilesSource
from alpha_pipeline.market.sources.groups import read_groups

YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n"
ROWS = "2020-01-02,10,11,9,10.5,5.25,1000\n2020-01-03,10.5,11,10,10.8,5.4,1100\n"
LONG = "date,open,high,low,close,volume,Name\n2020-01-02,1,2,0.5,1.5,10,AA\n2020-01-03,1,2,0.5,1.5,10,BB\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def bars(source: FilesSource) -> pl.DataFrame:
    return source.read(date.min, date.max).collect().sort("instrument", "date")


def test_one_file_per_ticker(tmp_path: Path) -> None:
    write(tmp_path / "data" / "AAA.csv", YAHOO + ROWS)
    write(tmp_path / "data" / "deep" / "BRK.B_data.csv", YAHOO + ROWS)
    source = FilesSource(tmp_path / "data")
    frame = bars(source)
    assert frame["instrument"].unique().sort().to_list() == ["AAA", "BRK.B"]
    assert frame.row(0, named=True) == {
        "date": date(2020, 1, 2),
        "instrument": "AAA",
        "open": 10.0,
        "high": 11.0,
        "low": 9.0,
        "close": 10.5,
        "adj_close": 5.25,
        "volume": 1000.0,
    }
    assert source.months() == (date(2020, 1, 2), date(2020, 1, 3))


def test_long_file_with_name_column_and_without_adjusted_close(tmp_path: Path) -> None:
    source = FilesSource(write(tmp_path / "all.csv", LONG))
    frame = bars(source)
    assert frame["instrument"].to_list() == ["AA", "BB"]
    assert frame["adj_close"].to_list() == [1.5, 1.5]
    assert any("no adjusted close" in text for text in source.describe().warnings)


def test_files_of_several_layouts_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "all.csv", LONG)
    write(tmp_path / "CC.csv", YAHOO + ROWS)
    pl.DataFrame(
        {"Date": [date(2020, 1, 2)], **{name: [2.0] for name in ("Open", "High", "Low", "Close")}, "Volume": [5]}
    ).write_parquet(tmp_path / "DD.parquet")
    write(tmp_path / "sectors.csv", "symbol,sector\nAA,Tech\n")
    source = FilesSource(tmp_path)
    assert bars(source)["instrument"].to_list() == ["AA", "BB", "CC", "CC", "DD"]
    assert "Files without price columns, left aside: 1 (sectors.csv)." in source.describe().warnings


def test_files_without_a_row_are_told(tmp_path: Path) -> None:
    """Their tickers would be missing without a word."""
    for name in ("A", "B", "C", "D", "E", "F"):
        write(tmp_path / f"{name}.csv", YAHOO)
    write(tmp_path / "GG.csv", YAHOO + ROWS)
    told = FilesSource(tmp_path).describe().warnings
    assert "Files with a header and no row: 6 (A.csv, B.csv, C.csv, D.csv, E.csv, …)." in told


def test_a_path_in_the_user_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--path=~/prices`: the shell leaves the tilde to us."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "prices" / "AA.csv", YAHOO + ROWS)
    write(tmp_path / "sectors.csv", "symbol,sector\nAA,Tech\n")
    source = open_source("files", "~/prices", "~/sectors.csv")
    assert source.months() == (date(2020, 1, 2), date(2020, 1, 3))
    assert source.groups() is not None


@pytest.mark.parametrize(
    "text", ["2020-01-02", "2020/01/02", "20200102", "01/02/2020", "2020-01-02 00:00:00-05:00", "2020-01-02T00:00:00"]
)
def test_date_formats(tmp_path: Path, text: str) -> None:
    source = FilesSource(write(tmp_path / "AA.csv", YAHOO + f"{text},1,2,0.5,1.5,1.5,10\n"))
    assert bars(source)["date"].to_list() == [date(2020, 1, 2)]


def test_day_first_dates_are_told_from_month_first_ones(tmp_path: Path) -> None:
    rows = "02/01/2020,1,2,0.5,1.5,1.5,10\n13/01/2020,1,2,0.5,1.5,1.5,10\n"
    assert FilesSource(write(tmp_path / "AA.csv", YAHOO + rows)).months() == (date(2020, 1, 2), date(2020, 1, 13))


def test_missing_values_stay_for_the_quarantine(tmp_path: Path) -> None:
    source = FilesSource(write(tmp_path / "AA.csv", YAHOO + ROWS + "2020-01-06,null,null,null,null,null,null\n"))
    assert bars(source)["close"].to_list() == [10.5, 10.8, None]


def test_a_few_unreadable_numbers_are_quarantined_and_told(tmp_path: Path) -> None:
    rows = "".join(f"2020-{1 + day // 28:02d}-{1 + day % 28:02d},1,2,0.5,1.5,1.5,10\n" for day in range(200))
    source = FilesSource(write(tmp_path / "AA.csv", YAHOO + rows + "2020-12-01,1,oops,0.5,1.5,1.5,10\n"))
    assert bars(source)["high"].null_count() == 1
    assert any("1 values are no numbers" in text for text in source.describe().warnings)


def test_dates_are_cut_to_the_asked(tmp_path: Path) -> None:
    source = FilesSource(write(tmp_path / "AA.csv", YAHOO + ROWS))
    assert source.read(date(2020, 1, 3), date(2020, 1, 31)).collect().height == 1


def test_market_id_does_not_depend_on_the_place(tmp_path: Path) -> None:
    one = FilesSource(write(tmp_path / "x" / "prices" / "AA.csv", YAHOO + ROWS).parent).describe()
    other = FilesSource(write(tmp_path / "y" / "prices" / "AA.csv", YAHOO + ROWS).parent).describe()
    changed = FilesSource(
        write(tmp_path / "z" / "prices" / "AA.csv", YAHOO + ROWS.replace("10.8", "10.7")).parent
    ).describe()
    assert one.market_id == other.market_id
    assert one.market_id.startswith("files-prices-")
    assert one.market_id != changed.market_id


def test_survivors_are_noticed(tmp_path: Path) -> None:
    rows = [f"2020-{month:02d}-01,1,2,0.5,1.5,10,{name}\n" for month in range(1, 7) for name in ("AA", "BB")]
    header = "date,open,high,low,close,volume,symbol\n"
    info = FilesSource(write(tmp_path / "all.csv", header + "".join(rows))).describe()
    assert info.survivors_only
    assert "no Sharpe level from it is to be believed" in info.warnings[0]
    dead = FilesSource(write(tmp_path / "dead.csv", header + "".join(rows[:-1]))).describe()
    assert not dead.survivors_only


def test_back_adjusted_unless_said_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "AA.csv", YAHOO + ROWS)
    info = FilesSource(path).describe()
    assert info.adjusted_as_of == "unknown, taken as later than 2020-01-03"
    assert any("adjusted with later knowledge" in text for text in info.warnings)
    assert FilesSource(path, adjusted_as_of="2024-03-08").describe().adjusted_as_of == "2024-03-08"
    assert FilesSource(path, adjusted_as_of="never").describe().adjusted_as_of is None


def test_groups(tmp_path: Path) -> None:
    path = write(tmp_path / "g.csv", 'Symbol,Sector,Industry,name\nAA,Tech,"",Acme\nBB,,Chips,Bolt\n')
    assert read_groups(path).rows() == [("AA", "Tech", ""), ("BB", "", "Chips")]
    assert read_groups(path).columns == ["instrument", "sector", "industry"]


MALFORMED: dict[str, tuple[str, str | bytes, str]] = {
    "empty file": ("a.csv", "", "the file is empty"),
    "header only": ("a.csv", YAHOO, "there is a header and no row"),
    "missing column": ("a.csv", "Date,Open,High,Low,Volume\n", "the column 'close' is missing; found Date, Open"),
    "no date column": ("a.csv", "Open,High,Low,Close,Volume\n1,2,1,1,1\n", "the column 'date' is missing"),
    "doubled header": ("a.csv", "Date,Open,High,Low,Close,close,Volume\n", "the column 'close' stands twice"),
    "unreadable dates": ("a.csv", YAHOO + "someday,1,2,1,1,1,1\n", "1 dates cannot be read, the first is 'someday'"),
    "missing date": ("a.csv", YAHOO + ",1,2,1,1,1,1\n", "1 dates cannot be read, the first is None"),
    "text for a price": (
        "a.csv",
        YAHOO + "2020-01-02,1,2,1,cheap,1,1\n",
        "1 of 1 values of close are no numbers, the first is 'cheap'",
    ),
    "unsupported extension": ("a.xlsx", "x", "the extension '.xlsx' is not supported"),
    "no Parquet inside": ("a.parquet", "hello", "is no readable Parquet"),
    "binary": ("a.csv", b"\xff\xfe\x00\x01" * 10, "is no text in CSV"),
    "no gzip inside": ("a.csv.gz", "hello", "cannot be read"),
    "too many cells in a row": ("a.csv", YAHOO + ROWS + "2020-01-06,1,2,1,1,1,1,1,1,1\n", "the rows cannot be read"),
    "several instruments, no name": ("a.csv", YAHOO + ROWS * 3, "there is no symbol column"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files(tmp_path: Path, case: str) -> None:
    name, content, message = MALFORMED[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as caught:
        FilesSource(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_empty_paths(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file or folder; check --path"):
        FilesSource(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"the folder holds none of .parquet, .csv"):
        FilesSource(tmp_path / "empty")
    write(tmp_path / "other" / "notes.csv", "a,b\n1,2\n")
    with pytest.raises(BadInput, match="has price columns; name them date, open, high, low, close, volume"):
        FilesSource(tmp_path / "other")
    write(tmp_path / "half" / "AA.csv", "Date,Open,High,Low,Volume\n")
    with pytest.raises(BadInput, match=r"AA.csv: the column 'close' is missing"):
        FilesSource(tmp_path / "half")
    with pytest.raises(BadInput, match="there is no source 'bloomberg'; choose one of synthetic, files, yahoo"):
        open_source("bloomberg")
    with pytest.raises(BadInput, match="files need a path"):
        open_source("files")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "no.csv", "there is no such groups file"),
        (lambda folder: write(folder / "g.txt", "symbol,sector\n"), "the extension '.txt' is not supported"),
        (
            lambda folder: write(folder / "g.csv", "company,sector\nA,B\n"),
            "there is no symbol column among company, sector",
        ),
        (lambda folder: write(folder / "g.csv", "symbol,colour\nA,B\n"), "none of sector, industry, subindustry"),
        (lambda folder: write(folder / "g.csv", "symbol,sector\nA,B\nA,C\n"), "A stands in several groups"),
        (lambda folder: write(folder / "g.csv", "symbol,sector\n"), "the file has no rows"),
    ],
)
def test_malformed_groups(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_groups(make(tmp_path))
