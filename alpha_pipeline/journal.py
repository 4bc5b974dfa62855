"""What a generation run has evaluated, batch by batch on disk while it lasts, so that it can be taken up again.

A run is decided by its pins, and a generator by its seed and the answers it gets. So a run is resumed by asking anew
and answering from the journal as far as that goes: no generator needs to be written down, and nothing is evaluated
twice.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest import Metrics
from alpha_pipeline.errors import BadInput
from alpha_pipeline.evaluator import Evaluator, Figures, Sealed, Trial

WINDOWS = ("search", "gate", "full")
FIGURES = tuple(field.name for field in fields(Metrics))
_KINDS = get_type_hints(Metrics)


class Journal:
    """One run's batches in a folder, a file each, written all or nothing.

    Args:
        folder: made when first written to; some 12 kB an expression for five years of days.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __len__(self) -> int:
        """Batches held, from the first without a gap."""
        held = 0
        while self._path(held).exists():
            held += 1
        return held

    def answer(self, number: int, identities: Sequence[str], evaluator: Evaluator) -> None:
        """Let an evaluator know the figures of batch `number`, if it is held.

        Raises:
            BadInput: the batch was made of other expressions, or its file is damaged.
        """
        path = self._path(number)
        if not path.exists():
            return
        try:
            with np.load(path, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            made_of, texts = held["alpha_id"].tolist(), held["expression"].tolist()
            figures = [_figures(held, place) for place in range(len(texts))]
        except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile, zlib.error) as error:
            what = f"what is kept of batch {number + 1} cannot be read ({error})"
            raise BadInput(what, str(path), "delete this file: its batch is then evaluated again") from error
        if made_of != list(identities):
            what = f"batch {number + 1} was made of other expressions when the run began"
            raise BadInput(what, str(path), "the code or the machine is another one: start a new run")
        for text, each in zip(texts, figures, strict=True):
            evaluator.remember(text, each)

    def keep(self, number: int, batch: Sequence[Trial]) -> None:
        """Write batch `number`, unless it is held."""
        path = self._path(number)
        if path.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with partial.open("wb") as file:
            np.savez(
                file,
                alpha_id=np.array([trial.alpha_id for trial in batch]),
                expression=np.array([trial.expression for trial in batch]),
                missing=np.array([trial.missing for trial in batch]),
                first_day=np.array([trial.first_day for trial in batch]),
                pnl=np.array([trial.sealed.pnl for trial in batch]),
                sharpe_one_day_later=np.array(
                    [[trial.sealed.sharpe_one_day_later[name] for name in WINDOWS] for trial in batch]
                ),
                metrics=np.array(
                    [
                        [[getattr(trial.sealed.metrics[name], figure) for figure in FIGURES] for name in WINDOWS]
                        for trial in batch
                    ],
                    dtype=np.float64,
                ),
            )
        partial.replace(path)

    def clear(self) -> None:
        """Remove it all: the run is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number + 1:06d}.npz"


def _figures(held: Mapping[str, npt.NDArray[Any]], place: int) -> Figures:
    rows: npt.NDArray[np.float64] = held["metrics"][place]
    return Figures(
        missing=float(held["missing"][place]),
        first_day=int(held["first_day"][place]),
        sealed=Sealed(
            metrics={name: _metrics(row) for name, row in zip(WINDOWS, rows, strict=True)},
            sharpe_one_day_later=dict(zip(WINDOWS, held["sharpe_one_day_later"][place].tolist(), strict=True)),
            pnl=np.ascontiguousarray(held["pnl"][place]),
        ),
    )


def _metrics(row: npt.NDArray[np.float64]) -> Metrics:
    return Metrics(**{name: _KINDS[name](value) for name, value in zip(FIGURES, row.tolist(), strict=True)})
