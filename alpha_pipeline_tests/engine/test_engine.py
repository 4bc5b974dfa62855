"""The engine against a plain interpreter, and against itself with other threads, memory and neighbours."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import threading
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from alpha_pipeline.engine import Engine, EvaluationTimeout, kernels, tree, warmup
from alpha_pipeline.engine.groups import offsets_of
from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.engine.kernels.kernel import Cells
from alpha_pipeline.engine.plain import cells_of
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    DEFAULT_CHOICES,
    OPERATORS,
    Call,
    Choices,
    Constant,
    Field,
    Node,
    Slot,
    ValueType,
    adv_window,
    parse,
)
from alpha_pipeline.market.panel import Panel
from alpha_pipeline_tests.engine.checks import same_bits
from alpha_pipeline_tests.engine.panels import random_panel

EXPRESSIONS = [
    "rank(close)",
    "-ts_delta(close, 5) / close",
    "rank(ts_sum(close, 20) / ts_std_dev(close, 20))",
    "ts_corr(rank(close), rank(volume), 10)",
    "ts_rank(close, 60) - group_rank(close, sector)",
    "ts_decay_linear(rank(ts_delta(close, 5)), 10)",
    "ts_arg_max(close, 30) + ts_arg_min(high, 300)",
    "rank(close - vwap) / rank(close + vwap)",
    "scale(ts_delta(close, 5) * volume)",
    "if_else(close > ts_mean(close, 20), -1, 1) * rank(volume)",
    "group_neutralize(rank(ts_mean(returns, 5)), industry)",
    "group_scale(ts_delay(close, 3), sector)",
    "zscore(ts_covariance(returns, volume / adv20, 20))",
    "signed_power(ts_zscore(close, 60), 0.5) * max(rank(volume), 0.5)",
    "rank(ts_mean(rank(volume), 5)) * rank(ts_delta(volume, 3)) + rank(ts_mean(rank(volume), 5))",
    "log(volume) * sign(returns)",
    "close",
    "scale(close - open, scale=4) + ts_decay_linear(returns, 8, dense=true) * winsorize(volume, std=2)",
    'group_rank(close, bucket(rank(volume), range="0,1,0.1")) - group_zscore(returns, market)',
    "group_mean(close, 1, 1) - group_mean(close, volume, group_cartesian_product(sector, densify(sign(returns))))",
    'group_backfill(if_else(returns > 0, close, nan), bucket(rank(close), range="0,1,0.5"), 5, std=2.5)',
    "group_backfill(ts_delay(close, 2), industry, 20)",
    'group_neutralize(rank(close), group_coalesce(bucket(rank(volume), buckets="0.5,0.9", skipBegin=true), sector))',
    "trade_when(returns > 0.01, rank(volume), returns < -0.02) * hump(rank(close), hump=0.001)",
    'vec_avg(news) * rank(vec_sum(vec_filter(news, value="nan 0"))) + vec_count(news)',
    "ts_regression(close, ts_step(1), 20, rettype=2) + ts_rank(vwap, 20, constant=1)",
]
NODES = [parse(text) for text in EXPRESSIONS]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel()


@pytest.fixture(scope="module")
def values(panel: Panel) -> list[np.ndarray[Any, Any]]:
    """Every expression by one engine on one thread, each for itself."""
    return [Engine(panel, threads=1).evaluate(node) for node in NODES]


def interpreted(node: Node, panel: Panel, choices: Choices = DEFAULT_CHOICES) -> np.ndarray[Any, Any]:
    """The tree by the plain kernels, rounded to float32 after each; operators across instruments see members only."""
    if isinstance(node, Constant):
        return np.full(panel.shape, node.value, np.float32)
    if isinstance(node, Field):
        window = adv_window(node.name)
        if window is not None:
            return interpreted(Call("ts_mean", (Field("volume"), Constant(float(window)))), panel)
        if node.name in panel.fields:
            return panel.fields[node.name]
        return np.array(np.broadcast_to(panel.groups[node.name], panel.shape), np.float32)
    operator = OPERATORS[node.operator]
    arguments: list[Any] = []
    for slot, argument in zip(operator.slots_of(len(node.arguments)), node.arguments, strict=True):
        if slot is Slot.WINDOW or slot is Slot.NUMBER:
            assert isinstance(argument, Constant)
            arguments.append(int(argument.value) if slot is Slot.WINDOW else argument.value)
        elif slot is Slot.VECTOR:
            arguments.append(interpreted_cells(argument, panel))
        else:
            value = interpreted(argument, panel, choices).astype(np.float64)
            if tree.masks(operator) and slot is not Slot.GROUP and not isinstance(argument, Constant):
                value[~panel.universe] = np.nan
            arguments.append(value)
    with np.errstate(all="ignore"):
        given: tuple[tuple[str, Any], ...] = node.attributes
        if operator.name == "ts_step":  # it has no input to take a shape from
            given = (*given, ("shape", panel.shape))
        return operator.run_plain(arguments, given, choices).astype(np.float32)


def interpreted_cells(node: Node, panel: Panel) -> np.ndarray[Any, Any]:
    """A vector field as plain kernels take it, through `vec_filter` if that stands around it."""
    if isinstance(node, Field):
        held = panel.vectors[node.name]
        return cells_of(Cells(held.values, held.offsets), panel.shape[1])
    assert isinstance(node, Call)
    inner = interpreted_cells(node.arguments[0], panel)
    return np.asarray(OPERATORS[node.operator].plain(inner, **dict(node.attributes)), dtype=object)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_engine_is_plain_interpreter(text: str) -> None:
    small = random_panel(3, days=90, instruments=60)
    got, expected = Engine(small).evaluate(parse(text)), interpreted(parse(text), small)
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


def test_choices_reach_the_kernels() -> None:
    small = random_panel(3, days=30, instruments=20)
    node = parse("group_mean(close, volume, sector)")
    harmonic = Choices(group_mean="harmonic")
    got = {choices: Engine(small, choices=choices).evaluate(node) for choices in (DEFAULT_CHOICES, harmonic)}
    for choices, value in got.items():
        np.testing.assert_allclose(value, interpreted(node, small, choices), rtol=1e-5)
    assert (got[harmonic] <= got[DEFAULT_CHOICES] * 1.00001)[np.isfinite(got[harmonic])].all()


def test_threads_do_not_matter(panel: Panel, values: list[np.ndarray[Any, Any]]) -> None:
    for threads in (2, 3):
        with Engine(panel, threads=threads) as engine:
            for node, value in zip(NODES, values, strict=True):
                assert same_bits(engine.evaluate(node), value)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("memory", [0, 4_000_000, 2**30])
def test_batch_memory_and_neighbours_do_not_matter(
    panel: Panel, values: list[np.ndarray[Any, Any]], threads: int, memory: int
) -> None:
    order = [*range(len(NODES)), *reversed(range(len(NODES)))]
    with Engine(panel, threads=threads, memory=memory) as engine:
        copies = dict(engine.map([NODES[i] for i in order], lambda index, value: value.copy()))
        assert sorted(copies) == list(range(len(order)))
        for place, value in copies.items():
            assert same_bits(value, values[order[place]])
        assert not engine.cache._left
        assert not engine.cache._making


def test_little_memory_keeps_few_matrices(panel: Panel) -> None:
    engine = Engine(panel, threads=1, memory=0)
    for node in NODES:
        engine.evaluate(node)
    gc.collect()
    assert engine._buffers.allocated <= 6
    assert sum(1 for _ in engine.map([NODES[0]] * 30, lambda index, value: index)) == 30
    assert engine._buffers.allocated <= 6


def test_memory_is_reused_but_never_while_in_use(panel: Panel) -> None:
    engine = Engine(panel, threads=2, memory=9 * panel.fields["close"].nbytes)
    kept = engine.evaluate(NODES[0])
    row, copy = kept[5], kept.copy()
    for _ in range(3):
        for node in NODES:
            engine.evaluate(node)
    assert engine._buffers.allocated < 10
    assert same_bits(kept, copy)
    del kept
    for node in NODES:
        engine.evaluate(node)
    assert same_bits(row, copy[5]), "a view must keep the memory as well"


def test_common_subtrees_run_once_in_a_batch(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    original = KERNELS["ts_rank"]

    def counted(*arguments: Any) -> None:
        runs.append(1)
        original.run(*arguments)

    monkeypatch.setitem(KERNELS, "ts_rank", Kernel(original.axis, counted))
    texts = [f"rank(ts_rank(close, 20)) + {number}" for number in range(5)]
    engine = Engine(panel, threads=1)
    list(engine.map([parse(text) for text in texts], lambda index, value: index))
    assert len(runs) == 1
    engine.evaluate(parse("ts_rank(close, 20) / close"))
    assert len(runs) == 1, "there was room to keep it for later"
    engine.cache.clear()
    engine.evaluate(parse("ts_rank(close, 20) + ts_rank(close, 20)"))
    assert len(runs) == 2


def test_strict_windows_need_every_value(panel: Panel) -> None:
    strict, partial = Engine(panel, windows="strict"), Engine(panel)
    node = parse("ts_mean(close, 10)")
    full = np.isfinite(panel.fields["close"])
    held = np.array([full[max(0, t - 9) : t + 1].sum(axis=0) for t in range(len(full))])
    assert np.array_equal(np.isfinite(strict.evaluate(node)), held == 10)
    assert np.array_equal(np.isfinite(partial.evaluate(node)), held >= 1)
    assert np.isnan(strict.evaluate(parse("ts_sum(close, 300)"))).all()
    assert np.isnan(strict.evaluate(parse("adv20"))[:19]).all()


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_confined_values_are_missing_outside_the_universe(panel: Panel, text: str) -> None:
    engine = Engine(panel, threads=1)
    for node in tree.calls(tree.resolve(parse(text), panel.fields, panel.groups, panel.vectors)):
        if OPERATORS[node.operator].result is not ValueType.VECTOR and tree.confined(node):
            assert np.isnan(engine.evaluate(node)[~panel.universe]).all(), node


def test_only_members_are_ranked(panel: Panel) -> None:
    """ts_mean lives on for some days after an instrument has left; its rank does not, nor does it move others'."""
    engine = Engine(panel)
    assert np.isfinite(engine.evaluate(parse("ts_mean(close, 5)"))[~panel.universe]).any()
    ranked = engine.evaluate(parse("rank(ts_mean(close, 5))"))
    assert np.isnan(ranked[~panel.universe]).all()
    assert (np.nanmax(ranked, axis=1) == 1).all()
    assert not tree.confined(parse("ts_mean(close, 5)"))
    assert tree.confined(parse("ts_delta(close, 5) / ts_mean(close, 5)"))
    assert not tree.confined(parse("if_else(close > open, 1, 2)"))


