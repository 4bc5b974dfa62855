"""The one door: expression + settings + window → trial. Generators, stages and faces all come through here.

An expression is evaluated once on the whole panel: signal → books → daily profit. What a trial shows openly is the
search window's; the figures of the gate and of the whole history stay in `Trial.sealed`, which nothing that learns or
selects may open. Trials are kept by `alpha_id`, so asking twice costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest import Metrics, SimulationSettings, Windows, alpha_id, measure, simulate
from alpha_pipeline.backtest.coverage import missing_share
from alpha_pipeline.backtest.metrics import sharpe_one_day_later
from alpha_pipeline.backtest.simulate import group_offsets
from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import (
    CATALOGUE,
    Catalogue,
    FieldSpec,
    Node,
    Parsed,
    TypeProblem,
    ValueType,
    canonical,
    check,
    lookback,
    to_text,
)
from alpha_pipeline.market.panel import Panel

MOST_TRIALS_KEPT = 20_000
"""Trials held in memory, oldest dropped first: some 12 kB each for five years of days."""


@dataclass(frozen=True)
class Sealed:
    """Figures that include days of the gate window. For reports on a finished selection only.

    Attributes:
        metrics: by window: "search", "gate", "full".
        sharpe_one_day_later: likewise.
        pnl: float64 [T], daily profit per unit of book on all days.
    """

    metrics: dict[str, Metrics]
    sharpe_one_day_later: dict[str, float]
    pnl: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One evaluated expression under one set of settings.

    Attributes:
        alpha_id: identity over canonical text and settings.
        expression: canonical text.
        node: its tree.
        metrics: search window.
        sharpe_one_day_later: search window, the books held one trading day later.
        missing: share of non-finite cells on the search window (see `coverage.missing_share`).
        pnl: float64 [S], daily profit on the search window's days, 0 before the lookback is filled.
        first_day: row of the first profit.
        sealed: the rest of the history.
    """

    alpha_id: str
    expression: str
    node: Node
    metrics: Metrics
    sharpe_one_day_later: float
    missing: float
    pnl: npt.NDArray[np.float64]
    first_day: int
    sealed: Sealed = field(repr=False, compare=False)


def held_data(panel: Panel) -> frozenset[str]:
    """Names of the fields, groups and vector fields that a panel holds."""
    return frozenset(panel.field_types())


def panel_catalogue(panel: Panel, catalogue: Catalogue = CATALOGUE) -> Catalogue:
    """A catalogue with the vector fields of a panel: what the panel holds goes before what a catalogue says."""
    known = {name: catalogue.spec(name) for name in panel.vectors}
    own = [name for name, spec in known.items() if spec is None or spec.type is not ValueType.VECTOR]
    return catalogue.with_fields(FieldSpec(name, ValueType.VECTOR, dataset="events") for name in own)


