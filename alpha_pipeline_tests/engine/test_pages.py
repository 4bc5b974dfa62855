"""Fresh memory: zeros that can be written, whichever pages they stand on."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.engine import Engine, pages
from alpha_pipeline.expression import parse
from alpha_pipeline_tests.engine.panels import random_panel


@pytest.mark.parametrize("shape", [(3, 5), (1024, 1024), (1100, 1031)])
def test_zeros_that_can_be_written(shape: tuple[int, int]) -> None:
    array = pages.fresh(shape)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert not array.any()
    array[:] = 1
    assert not pages.fresh(shape).any()


@pytest.mark.skipif(len(pages.KINDS) < 2, reason="this system does not let choose the size of pages")
def test_the_quicker_kind_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    huge, small = pages.KINDS
    monkeypatch.setattr(pages, "_seconds", {huge: 1.0, small: 1e-12})
    pages.fresh((1024, 1024))
    assert pages._seconds[huge] == 1.0
    assert pages._seconds[small] > 1e-12
    monkeypatch.setattr(pages, "_seconds", {huge: 1e-12, small: 1.0})
    pages.fresh((1024, 1024))
    assert pages._seconds[small] == 1.0


def test_an_engine_at_rest_holds_no_memory() -> None:
    engine = Engine(random_panel(), threads=1)
    before = engine.evaluate(parse("ts_mean(rank(close), 5)")).copy()
    assert engine._buffers.allocated
    engine.rest()
    assert engine._buffers.allocated == 0
    assert np.array_equal(engine.evaluate(parse("ts_mean(rank(close), 5)")), before, equal_nan=True)
