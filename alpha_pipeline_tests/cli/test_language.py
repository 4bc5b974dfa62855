"""`operators`, `check` and `explain`, for people and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline.expression import OPERATORS, PROFILES
from alpha_pipeline_tests.cli.conftest import Ran, call

KEYS = {"line", "parsed", "typed", "canonical", "unit_warning", "error", "missing_fields"}
PUBLIC = Path(__file__).resolve().parents[1] / "cases" / "public_programs.txt"


def judged(ran: Ran) -> list[dict[str, Any]]:
    """The objects of `check --json`, one a line and nothing else."""
    return [json.loads(line) for line in ran.out.splitlines()]


def test_a_program_is_judged(tmp_path: Path) -> None:
    ran = call("check", "a = close + 1; rank(a) * assets", "--json", "--home", tmp_path)
    assert ran.code == 0
    [found] = judged(ran)
    assert set(found) == KEYS
    assert (found["line"], found["parsed"], found["typed"], found["error"]) == (1, True, True, None)
    assert found["canonical"] == "assets * rank(1 + close)"
    expected = 'expected "Unit[CSPrice:1]", found "Unit[]"'
    assert found["unit_warning"] == f'Incompatible unit for input of "add" at index 1, {expected}'
    assert found["missing_fields"] == ["assets"]
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize(
    ("text", "parsed", "error"),
    [
        ("rank(close", False, "Unexpected end of input"),
        ("rank(clsoe)", True, 'Attempted to use unknown variable "clsoe" at column 6; did you mean `close`?'),
        ("rank(sector)", True, "Grouping data used outside of group operator"),
    ],
)
def test_faults(text: str, parsed: bool, error: str, tmp_path: Path) -> None:
    ran = call("check", text, "--json", "--home", tmp_path)
    assert ran.code == 1
    [found] = judged(ran)
    assert (found["parsed"], found["typed"], found["canonical"]) == (parsed, False, None)
    assert error in found["error"]
    shown = call("check", text, "--home", tmp_path)
    assert shown.code == 1
    assert error in shown.out
    assert any(line.strip() == "^" for line in shown.out.splitlines())


def test_every_public_program_parses(tmp_path: Path) -> None:
    ran = call("check", "--file", PUBLIC, "--json", "--home", tmp_path)
    found = judged(ran)
    assert [result["line"] for result in found] == list(range(2, 74)), "line numbers are the file's"
    assert all(result["parsed"] for result in found)
    for result in found:
        assert result["typed"] or any(f'"{name}"' in result["error"] for name in result["missing_fields"])
    people = call("check", "--file", PUBLIC, "--home", tmp_path)
    typed = sum(result["typed"] for result in found)
    assert people.out.splitlines()[-1] == f"72 programs: 72 parse, {typed} type-check"


def test_profiles_and_catalogues(tmp_path: Path) -> None:
    home = ("--home", tmp_path / "home")
    assert call("check", "ts_max(close, 5)", "--profile", "user", *home).code == 1
    assert call("check", "ts_max(close, 5)", "--profile", "consultant", *home).code == 0
    assert call("check", "sum(close, 7.9)", "--profile", "legacy101", *home).code == 0
    assert call("check", "sum(close, 7.9)", *home).code == 1
    fields = tmp_path / "fields.csv"
    fields.write_text('id,type,unit,dataset\nnews,VECTOR,"CSPrice:1",mine\n')
    [found] = judged(call("check", "vec_avg(news) + close", "--fields", fields, "--json", *home))
    assert (found["typed"], found["unit_warning"], found["missing_fields"]) == (True, None, ["news"])
    for arguments, words in (
        (("check", "close", "--profile", "guest"), "option --profile: there is no profile 'guest'"),
        (("check", "close", "--fields", tmp_path / "none.csv"), "cannot be read"),
        (("check",), "one expression or --file"),
        (("check", "close", "--file", fields), "one expression or --file"),
        (("check", "--file", tmp_path / "none.txt"), "cannot be read as text"),
        (("operators", "ts_rnk"), "did you mean ts_rank?"),
        (("operators", "--profile", "guest"), "no profile"),
    ):
        ran = call(*arguments, *home)
        assert ran.code == 2
        assert words in ran.err


def test_what_people_are_told_beside_the_verdict(tmp_path: Path) -> None:
    told = call("check", "Unused = 1; E = close > open; combo_a(e)", "--home", tmp_path)
    assert told.code == 0
    assert "combo_a runs in SuperAlphas only, not here" in told.out
    assert 'Found unused variables/ data fields/ operators "unused"' in told.out
    assert "read without regard to case: e" in told.out


def test_a_panel_adds_its_vector_fields(ingested: tuple[Path, Ran]) -> None:
    [found] = judged(call("check", "vec_avg(news_score) + assets", "--json", "--home", ingested[0]))
    assert (found["typed"], found["missing_fields"]) == (True, ["assets"])
    ran = call("evaluate", "rank(ts_mean(vec_avg(news_score), 20))", "--json", "--home", ingested[0])
    assert ran.code == 0, ran.err
    assert ran.json["metrics"]["long_count"] > 0


def test_operators(tmp_path: Path) -> None:
    ran = call("operators", "--json", "--home", tmp_path)
    assert set(ran.json["counts"]) == set(PROFILES)
    assert ran.json["counts"]["user"] == 66
    assert ran.json["counts"]["all"] == len(OPERATORS) == len(ran.json["operators"])
    assert len(call("operators", "--profile", "user", "--json", "--home", tmp_path).json["operators"]) == 66
    shown = call("operators", "--home", tmp_path).out
    assert "operators by profile: user 66" in shown.splitlines()[-1]
    page = call("operators", "tsrank", "--home", tmp_path).out
    for part in ("# ts_rank", "Formula", "NaN", "Ties", "Unit", ">>> ts_rank(["):
        assert part in page
    about = call("operators", "delta", "--json", "--home", tmp_path).json
    assert (about["name"], about["runs_here"]) == ("ts_delta", True)
    assert about["formula"]


def test_explain_points_at_a_fault(tmp_path: Path) -> None:
    ran = call("explain", "rank(clsoe)", "--home", tmp_path)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.splitlines()[1:] == ["  rank(clsoe)", "       ^"]


def test_lines_of_comments_are_no_programs(tmp_path: Path) -> None:
    file = tmp_path / "ideas.txt"
    file.write_text("# one\n// two\n/* three */\n/* four */ # more\n\nrank(close) # five\n/* six */ close\n")
    found = judged(call("check", "--file", file, "--json", "--home", tmp_path))
    assert [(result["line"], result["typed"]) for result in found] == [(6, True), (7, True)]


def test_explain(tmp_path: Path) -> None:
    text = "rank(-ts_delta(close, 5) / close) * group_rank(volume, bucket(rank(cap), range='0,1,0.5'))"
    ran = call("explain", text, "--behaviour", "--json", "--home", tmp_path)
    assert ran.code == 0, ran.err
    tree = ran.json["tree"]
    assert (tree["operator"], tree["type"], tree["unit"], tree["lookback"]) == ("multiply", "matrix", "Unit[]", 5)
    quotient = tree["inputs"][0]["inputs"][0]
    assert quotient["unit"] == "Unit[CSPrice:-1,TSPrice:1]"
    assert tree["inputs"][1]["inputs"][1]["type"] == "group"
    assert (ran.json["operator_count"], ran.json["depth"], ran.json["lookback"]) == (8, 5, 5)
    assert ran.json["price_scale_exponent"] is None
    assert len(ran.json["behaviour"]) == 16
    shown = call("explain", text, "--home", tmp_path).out
    assert "├──" in shown
    assert "5 days back" in shown


def test_interrupting_a_long_check_keeps_what_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alpha_pipeline.cli import language

    whole, told = language.judged, []

    def interrupted(line: int, *others: Any) -> dict[str, Any]:
        told.append(line)
        if len(told) == 3:
            raise KeyboardInterrupt
        return whole(line, *others)

    monkeypatch.setattr(language, "judged", interrupted)
    file = tmp_path / "ideas.txt"
    file.write_text("rank(close)\n" * 9)
    ran = call("check", "--file", file, "--json", "--home", tmp_path)
    assert ran.code == 130
    assert len(judged(ran)) == 2
    assert "stopped: 2 of 9 programs were checked" in ran.err


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "ideas.txt"
    file.write_text("rank(close)\n" * 20_000)
    command = f"{sys.executable} -m alpha_pipeline.cli check --json --file {file} --home {tmp_path} | head -1"
    ran = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert ran.returncode == 141
    assert json.loads(ran.stdout)["line"] == 1
    assert ran.stderr == ""


def test_statements_on_lines_of_their_own_are_hinted_at(tmp_path: Path) -> None:
    file = tmp_path / "idea.txt"
    file.write_text("a = rank(close);\na * 2\n")
    ran = call("check", "--file", file, "--home", tmp_path)
    assert "note: line 1 ends in `;`: a file holds one program a line" in ran.err


def test_the_language_needs_neither_dagster_nor_kernels(tmp_path: Path) -> None:
    """`check` starts in a moment because it imports neither."""
    program = (
        "import sys; from alpha_pipeline.cli import main; "
        f"code = main(['check', 'rank(close)', '--home', {str(tmp_path)!r}]); "
        "heavy = {'dagster', 'alpha_pipeline.engine', 'alpha_pipeline.evaluator'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_formula_of_the_paper_is_evaluated_as_printed(ingested: tuple[Path, Ran]) -> None:
    text = "(-1 * sum(rank(correlation(rank(high), rank(volume), 3.7)), 3.2))"
    home = ingested[0]
    assert call("evaluate", text, "--home", home).code == 2
    paper = call("evaluate", text, "--profile", "legacy101", "--json", "--home", home)
    assert paper.code == 0, paper.err
    today = call("evaluate", paper.json["canonical"], "--json", "--home", home)
    assert paper.json["metrics"] == today.json["metrics"]
    minimum = call("evaluate", "min(returns, 5)", "--profile", "legacy101", "--json", "--home", home)
    assert minimum.json["canonical"] == "ts_min(returns, 5)"
    judged_so = call("validate", text, "--profile", "legacy101", "--json", "--home", home)
    assert [stage["passed"] for stage in judged_so.json["stages"][:2]] == [True, True]
    lacking = call("validate", "ts_max(returns, 5)", "--profile", "user", "--json", "--home", home)
    assert "inaccessible" in lacking.json["stages"][1]["reason"]


def test_no_position_is_told(ingested: tuple[Path, Ran]) -> None:
    shown = call("evaluate", "log(-close)", "--home", ingested[0])
    assert "it holds no position on any day" in shown.out
