"""The torch engine against the CPU engine, and against itself with other memory, blocks and neighbours."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch

from alpha_pipeline.engine import Engine, EvaluationTimeout
from alpha_pipeline.engine.torch_device import TorchEngine
from alpha_pipeline.engine.torch_device import device as device_module
from alpha_pipeline.engine.torch_device.kernels import TORCH_KERNELS, TorchKernel
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Constant, Node, parse
from alpha_pipeline.market.panel import Panel
from alpha_pipeline_tests.engine.checks import same_bits
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.engine.test_engine import EXPRESSIONS
from alpha_pipeline_tests.engine.torch_device.devices import DEVICES, far_apart

ON_HOST = [
    "regression_neut(ts_delay(close, 2), volume) + rank_by_side(ts_delay(returns, 30))",
    "group_sum(ts_delay(close, 9), sector) / group_count(ts_delay(close, 9), densify(sign(ts_delay(returns, 40))))",
    "group_mean(ts_delay(close, 9), 1, group_cartesian_product(sector, densify(sign(returns)))) - ts_median(close, 7)",
    "group_coalesce(bucket(ts_delay(close, 9), buckets=\"90,110\"), sector) + ts_max(vec_max(news), 5)",
]  # fmt: skip
LOGIC = [
    "(close > open && volume > adv20) || not(is_nan(ts_delay(close, 2))) ? rank(close) : -1",
    "power(ts_delta(close, 1), 2) + (close >= open) - (close != open) + inverse(close) + sqrt(volume)",
    "quantile(ts_delay(close, 9), driver=cauchy) + normalize(ts_delay(close, 9), useStd=true, limit=2)",
    "ts_backfill(ts_delta(close, 9), 5) + kth_element(returns, 9, k=3) - last_diff_value(sign(returns), 9)",
    "ts_product(1 + returns, 5) * ts_quantile(volume, 20) + ts_scale(close, 20) + ts_count_nans(close, 20)",
    "days_from_last_change(sign(returns)) + ts_av_diff(close, 20) + min(max(returns, -0.01), 0.01)",
    "group_rank(ts_delay(close, 9), 1) + 0 * ts_step(1)",
]
TEXTS = [*EXPRESSIONS, *ON_HOST, *LOGIC]
NODES = [parse(text) for text in TEXTS]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel(days=150, instruments=130)


@pytest.fixture(scope="module")
def values(panel: Panel) -> list[np.ndarray[Any, Any]]:
    """Every expression by the CPU engine."""
    with Engine(panel, threads=1) as engine:
        return [engine.evaluate(node) for node in NODES]


def all_of(engine: TorchEngine, nodes: list[Node]) -> list[np.ndarray[Any, Any]]:
    with engine:
        found = dict(engine.map(nodes, lambda index, value: value.copy()))
    return [found[index] for index in range(len(nodes))]


@pytest.mark.parametrize("device", DEVICES)
def test_same_as_the_cpu_engine(panel: Panel, values: list[np.ndarray[Any, Any]], device: str) -> None:
    for text, mine, theirs in zip(TEXTS, all_of(TorchEngine(panel, device=device), NODES), values, strict=True):
        assert mine.dtype == np.float32
        assert far_apart(mine, theirs) == 0, text


@pytest.mark.parametrize("windows", ["partial", "strict"])
def test_windows(panel: Panel, windows: Any) -> None:
    nodes = NODES[:6]
    with Engine(panel, threads=1, windows=windows) as engine:
        expected = [engine.evaluate(node) for node in nodes]
    for mine, theirs in zip(all_of(TorchEngine(panel, device="cpu", windows=windows), nodes), expected, strict=True):
        assert far_apart(mine, theirs) == 0


@pytest.mark.parametrize(
    ("memory", "cells"), [(0, 1 << 18), (1, 1), (3_000_000, 1 << 18), (2 << 30, 100), (2 << 30, 1 << 22)]
)
def test_memory_and_blocks_do_not_matter(memory: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    small = random_panel(days=40, instruments=30)
    expected = [TorchEngine(small, device="cpu").evaluate(node) for node in NODES]
    monkeypatch.setitem(device_module.CELLS, "cpu", cells)
    engine = TorchEngine(small, device="cpu", memory=memory)
    for text, mine, alone in zip(TEXTS, all_of(engine, NODES), expected, strict=True):
        assert same_bits(mine, alone), text


def test_a_population_shares_and_recomputes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room every distinct call runs once; without, some run again, and nothing changes."""
    small = random_panel(days=40, instruments=30)
    nodes = [parse(f"rank(ts_mean(close, {5 + i % 3})) - ts_std_dev(volume, {2 + i % 5}) * {i}") for i in range(40)]
    nodes += nodes[:3]  # the same one twice
    runs = 0
    true = TORCH_KERNELS["ts_std_dev"]

    def counting(x: Any, window: int, needed: int) -> Any:
        nonlocal runs
        runs += len(x)
        return true.run(x, window, needed)

    monkeypatch.setitem(TORCH_KERNELS, "ts_std_dev", TorchKernel("columns", counting))
    whole = all_of(TorchEngine(small, device="cpu"), nodes)
    assert runs == 5
    matrix = 4 * 40 * 30
    tight = all_of(TorchEngine(small, device="cpu", memory=matrix * 20), nodes)
    assert runs > 10
    assert all(same_bits(a, b) for a, b in zip(whole, tight, strict=True))