def test_what_a_panel_lacks_is_named(panel: Panel) -> None:
    engine = Engine(panel)
    with pytest.raises(BadInput, match=r"no field 'cap'.*open, high, low, close"):
        engine.evaluate(parse("rank(cap)"))
    with pytest.raises(BadInput, match=r"no group 'subindustry'.*market, sector, industry"):
        engine.evaluate(parse("group_rank(close, subindustry)"))
    with pytest.raises(BadInput, match="cap"):
        engine.map([NODES[0], parse("cap")], lambda index, value: index)
    with pytest.raises(BadInput, match=r"no vector field 'close'.*news"):
        engine.evaluate(parse("vec_avg(close)"))
    with pytest.raises(BadInput, match="without quotes"):
        engine.evaluate(parse('rank("close")'))
    with pytest.raises(BadInput, match="2 is no group"):
        engine.evaluate(parse("group_rank(close, 2)"))
    with pytest.raises(BadInput, match="vec_filter gives several numbers a cell"):
        engine.evaluate(parse("vec_filter(news)"))
    with pytest.raises(BadInput, match="reduce_avg runs in SuperAlphas"):
        engine.evaluate(parse("rank(reduce_avg(close))"))
    for wrong in ({"threads": 0}, {"memory": -1}, {"windows": "some"}):
        with pytest.raises(BadInput):
            Engine(panel, **wrong)