class Evaluator:
    """Evaluates expressions on one panel under one set of settings.

    Args:
        panel: the market.
        settings: how alphas are simulated; also part of their identity.
        windows: search, gate and vault rows of the panel.
        threads: workers; results do not depend on it.
        memory: bytes the engine may use for buffers and shared subtrees; results do not depend on it.
    """

    def __init__(
        self,
        panel: Panel,
        settings: SimulationSettings | None = None,
        windows: Windows | None = None,
        *,
        threads: int = 2,
        memory: int = 2 << 30,
    ) -> None:
        self.panel = panel
        self.settings = settings or SimulationSettings()
        group_offsets(panel, self.settings.neutralization, panel.shape[1])  # refuses groups that the panel lacks
        self.windows = windows or Windows.by_shares(len(panel.dates))
        self.threads = threads
        self.engine = self.engine_on(panel, threads=threads, memory=memory)
        self.catalogue = panel_catalogue(panel)
        self.evaluations = 0
        members = panel.universe.any(axis=1)
        self._first_member_row = int(members.argmax()) if members.any() else len(panel.dates)
        self._trials: OrderedDict[str, Trial] = OrderedDict()

    def engine_on(self, panel: Panel, *, threads: int, memory: int) -> Engine:
        """An engine that reads expressions as this evaluator does, on a panel made from its own."""
        windows: Literal["partial", "strict"] = "strict" if self.settings.strict_windows else "partial"
        return Engine(panel, threads=threads, memory=memory, windows=windows, choices=self.settings.language)

    @cached_property
    def available(self) -> frozenset[str]:
        """Names of the fields and groups that expressions may use on this panel."""
        return held_data(self.panel)

    def check(self, expression: Node | Parsed, profile: str = "all") -> None:
        """Refuse what cannot be an alpha on this panel, or uses what a profile lacks.

        Raises:
            TypeProblem: see `expression.check`; or a lookback longer than the panel's history.
        """
        language = self.settings.language
        check(expression, self.available, catalogue=self.catalogue, profile=profile, choices=language)
        days = lookback(expression.node if isinstance(expression, Parsed) else expression, self.catalogue)
        if days >= len(self.panel.dates):
            history = f"{days} of {len(self.panel.dates)} days"
            raise TypeProblem(f"Cumulative lookback of expression exceeds available history: {history}")

    def first_row(self, node: Node) -> int:
        """First row on which the lookback of an expression is filled: nothing before it counts anywhere.

        Fields begin on the universe's first day: a TOPn is chosen from the months before.
        """
        return min(self._first_member_row + lookback(node), len(self.panel.dates))

    def identify(self, node: Node) -> tuple[str, Node, str]:
        """(alpha_id, canonical tree, canonical text) of a tree under this evaluator's settings."""
        tree = canonical(node)
        text = to_text(tree)
        return alpha_id(text, self.settings), tree, text

    def evaluate(self, node: Node) -> Trial:
        """The trial of one expression, its operators split over all threads.

        Raises:
            ExpressionError: it does not type-check on this panel.
        """
        self.check(node)  # as it was given: a rule of the canonical form may take away what is wrong
        identity, tree, text = self.identify(node)
        if identity not in self._trials:
            self._keep(self._trial(identity, tree, text, self.engine.evaluate(tree), self.threads))
        return self._trials[identity]

    def evaluate_many(self, nodes: Sequence[Node], progress: Callable[[Trial], None] | None = None) -> list[Trial]:
        """The trials of many expressions, in their order; one expression per thread, subtrees shared.

        Args:
            progress: called in this thread with each trial that is newly evaluated.

        Raises:
            ExpressionError: one of them does not type-check on this panel; nothing is evaluated then.
        """
        for node in nodes:
            self.check(node)
        wanted = [self.identify(node) for node in nodes]
        new = {identity: (tree, text) for identity, tree, text in wanted if identity not in self._trials}
        results = {identity: self._trials[identity] for identity, _, _ in wanted if identity not in new}
        todo = [(identity, tree, text) for identity, (tree, text) in new.items()]

        def consume(index: int, signal: npt.NDArray[np.float32]) -> Trial:
            identity, tree, text = todo[index]
            return self._trial(identity, tree, text, signal, 1)

        for _, trial in self.engine.map([tree for _, tree, _ in todo], consume):
            self._keep(trial)
            results[trial.alpha_id] = trial
            if progress is not None:
                progress(trial)
        return [results[identity] for identity, _, _ in wanted]

    def known(self, identities: Iterable[str]) -> list[Trial]:
        """Those of the trials that are held in memory."""
        return [self._trials[identity] for identity in identities if identity in self._trials]

    def _keep(self, trial: Trial) -> None:
        self.evaluations += 1
        self._trials[trial.alpha_id] = trial
        while len(self._trials) > MOST_TRIALS_KEPT:
            self._trials.popitem(last=False)

    def _trial(self, identity: str, tree: Node, text: str, signal: npt.NDArray[np.float32], threads: int) -> Trial:
        first_row = self.first_row(tree)
        simulation = simulate(signal, self.panel, self.settings, first_row, threads=threads)
        search = self.windows.search
        rows = {name: self.windows.named(name) for name in ("search", "gate", "full")}
        metrics = {name: measure(simulation, days.start, days.stop) for name, days in rows.items()}
        late = {name: sharpe_one_day_later(simulation, days.start, days.stop) for name, days in rows.items()}
        return Trial(
            alpha_id=identity,
            expression=text,
            node=tree,
            metrics=metrics["search"],
            sharpe_one_day_later=late["search"],
            missing=missing_share(
                signal,
                self.panel.universe,
                self.panel.age,
                lookback(tree),
                slice(max(search.start, first_row), search.stop),
            ),
            pnl=simulation.pnl[search].copy(),
            first_day=simulation.first_day,
            sealed=Sealed(metrics, late, simulation.pnl),
        )
