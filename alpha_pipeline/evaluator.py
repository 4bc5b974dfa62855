"""The one door: expression + settings + window → trial. Generators, stages and faces all come through here.

An expression is evaluated once on the whole panel: signal → books → daily profit. What a trial shows openly is the
search window's; the figures of the gate and of the whole history stay in `Trial.sealed`, which nothing that learns or
selects may open. Trials are kept by `alpha_id`, so asking twice costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest import Metrics, SimulationSettings, Windows, alpha_id, measure, simulate
from alpha_pipeline.backtest.metrics import sharpe_one_day_later
from alpha_pipeline.backtest.simulate import group_offsets
from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.batch import in_order, worth_keeping
from alpha_pipeline.engine.stores import Store, open_store
from alpha_pipeline.engine.tree import Resolver
from alpha_pipeline.errors import BadInput
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
    parse,
    to_text,
)
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.panel_files import folder_of
from alpha_pipeline.workers import Work, Workers

if TYPE_CHECKING:
    from alpha_pipeline.engine.torch_device import TorchEngine

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
        missing: share of non-finite cells on the search window (see `Simulation.missing_share`).
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


@dataclass(frozen=True)
class Figures:
    """What evaluation adds to an expression to make it a trial; see there. All that a worker sends."""

    missing: float
    first_day: int
    sealed: Sealed


_Found = Generator[tuple[int, Figures], None, None]
"""Figures with the position of their expression, as they are done."""


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
        threads: threads of all workers together, at least one each; results do not depend on it.
        memory: bytes that engines may use for buffers and shared subtrees; results do not depend on it.
        workers: processes that `evaluate_many` spreads expressions over; results do not depend on it. With several,
            each has its part of threads and memory, and so has this process, where `evaluate` and other single
            expressions run. They share the panel's pages, are started when first needed, and end with the evaluator;
            use it as a context manager, or `close`, to end them early.
        device: where signals are computed: "cpu"; or by torch on "cuda", "cuda:1", …, or on the CPU ("torch-cpu", to
            check with), which gives figures within a relative 1e-5.
        store, store_size: where values of operators are kept for other runs and processes (see `engine.stores`), and
            how many bytes; results do not depend on it.

    Raises:
        BadInput: resources that cannot be used, or not together.
    """

    def __init__(
        self,
        panel: Panel,
        settings: SimulationSettings | None = None,
        windows: Windows | None = None,
        *,
        threads: int = 2,
        memory: int = 2 << 30,
        workers: int = 1,
        device: str = "cpu",
        store: str = "none",
        store_size: int = 8 << 30,
    ) -> None:
        if workers < 1:
            raise BadInput(f"{workers} workers cannot run anything", "workers", "give 1 or more")
        if device != "cpu" and (workers > 1 or store != "none"):
            what = f"{workers} workers" if workers > 1 else f"the store {store}"
            raise BadInput(f"{device} cannot be used with {what}", "device", "use cpu, or 1 worker and no store")
        self.panel = panel
        self.settings = settings or SimulationSettings()
        group_offsets(panel, self.settings.neutralization, panel.shape[1])  # refuses groups that the panel lacks
        self.windows = windows or Windows.by_shares(len(panel.dates))
        self.threads = threads
        if store == "memory":  # each process has its own
            store_size = max(1, store_size // workers)
        self.store = open_store(store, store_size)
        self.engine = self._engine(device, memory // workers)
        options: dict[str, Any] = {"threads": max(1, threads // workers), "memory": memory // workers}
        options |= {"store": store, "store_size": store_size}
        arguments = (self.settings, self.windows, options)
        self.workers: Workers[str, Figures] = Workers(
            workers, worker, lambda scratch: (_shared(panel, scratch), *arguments), options["threads"]
        )
        self.catalogue = panel_catalogue(panel)
        self.evaluations = 0
        members = panel.universe.any(axis=1)
        self._first_member_row = int(members.argmax()) if members.any() else len(panel.dates)
        self._trials: OrderedDict[str, Trial] = OrderedDict()

    def engine_on(self, panel: Panel, *, threads: int, memory: int, store: Store | None = None) -> Engine:
        """An engine on the CPU that reads expressions as this evaluator does, on its panel or one made from it."""
        reading, choices = self._reading, self.settings.language
        return Engine(panel, threads=threads, memory=memory, windows=reading, choices=choices, store=store)

    def _engine(self, device: str, memory: int) -> Engine | TorchEngine:
        """The engine of the evaluator's own panel."""
        if device == "cpu":
            return self.engine_on(self.panel, threads=self.threads, memory=memory, store=self.store)
        from alpha_pipeline.engine.torch_device import TorchEngine  # torch takes a second to import

        name = "cpu" if device == "torch-cpu" else device
        reading, choices = self._reading, self.settings.language
        return TorchEngine(self.panel, device=name, memory=memory, windows=reading, choices=choices)

    @property
    def _reading(self) -> Literal["partial", "strict"]:
        return "strict" if self.settings.strict_windows else "partial"

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
            figures = self._figures(tree, self.engine.evaluate(tree), self.threads)
            self._keep(self._trial(identity, tree, text, figures))
        return self._trials[identity]

    def evaluate_many(self, nodes: Sequence[Node], progress: Callable[[Trial], None] | None = None) -> list[Trial]:
        """The trials of many expressions, in their order; one expression per thread of each worker, subtrees shared.

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
        trees = [tree for _, tree, _ in todo]
        spread = self.workers.count > 1 and len(todo) > 1
        with closing(self._spread(trees, [text for *_, text in todo]) if spread else self._map(trees)) as found:
            for index, figures in found:
                trial = self._trial(*todo[index], figures)
                self._keep(trial)
                results[trial.alpha_id] = trial
                if progress is not None:
                    progress(trial)
        return [results[identity] for identity, _, _ in wanted]

    def _map(self, trees: Sequence[Node]) -> _Found:
        """In this process."""
        yield from self.engine.map(trees, lambda index, signal: self._figures(trees[index], signal, 1))

    def _spread(self, trees: Sequence[Node], texts: Sequence[str]) -> _Found:
        """Over the workers; neighbours in the engine's order, which have dear parts in common, go to the same one."""
        held = self.panel
        resolver = Resolver(held.fields, held.groups, held.vectors)
        resolved = [resolver(tree) for tree in trees]
        order = in_order(resolved, worth_keeping(resolved))
        jobs = [texts[index] for index in order]  # not trees: they carry hashes, which are a process's own
        with closing(self.workers.run(jobs, self.figures_of)) as found:
            for number, figures in found:
                yield order[number], figures

    def figures_of(self, texts: Sequence[str]) -> _Found:
        """(position, figures) of canonical texts, as they are done, in this process; nothing is kept."""
        return self._map([parse(text) for text in texts])

    def remember(self, text: str, figures: Figures) -> None:
        """Take figures of a canonical text that were worked out before for those of its trial; they count as one."""
        identity, tree, text = self.identify(parse(text))
        if identity not in self._trials:
            self._keep(self._trial(identity, tree, text, figures))

    def known(self, identities: Iterable[str]) -> list[Trial]:
        """Those of the trials that are held in memory."""
        return [self._trials[identity] for identity in identities if identity in self._trials]

    def _keep(self, trial: Trial) -> None:
        self.evaluations += 1
        self._trials[trial.alpha_id] = trial
        while len(self._trials) > MOST_TRIALS_KEPT:
            self._trials.popitem(last=False)

    def rest(self) -> None:
        """Give back the memory of what is kept for further batches; trials stay."""
        self.engine.rest()

    def close(self) -> None:
        """End the workers and the engine's threads, and let go of the store."""
        self.workers.close()
        self.engine.close()
        if self.store is not None:
            self.store.close()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _trial(self, identity: str, tree: Node, text: str, figures: Figures) -> Trial:
        sealed = figures.sealed
        return Trial(
            alpha_id=identity,
            expression=text,
            node=tree,
            metrics=sealed.metrics["search"],
            sharpe_one_day_later=sealed.sharpe_one_day_later["search"],
            missing=figures.missing,
            pnl=sealed.pnl[self.windows.search].copy(),
            first_day=figures.first_day,
            sealed=sealed,
        )

    def _figures(self, tree: Node, signal: npt.NDArray[np.float32], threads: int) -> Figures:
        first_row = self.first_row(tree)
        simulation = simulate(signal, self.panel, self.settings, first_row, threads=threads, lookback=lookback(tree))
        search = self.windows.search
        rows = {name: self.windows.named(name) for name in ("search", "gate", "full")}
        metrics = {name: measure(simulation, days.start, days.stop) for name, days in rows.items()}
        late = {name: sharpe_one_day_later(simulation, days.start, days.stop) for name, days in rows.items()}
        return Figures(
            missing=simulation.missing_share(max(search.start, first_row), search.stop),
            first_day=simulation.first_day,
            sealed=Sealed(metrics, late, simulation.pnl),
        )


def _shared(panel: Panel, scratch: Path) -> Path:
    """A folder that workers can open the panel from: its own, or one inside `scratch`."""
    folder = folder_of(panel)
    if folder is None:
        folder = scratch / "panel"
        panel.write(folder)
    return folder


def worker(folder: Path, settings: SimulationSettings, windows: Windows, options: dict[str, Any]) -> Work[str, Figures]:
    """What a worker process does: the figures of canonical texts, on a panel whose pages all of them share."""
    return Evaluator(Panel.open(folder), settings, windows, **options).figures_of