def test_deadline(panel: Panel) -> None:
    engine = Engine(panel)
    with pytest.raises(EvaluationTimeout):
        engine.evaluate(NODES[3], deadline=time.monotonic() - 1)
    assert same_bits(engine.evaluate(NODES[3], deadline=time.monotonic() + 60), engine.evaluate(NODES[3]))


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    """`log` raises as Ctrl-C would, in whichever thread."""

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(KERNELS, "log", Kernel("rows", interrupted))
    return KeyboardInterrupt


def test_an_interrupt_leaves_no_thread_busy_and_no_memory_taken(
    panel: Panel, values: list[np.ndarray[Any, Any]], breaking: type[BaseException]
) -> None:
    before = threading.active_count()
    with Engine(panel, threads=2) as engine:
        with pytest.raises(breaking):
            engine.evaluate(parse("rank(log(close))"))
        with pytest.raises(breaking):
            list(engine.map([NODES[0], parse("log(close)"), NODES[1]], lambda index, value: index))
        assert not engine.cache._left
        assert same_bits(engine.evaluate(NODES[1]), values[1])
        engine.cache.clear()
        gc.collect()
        assert len(engine._buffers._free) == engine._buffers.allocated
    assert threading.active_count() == before


def test_closing_a_batch_early_forgets_it(panel: Panel) -> None:
    with Engine(panel, threads=2) as engine:
        results = engine.map(NODES * 3, lambda index, value: index)
        index, same = next(results)
        assert index == same
        results.close()  # type: ignore[attr-defined]
        assert not engine.cache._left
        assert not engine.cache._making


