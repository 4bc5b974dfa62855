"""Where these tests run: on torch's CPU device, and on a GPU where there is one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from alpha_pipeline.engine.torch_device import TorchEngine
from alpha_pipeline_tests.engine.cases import Case, Matrix

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@dataclass(frozen=True)
class TorchCase(Case):
    """A case that is run by a torch engine."""

    device: str = "cpu"

    def run(self, threads: int = 1) -> Matrix:
        windows: Any = "strict" if self.strict else "partial"
        with TorchEngine(cast(Any, self.data), device=self.device, choices=self.choices, windows=windows) as engine:
            return engine.evaluate(self.call)


def on_device(case: Case, device: str) -> TorchCase:
    given = {each.name: getattr(case, each.name) for each in dataclasses.fields(case)}
    return TorchCase(**given, device=device)


def far_apart(a: Matrix, b: Matrix) -> float:
    """The share of cells that are neither both missing, nor equal, nor within 2e-5 of their size."""
    return float(np.mean(~np.isclose(a, b, rtol=2e-5, atol=1e-30, equal_nan=True)))
