"""Programs as people write them, profiles, and the field catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    CATALOGUE,
    OPERATORS,
    PROFILES,
    Choices,
    FieldSpec,
    SyntaxProblem,
    TypeProblem,
    ValueType,
    canonical,
    check,
    fields_used,
    load_fields,
    missing_data,
    operators_of,
    parse,
    parse_text,
    scale_exponent,
    to_text,
    unit_of,
    unit_warning,
)
from alpha_pipeline.expression.units import MONEY, PRICE, PURE
from alpha_pipeline_tests.expression.test_text import CASES

PROGRAMS = [line for line in (CASES / "public_programs.txt").read_text().splitlines() if not line.startswith("#")]


def test_there_are_72_public_programs() -> None:
    assert len(PROGRAMS) == 72


@pytest.mark.parametrize("text", PROGRAMS)
def test_public_program(text: str) -> None:
    """It parses, and type-checks or names the unknown field; with that field in the catalogue it type-checks."""
    parsed = parse_text(text)
    catalogue = CATALOGUE
    unknown = [name for name in fields_used(parsed.node) if catalogue.spec(name) is None]
    if unknown:
        with pytest.raises(TypeProblem) as caught:
            check(parsed, catalogue=catalogue, runs_here=False)
        assert caught.value.message in [f'Attempted to use unknown variable "{name}"' for name in unknown]
        vectors = {name for name in unknown if f"vec_avg({name}" in text or ("vec_" in text and f"({name})" in text)}
        specs = [FieldSpec(name, ValueType.VECTOR if name in vectors else ValueType.MATRIX) for name in unknown]
        catalogue = catalogue.with_fields(specs)
    check(parsed, catalogue=catalogue, runs_here=False)
    assert parse(to_text(canonical(parsed.node))) == canonical(parsed.node)


# -- profiles ----------------------------------------------------------------------------------------------------------

USER = (
    "abs add densify divide inverse log max min multiply power reverse sign signed_power sqrt subtract "
    "and equal greater greater_equal if_else is_nan less less_equal not not_equal or "
    "days_from_last_change hump kth_element last_diff_value ts_arg_max ts_arg_min ts_av_diff ts_backfill ts_corr "
    "ts_count_nans ts_covariance ts_decay_linear ts_delay ts_delta ts_mean ts_product ts_quantile ts_rank "
    "ts_regression ts_scale ts_std_dev ts_step ts_sum ts_zscore "
    "normalize quantile rank scale winsorize zscore vec_avg vec_sum bucket trade_when "
    "group_backfill group_mean group_neutralize group_rank group_scale group_zscore"
)


def test_an_ordinary_account_has_its_66_operators() -> None:
    assert {operator.name for operator in operators_of("user")} == set(USER.split())
    assert len(operators_of("user")) == 66


def test_profiles_grow() -> None:
    user, consultant, everything = ({o.name for o in operators_of(p)} for p in ("user", "consultant", "all"))
    assert user < consultant <= everything == set(OPERATORS)
    with pytest.raises(BadInput, match="guest"):
        operators_of("guest")
    assert PROFILES == ("user", "consultant", "legacy101", "all")


@pytest.mark.parametrize(
    ("text", "profile", "named", "meant"),
    [
        ("ts_max(close, 5)", "user", "ts_max", None),
        ("-delta(close, 5)", "user", "delta", "ts_delta"),
        ("Delta(close, 5)", "consultant", "Delta", "ts_delta"),
        ("indneutralize(close, sector)", "user", "indneutralize", "group_neutralize"),
        ("ts_backfill(close, 5)", "legacy101", "ts_backfill", None),
        ("zscore(close)", "legacy101", "zscore", None),
    ],
)
def test_a_profile_refuses_what_it_lacks(text: str, profile: str, named: str, meant: str | None) -> None:
    with pytest.raises(TypeProblem) as caught:
        check(parse_text(text, profile), profile=profile)
    assert f'Attempted to use inaccessible or unknown operator "{named}"' in str(caught.value)
    if meant:
        assert caught.value.suggestion == meant
    assert check(parse_text(text)) in (ValueType.MATRIX, ValueType.BOOLEAN)


@pytest.mark.parametrize(
    ("text", "legacy", "today"),
    [
        ("min(close, 5)", "ts_min(close, 5)", "min(5, close)"),
        ("max(close, 5)", "ts_max(close, 5)", "max(5, close)"),
        ("max(close, open)", "max(close, open)", "max(close, open)"),
        ("min(close, 0.5)", "min(0.5, close)", "min(0.5, close)"),
        ("sum(close, 8.93345)", "ts_sum(close, 8)", None),
        ("indneutralize(close, IndClass.subindustry)", "group_neutralize(close, subindustry)", "same"),
        ("SignedPower(returns, 2.)", "signed_power(returns, 2)", "same"),
        ("Ts_ArgMax(close, 5)", "ts_arg_max(close, 5)", "same"),
    ],
)
def test_the_paper_reads_its_own_way(text: str, legacy: str, today: str | None) -> None:
    assert to_text(canonical(parse(text, "legacy101"))) == legacy
    if today is None:
        with pytest.raises(TypeProblem, match="whole number"):
            check(parse_text(text))
    else:
        assert to_text(canonical(parse(text))) == (legacy if today == "same" else today)


def test_readings_of_the_text() -> None:
    from_start = Choices(legacy_arg_max="from_start")
    node = parse_text("ts_argmax(close, 5)", "legacy101", from_start).node
    assert to_text(node) == "5 - ts_arg_max(close, 5)"
    assert parse_text("ts_argmax(close, 5)", "all", from_start).node == parse("ts_arg_max(close, 5)")
    with pytest.raises(TypeProblem, match="1 to 511"):
        check(parse_text("ts_mean(close, 512)"), choices=Choices(longest_window="511"))
    with pytest.raises(BadInput, match="LANGUAGE__GROUP_MEAN"):
        Choices(group_mean="median")
    assert Choices().changed() == {}
    assert from_start.changed() == {"legacy_arg_max": "from_start"}


def test_a_program_knows_its_variables() -> None:
    parsed = parse_text("Event = close > open; b = 2; event * close")
    assert parsed.unused == ("b",)
    assert parsed.folded == ("event",)
    assert [name for name, _ in parsed.variables] == ["event", "b"]
    assert parsed.text[parsed.variables[1][1]] == "b"


def test_an_error_inside_a_variable_points_at_its_definition() -> None:
    text = "a = rank(clsoe);\nb = a + 1;\nb * 2"
    with pytest.raises(TypeProblem) as caught:
        check(parse_text(text))
    assert (caught.value.line, caught.value.column) == (1, 10)
    assert caught.value.pointer() == "a = rank(clsoe);\n         ^"


def test_what_is_written_down_can_be_read_again() -> None:
    """A program whose variables stand for more text than one may have is refused, though its tree is small enough."""
    long = " + ".join(["ts_decay_linear(group_neutralize(returns, subindustry), 252)"] * 40)
    with pytest.raises(SyntaxProblem, match="stands for more than 10000 characters"):
        parse_text(f"a = {long}; b = rank(a) * a + zscore(a); b + b")
    kept = canonical(parse(f"a = {long}; rank(a) * a"))
    assert parse(to_text(kept)) == kept


def test_variables_cannot_blow_up() -> None:
    doubling = "".join(f"v{i} = v{i - 1} + v{i - 1};" for i in range(1, 60))
    with pytest.raises(SyntaxProblem, match=r"stands for more than|nested deeper"):
        parse_text(f"v0 = close; {doubling} v59")


# -- fields ------------------------------------------------------------------------------------------------------------


def test_catalogue_from_files(tmp_path: Path) -> None:
    table = tmp_path / "fields.csv"
    table.write_text(
        'id,type,unit,dataset\nfoo,MATRIX,"CSPrice:1,CSShare:1",mine\nNews,VECTOR,,mine\nmygroup,GROUP,,mine\n'
    )
    listed = tmp_path / "fields.json"
    entries = [{"id": "foo", "type": "MATRIX", "dataset": {"id": "mine"}}, {"id": "bar"}]
    listed.write_text(json.dumps({"count": 2, "results": entries}))
    catalogue = CATALOGUE.with_fields(load_fields(table))
    assert catalogue.spec("foo") == FieldSpec("foo", ValueType.MATRIX, MONEY, "", "mine")
    check(parse_text("group_rank(foo + vec_avg(news), mygroup)"), catalogue=catalogue)
    assert [spec.name for spec in load_fields(listed)] == ["foo", "bar"]
    assert load_fields(listed)[1].unit is None, "the platform's lists do not say"
    blind = CATALOGUE.with_fields(load_fields(listed))
    assert unit_warning(parse("bar + close"), blind) is None
    assert unit_of(parse("bar + close"), blind) is None
    assert unit_of(parse("ts_rank(bar, 5)"), blind) == PURE
    assert unit_warning(parse("(close + volume) * bar"), blind) is not None
    assert scale_exponent(parse("bar / close"), blind) is None
    listed.write_text('[{"id": "close", "type": "MATRIX"}, {"id": "volume", "unit": "CSPrice:1"}]')
    assert [spec.unit for spec in load_fields(listed)] == [PRICE, PRICE]
    assert missing_data(["foo", "adv60", "close"], ["close"]) == ["adv60", "foo"]
    table.write_text('id,description\nfoo,"two\nlines"\nbar,a\u2028b\n', encoding="utf-8")
    assert [spec.name for spec in load_fields(table)] == ["foo", "bar"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "holds no field"),
        ("a.csv", "name,type\nfoo,MATRIX\n", "field 1: has no id"),
        ("a.csv", "id,type\nfoo bar,MATRIX\n", "no name of a field"),
        ("a.csv", "id,type\nfoo,TABLE\n", "no type of a field"),
        ("a.csv", "id,type\nfoo,GROUP\nfoo,MATRIX\n", "field 2: 'foo' is there twice"),
        ("a.csv", "id,type,unit\nfoo,MATRIX,CSPrice:1,CSShare:1\n", "more values than the header"),
        ("a.csv", "id;type\nfoo;MATRIX\n", "has no id (it has id;type)"),
        ("a.csv", "ID,Type\nclose,VECTOR\n", "'close' is a matrix of the prices"),
        ("a.csv", "id\nnot\n", "no reserved word"),
        ("a.csv", "id,unit\nfoo,USD\n", "no unit"),
        ("a.csv", "id,description\nfoo," + "x" * 200_000, "is no CSV"),
        ("a.json", "{", "is no JSON"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.json", '{"results": 3}', "no array"),
        ("a.json", "[3]", "field 1: has no id"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_bad_catalogues(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        load_fields(tmp_path / name)
    assert message in str(caught.value)