def test_consuming_may_use_the_engine(panel: Panel, values: list[np.ndarray[Any, Any]]) -> None:
    with Engine(panel, threads=2) as engine:
        for _, same in engine.map(NODES, lambda index, value: same_bits(engine.evaluate(NODES[index]), values[index])):
            assert same


def test_an_expression_beside_a_batch_that_waits_for_its_part() -> None:
    """All threads wait for a shared part that the caller is making: nobody is left to take its pieces but itself."""
    panel = random_panel(3, days=700, instruments=700)  # as long as a part takes, others come to wait for it
    parts = [f"ts_corr(ts_rank(close, {n}), ts_rank(volume, {n}), 60)" for n in (20, 40, 60, 80, 100, 120)]
    nodes = [parse(f"{name}({part}) + {n}") for part in parts for name in ("rank", "zscore") for n in range(2)]
    done = threading.Event()

    def both() -> None:
        with Engine(panel, threads=2) as engine:
            for _ in engine.map(nodes, lambda index, value: index):
                engine.evaluate(parse(f"abs({parts[0]})"))
        done.set()

    threading.Thread(target=both, daemon=True).start()
    assert done.wait(60)


def test_a_result_is_the_callers_to_write_to(panel: Panel) -> None:
    engine = Engine(panel, threads=1)
    node, part = parse("rank(ts_rank(close, 20))"), parse("ts_rank(close, 20)")
    good = engine.evaluate(node).copy()
    mine = engine.evaluate(part)
    assert part in engine.cache
    mine[:] = 0
    assert same_bits(engine.evaluate(node), good)


