"""The engine against a plain interpreter, and against itself with other threads, memory and neighbours."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from alpha_pipeline.engine import Engine, EvaluationTimeout, tree, warmup
from alpha_pipeline.engine.groups import offsets_of
from alpha_pipeline.engine.kernels import (
    KERNELS,
    Kernel,
    cross_section,
    elementwise,
    extremes,
    group,
    moments,
    rank,
    running,
    shifts,
)
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot, adv_window, parse
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
]
NODES = [parse(text) for text in EXPRESSIONS]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel()


@pytest.fixture(scope="module")
def values(panel: Panel) -> list[np.ndarray[Any, Any]]:
    """Every expression by one engine on one thread, each for itself."""
    return [Engine(panel, threads=1).evaluate(node) for node in NODES]


def interpreted(node: Node, panel: Panel) -> np.ndarray[Any, Any]:
    """The tree by the plain kernels, rounded to float32 after each; operators across instruments see members only."""
    if isinstance(node, Constant):
        return np.full(panel.shape, node.value, np.float32)
    if isinstance(node, Field):
        window = adv_window(node.name)
        if window is not None:
            return interpreted(Call("ts_mean", (Field("volume"), Constant(float(window)))), panel)
        return panel.fields[node.name]
    operator = OPERATORS[node.operator]
    arguments: list[Any] = []
    for slot, argument in zip(operator.slots, node.arguments, strict=True):
        if slot is Slot.WINDOW:
            assert isinstance(argument, Constant)
            arguments.append(int(argument.value))
        elif slot is Slot.GROUP:
            assert isinstance(argument, Field)
            arguments.append(panel.groups[argument.name])
        else:
            value = interpreted(argument, panel).astype(np.float64)
            if tree.masks(operator):
                value[~panel.universe] = np.nan
            arguments.append(value)
    with np.errstate(all="ignore"):
        return np.asarray(operator.plain(*arguments)).astype(np.float32)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_engine_is_plain_interpreter(text: str) -> None:
    small = random_panel(3, days=90, instruments=60)
    got, expected = Engine(small).evaluate(parse(text)), interpreted(parse(text), small)
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


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
        copies = engine.map([NODES[i] for i in order], lambda index, value: (index, value.copy()))
        for place, (index, value) in enumerate(copies):
            assert index == place
            assert same_bits(value, values[order[place]])
        assert not engine.cache._values
        assert not engine.cache._left


def test_little_memory_keeps_few_matrices(panel: Panel) -> None:
    engine = Engine(panel, threads=1, memory=0)
    for node in NODES:
        engine.evaluate(node)
    gc.collect()
    assert engine._buffers.allocated <= 6
    assert sum(1 for _ in engine.map([NODES[0]] * 30, lambda index, value: index)) == 30
    assert engine._buffers.allocated <= 6


def test_memory_is_reused_but_never_while_in_use(panel: Panel) -> None:
    engine = Engine(panel, threads=2)
    kept = engine.evaluate(NODES[0])
    row, copy = kept[5], kept.copy()
    for _ in range(3):
        for node in NODES:
            engine.evaluate(node)
    allocated = engine._buffers.allocated
    assert allocated < 10
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
    runs.clear()
    engine.evaluate(parse("ts_rank(close, 20) + ts_rank(close, 20)"))
    assert len(runs) == 1


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
    for node in tree.calls(tree.resolve(parse(text), panel.fields, panel.groups)):
        if tree.confined(node):
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
    for wrong in ({"threads": 0}, {"memory": -1}, {"windows": "some"}):
        with pytest.raises(BadInput):
            Engine(panel, **wrong)  # type: ignore[arg-type]


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
        gc.collect()
        assert len(engine._buffers._free) == engine._buffers.allocated
    assert threading.active_count() == before


def test_closing_a_batch_early_forgets_it(panel: Panel) -> None:
    with Engine(panel, threads=2) as engine:
        results = engine.map(NODES * 3, lambda index, value: index)
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        assert not engine.cache._left
        assert not engine.cache._values


def test_consuming_may_use_the_engine(panel: Panel, values: list[np.ndarray[Any, Any]]) -> None:
    with Engine(panel, threads=2) as engine:
        for same in engine.map(NODES, lambda index, value: same_bits(engine.evaluate(NODES[index]), values[index])):
            assert same


def test_each_kernel_is_compiled_once(panel: Panel, tmp_path: Path) -> None:
    """Memory-mapped (read-only) and computed inputs run the machine code that warm-up compiled, and no other."""
    warmup()
    modules = (cross_section, elementwise, extremes, group, moments, rank, running, shifts)
    compiled = {n: f for m in modules for n, f in vars(m).items() if hasattr(f, "signatures")}
    assert len(compiled) > 15
    before = {name: list(function.signatures) for name, function in compiled.items()}
    mapped = panel.write(tmp_path / "panel")
    assert not mapped.fields["close"].flags.writeable
    engine = Engine(mapped)
    for node in NODES:
        engine.evaluate(node)
    assert {name: list(function.signatures) for name, function in compiled.items()} == before


def test_warmup_says_what_it_compiles_and_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    warmup()
    said: list[str] = []
    assert warmup(said.append) > 0
    assert not said
    fresh = numba.njit(lambda x, out, lo, hi: None)
    monkeypatch.setitem(KERNELS, "log", Kernel("rows", fresh))
    warmup(said.append)
    assert [message.split(" (")[0] for message in said] == ["compiling kernels for this machine, once: log"]


def test_offsets_of_groups() -> None:
    codes = np.array([0, 0, 1, 2, 2, 2], np.int32)
    assert offsets_of(codes).tolist() == [0, 2, 3, 6]
    assert offsets_of(codes[:1]).tolist() == [0, 1]