def test_what_is_kept_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values on the device stay within the memory, but for what one expression needs."""
    small = random_panel(days=40, instruments=30)
    monkeypatch.setitem(device_module.CELLS, "cpu", 1200)
    memory = 30 * 4 * 40 * 30
    nodes = [parse(f"rank(ts_mean(close, {5 + i % 7})) - ts_std_dev(volume, {2 + i % 9}) * {i}") for i in range(60)]
    engine = TorchEngine(small, device="cpu", memory=memory)
    room = engine._device.room()
    assert 10 < room < 30
    most = 0
    real = device_module.Device.run

    def watched(self: Any, calls: Any, values: Any) -> Any:
        nonlocal most
        found = real(self, calls, values)
        most = max(most, len(values) + len(found))
        return found

    monkeypatch.setattr(device_module.Device, "run", watched)
    all_of(engine, nodes)
    assert 4 < most <= room


def test_results_come_as_they_are_done(panel: Panel) -> None:
    engine = TorchEngine(panel, device="cpu")
    seen = list(engine.map(NODES[:5], lambda index, value: index * 10))
    assert sorted(seen) == [(i, i * 10) for i in range(5)]
    assert list(engine.map([], lambda index, value: index)) == []


def test_constants_and_fields(panel: Panel) -> None:
    engine = TorchEngine(panel, device="cpu")
    assert (engine.evaluate(Constant(2.5)) == 2.5).all()
    close = engine.evaluate(parse("close"))
    close[:] = 0  # the caller's own
    assert same_bits(engine.evaluate(parse("close")), panel.fields["close"])
    shifted = engine.evaluate(parse("1 + 1"))
    assert shifted.shape == panel.shape
    assert (shifted == 2).all()


def test_errors_are_those_of_the_engine(panel: Panel) -> None:
    torch_engine, engine = TorchEngine(panel, device="cpu"), Engine(panel)
    for text in ("rank(nothing)", "group_rank(close, country)", "vec_avg(close)", "inst_pnl(close)"):
        with pytest.raises(BadInput) as theirs:
            engine.evaluate(parse(text))
        with pytest.raises(BadInput) as mine:
            torch_engine.evaluate(parse(text))
        assert str(mine.value) == str(theirs.value)
    ran: list[int] = []
    with pytest.raises(BadInput):
        torch_engine.map([parse("close"), parse("nothing")], lambda index, value: ran.append(index))
    assert not ran


def test_an_error_of_the_consumer_ends_the_batch(panel: Panel) -> None:
    ran: list[int] = []

    def consume(index: int, value: Any) -> None:
        ran.append(index)
        raise RuntimeError("no more")

    engine = TorchEngine(panel, device="cpu")
    with pytest.raises(RuntimeError, match="no more"):
        list(engine.map(NODES[:4], consume))
    assert len(ran) == 1
    assert len(list(engine.map(NODES[:4], lambda index, value: None))) == 4


def test_deadline(panel: Panel) -> None:
    engine = TorchEngine(panel, device="cpu")
    with pytest.raises(EvaluationTimeout):
        engine.evaluate(NODES[0], deadline=time.monotonic() - 1)
    engine.evaluate(NODES[0], deadline=time.monotonic() + 60)


def test_refused_without_cuda(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput) as refused:
        TorchEngine(panel)
    assert "there is no CUDA device here" in str(refused.value)
    assert "--device cpu" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_refused_devices(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, said in (("toaster", "no device"), ("meta", "do not run"), ("cuda:7", "no CUDA device 7")):
        with pytest.raises(BadInput, match=said):
            TorchEngine(panel, device=name)
    with pytest.raises(BadInput, match="negative"):
        TorchEngine(panel, device="cpu", memory=-1)
    with pytest.raises(BadInput, match="kind of windows"):
        TorchEngine(panel, device="cpu", windows="loose")  # type: ignore[arg-type]


def test_a_device_that_is_full_is_said_so(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(x: Any, rate: float) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(TORCH_KERNELS, "rank", TorchKernel("rows", full))
    with pytest.raises(BadInput, match="no room left for rank"):
        TorchEngine(panel, device="cpu").evaluate(parse("rank(close)"))


def test_torch_is_imported_late() -> None:
    code = "import sys; import alpha_pipeline.engine.torch_device; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_threads_are_the_users(panel: Panel) -> None:
    before = torch.get_num_threads()
    TorchEngine(panel, device="cpu").evaluate(NODES[0])
    assert torch.get_num_threads() == before
