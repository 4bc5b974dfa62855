"""Metrics of random expressions: the same by both engines, within a relative 1e-5, or 1e-6 where they are near 0."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.backtest import SimulationSettings, measure, simulate
from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.torch_device import TorchEngine
from alpha_pipeline.evaluator import held_data
from alpha_pipeline.expression import Node, lookback, to_text
from alpha_pipeline.generate import make_generator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline_tests.engine.torch_device.devices import DEVICES


def figures(signal: Matrix, node: Node, panel: Panel) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = measure(simulate(signal, panel, SimulationSettings(), lookback(node), threads=1), 0, len(panel.dates))
    return np.array([found.sharpe, found.turnover, found.fitness, found.returns, found.drawdown, found.margin])


@pytest.mark.parametrize("device", DEVICES)
def test_metrics_of_random_expressions(small_panel: Panel, device: str) -> None:
    nodes = make_generator("random", 23, held_data(small_panel)).ask(200)
    with TorchEngine(small_panel, device=device) as engine:
        mine = dict(engine.map(nodes, lambda index, signal: figures(signal, nodes[index], small_panel)))
    with Engine(small_panel, threads=1) as engine_here:
        for index, node in enumerate(nodes):
            expected = figures(engine_here.evaluate(node), node, small_panel)
            np.testing.assert_allclose(mine[index], expected, rtol=1e-5, atol=1e-6, err_msg=to_text(node))
