"""Every operator on the device, on random calls of it, against its plain kernel; and that planted bugs are caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels import TORCH_KERNELS, TorchKernel, on_host
from alpha_pipeline.expression import OPERATORS, Call, ValueType
from alpha_pipeline_tests.engine import checks
from alpha_pipeline_tests.engine.cases import NAMES, Case, random_case
from alpha_pipeline_tests.engine.torch_device.devices import DEVICES, on_device

SEEDS = st.integers(0, 2**32 - 1)
devices = pytest.mark.parametrize("device", DEVICES)


def random_of(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def test_an_ordinary_account_needs_no_host() -> None:
    mine = {name for name, each in OPERATORS.items() if "user" in each.profiles and not each.elsewhere}
    assert len(mine) == 66
    assert mine <= set(TORCH_KERNELS)
    assert set(on_host()).isdisjoint(mine)


@devices
@pytest.mark.parametrize("name", list(TORCH_KERNELS))
@settings(max_examples=15)
@given(seed=SEEDS)
def test_kernel_is_plain_kernel(name: str, device: str, seed: int) -> None:
    checks.assert_matches_plain(on_device(random_case(random_of(name, seed), name, constants=True), device))


@devices
@pytest.mark.parametrize("name", list(TORCH_KERNELS))
def test_rounded_once(name: str, device: str) -> None:
    """On ordinary data nearly every float32 is the plain kernel's, rounded: no digits are lost on the way."""
    other = cells = 0
    for seed in range(6):
        case = on_device(random_case(random_of(name, seed), name, (40, 30), "plain", infinite=False), device)
        got = case.run()
        with np.errstate(all="ignore"):
            expected = case.plain().astype(np.float32)
        other += int(np.sum((got != expected) & ~np.isnan(expected)))
        cells += got.size
    assert other <= 1e-3 * cells


@devices
@pytest.mark.parametrize("name", list(TORCH_KERNELS))
@settings(max_examples=2)
@given(seed=SEEDS)
def test_no_future(name: str, device: str, seed: int) -> None:
    random = random_of(name, seed)
    checks.assert_causal(on_device(random_case(random, name, constants=True), device), random)


@devices
@pytest.mark.parametrize("name", list(TORCH_KERNELS))
def test_missing_values_stay_missing(name: str, device: str) -> None:
    for seed in range(5):
        checks.assert_keeps_missing(on_device(random_case(random_of(name, seed), name), device))


@devices
@pytest.mark.parametrize("name", [name for name in on_host() if OPERATORS[name].result is not ValueType.VECTOR])
def test_on_the_host_is_the_cpu_engine(name: str, device: str) -> None:
    for seed in range(5):
        case = random_case(random_of(name, seed), name, constants=True)
        assert checks.same_bits(on_device(case, device).run(), case.run()), f"{case}"


@devices
def test_vectors_made_on_the_host(device: str) -> None:
    case = random_case(random_of("vec_filter", 1), "vec_filter")
    for name in ("vec_sum", "vec_count"):
        around = dataclasses.replace(case, call=Call(name, (case.call,)))
        assert checks.same_bits(on_device(around, device).run(), around.run())


# -- planted bugs -----------------------------------------------------------------------------------------------------

TRUE = dict(TORCH_KERNELS)


def _looks_ahead(x: Tensor, window: int, needed: int) -> Tensor:
    return TRUE["ts_mean"].run(torch.cat((x[:, 1:], x[:, -1:]), dim=1), window, needed)


def _running(x: Tensor, window: int, needed: int) -> Tensor:
    """A sum that slides in float64: it keeps the rounding of what has left."""
    total = torch.where(torch.isfinite(x), x, 0.0).double().cumsum(dim=1)
    before = torch.zeros_like(total)
    before[:, window:] = total[:, :-window] if window < total.shape[1] else before[:, window:]
    return torch.where(torch.isnan(TRUE["ts_sum"].run(x, window, needed)), torch.nan, total - before)


def _by_order(x: Tensor, rate: float) -> Tensor:
    """Ranks by which equal values do not share."""
    places = x.argsort(dim=-1).argsort(dim=-1).double()
    count = (~torch.isnan(x)).sum(dim=-1, keepdim=True)
    return torch.where(torch.isnan(x), torch.nan, torch.where(count > 1, places / (count - 1), 0.5))


def _fills_today(x: Tensor, group: object) -> Tensor:
    return torch.nan_to_num(TRUE["group_neutralize"].run(x, group))


@pytest.mark.parametrize(
    ("name", "bug", "axis", "flavours", "least"),
    [
        ("ts_mean", _looks_ahead, "columns", NAMES, 15),
        ("ts_sum", _running, "columns", ["outliers"], 5),
        ("rank", _by_order, "rows", ["ties"], 20),
        ("group_neutralize", _fills_today, "rows", NAMES, 20),
        ("sign", torch.sign, "cells", NAMES, 20),  # it takes NaN for 0
    ],
)
def test_planted_bugs_are_caught(
    name: str,
    bug: Callable[..., Tensor],
    axis: object,
    flavours: list[str],
    least: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failures() -> int:
        failed = 0
        for seed in range(30):
            case: Case = random_case(random_of(name, seed), name, (30, 8), flavours[seed % len(flavours)])
            try:
                checks.assert_matches_plain(on_device(case, "cpu"))
            except AssertionError:
                failed += 1
        return failed

    assert failures() == 0
    monkeypatch.setitem(TORCH_KERNELS, name, TorchKernel(axis, bug))  # type: ignore[arg-type]
    assert failures() >= least