def test_a_claim_that_an_interrupt_left_is_taken_up_again(panel: Panel) -> None:
    engine = Engine(panel, threads=1)
    nodes = [parse(f"{name}(ts_rank(close, 20))") for name in ("rank", "zscore")]
    part = engine._resolved(parse("ts_rank(close, 20)"))
    assert isinstance(part, Call)
    engine.cache._making[part] = threading.get_ident()
    assert len(list(engine.map(nodes, lambda index, value: index))) == 2


def test_memory_that_cannot_be_had_is_not_counted(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(panel, threads=1)

    def refused(shape: tuple[int, int]) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("alpha_pipeline.engine.buffers.fresh", refused)
        with pytest.raises(MemoryError):
            engine.evaluate(NODES[0])
    assert engine._buffers.allocated == 0


def test_closing_from_inside_leaves_an_engine_that_works(panel: Panel) -> None:
    engine = Engine(panel, threads=2)
    list(engine.map(NODES[:4], lambda index, value: engine.close()))
    assert len(list(engine.map(NODES[:4], lambda index, value: index))) == 4
    engine.close()


def compiled_functions() -> dict[str, Any]:
    """Every function of the kernels that numba compiles."""
    found = pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}.")
    modules = [importlib.import_module(each.name) for each in found]
    return {f"{m.__name__}.{n}": f for m in modules for n, f in vars(m).items() if hasattr(f, "signatures")}


def test_each_kernel_is_compiled_once(panel: Panel, tmp_path: Path) -> None:
    """Memory-mapped (read-only) and computed inputs run one machine code; for what is searched, that of the warm-up."""
    warmup()
    compiled = compiled_functions()
    assert len(compiled) > 15

    def signatures() -> dict[str, list[Any]]:
        return {name: list(function.signatures) for name, function in compiled.items()}

    mapped = panel.write(tmp_path / "panel")
    assert not mapped.fields["close"].flags.writeable
    engine = Engine(mapped)
    before = signatures()
    for node in NODES:
        if all(OPERATORS[call.operator].searched for call in tree.calls(node)):
            engine.evaluate(node)
    assert signatures() == before
    for node in NODES:
        Engine(panel).evaluate(node)
    before = signatures()
    for node in NODES:
        engine.evaluate(node)
    assert signatures() == before


def test_warmup_says_what_it_compiles_and_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    warmup()
    said: list[str] = []
    assert warmup(said.append) > 0
    assert not said
    fresh = numba.njit(lambda x, out, lo, hi: None)
    monkeypatch.setitem(KERNELS, "log", Kernel("rows", fresh))
    warmup(said.append)
    assert [message.split(" (")[0] for message in said] == ["compiling kernels for this machine, once: log"]


def test_any_group_is_the_run_of_columns_it_names(panel: Panel) -> None:
    """The panel's own group, as codes of each day, gives what its runs of columns give, to the bit."""
    engine = Engine(panel)
    for text in (
        "group_rank(close, {})",
        "group_zscore(volume, {})",
        "group_mean(close, volume, {})",
        "group_median(close, {})",
        "group_backfill(ts_delay(returns, 1), {}, 5)",
    ):
        runs = engine.evaluate(parse(text.format("industry")))
        for other in ("group_cartesian_product(industry, market)", "group_coalesce(industry, 1)"):
            assert same_bits(engine.evaluate(parse(text.format(other))), runs)
        if "backfill" not in text:  # densify knows the universe's members only, and who has left may fill a gap
            assert same_bits(engine.evaluate(parse(text.format("densify(industry)"))), runs)
    everyone = engine.evaluate(parse("group_rank(close, market)"))
    assert same_bits(engine.evaluate(parse("group_rank(close, 1)")), everyone)


def test_offsets_of_groups() -> None:
    codes = np.array([0, 0, 1, 2, 2, 2], np.int32)
    assert offsets_of(codes).tolist() == [0, 2, 3, 6]
    assert offsets_of(codes[:1]).tolist() == [0, 1]
