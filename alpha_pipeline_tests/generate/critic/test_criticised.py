"""The sieve: on a toy where the tree decides what is degenerate; logged chances, the free tenth, the floor."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import zlib

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Call, Node, canonical, fields_used, parse, to_text, walk
from alpha_pipeline.generate import Grammar, Memory, Reward, Scored, SearchSettings, check_proposals, searcher
from alpha_pipeline.generate.critic import Criticised, CriticSettings, criticised
from alpha_pipeline.generate.critic.features import Features
from alpha_pipeline.generate.critic.models import Answers, Critic
from alpha_pipeline.generate.scheduler import Auto, AutoSettings
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space.grammar import negated
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline_tests.generate.toy import FIELDS, score

SETTINGS = SearchSettings(budget=900)
QUICK = CriticSettings(first=100)
HOPELESS = {"log", "ts_corr", "ts_rank", "divide", "subtract", "ts_mean"}


def is_hopeless(node: Node) -> bool:
    """About half of random expressions, told by the operators in them."""
    return any(isinstance(part, Call) and part.operator in HOPELESS for part in walk(node))


def answer(node: Node) -> Scored:
    """No figures for what is hopeless; of the others what looks at volume passes, and some third of the rest."""
    if is_hopeless(node):
        return Scored(node, "x", 0.0, np.zeros(0), 0.0, 0.0, 0.0, 0.0, "degenerate")
    figure = 2.0 if "volume" in fields_used(node) or zlib.crc32(to_text(node).encode()) % 3 == 0 else 0.2
    return dataclasses.replace(score(node, days=60), sharpe=figure, fitness=figure)


def sieve(seed: int = 1, settings: CriticSettings = QUICK, inner: str = "random") -> Criticised:
    found = criticised(searcher(inner, Grammar(FIELDS, settings=SETTINGS), seed, Memory(SETTINGS)), seed, settings)
    assert isinstance(found, Criticised)
    return found


def run(found: Criticised, budget: int, batch: int = 60) -> list[Node]:
    nodes: list[Node] = []
    before: set[Node] = set()
    while len(nodes) < budget:
        asked = found.ask(min(batch, budget - len(nodes)))
        assert asked
        check_proposals(asked, before)
        found.tell([answer(node) for node in asked])
        nodes += asked
    return nodes


@pytest.fixture(scope="module")
def done() -> Criticised:
    found = sieve()
    run(found, 720)
    return found


def test_mostly_what_is_degenerate_is_refused(done: Criticised) -> None:
    sifted = [verdict for verdict in done.verdicts[150:] if not verdict.free]
    passed = {
        kind: np.mean([verdict.handed for verdict in sifted if is_hopeless(verdict.node) is kind])
        for kind in (True, False)
    }
    assert passed[True] < 0.3
    assert passed[False] > 2 * passed[True]


def test_no_class_is_driven_to_zero(done: Criticised) -> None:
    seen = [verdict for verdict in done.verdicts[150:] if not verdict.free]
    hopeless = [verdict for verdict in seen if is_hopeless(verdict.node)]
    assert min(verdict.probability for verdict in seen) >= 0.15
    assert np.mean([verdict.handed for verdict in hopeless]) > 0.1
    assert len(hopeless) > 100


def test_the_chances_logged_are_those_used(done: Criticised) -> None:
    """Of proposals in each band of chances, as many were handed on as the chances say."""
    seen = [verdict for verdict in done.verdicts if not verdict.free and verdict.probability < 1]
    chance = np.array([verdict.probability for verdict in seen])
    handed = np.array([verdict.handed for verdict in seen])
    for low, high in ((0.1, 0.16), (0.16, 1.0)):
        band = (chance >= low) & (chance < high)
        assert band.sum() > 50
        expected, deviation = chance[band].sum(), np.sqrt((chance[band] * (1 - chance[band])).sum())
        assert abs(handed[band].sum() - expected) < 3.5 * deviation
    assert all(verdict.handed for verdict in done.verdicts if verdict.free or verdict.probability == 1)


def test_the_free_tenth_is_what_was_proposed(done: Criticised) -> None:
    """Its share and its make-up are those of all that the inner generator proposed, not of what was handed on."""
    judged = done.verdicts[150:]
    free = [verdict for verdict in judged if verdict.free]
    hopeless = np.mean([is_hopeless(verdict.node) for verdict in judged])
    deviation = np.sqrt(hopeless * (1 - hopeless) / len(free))
    assert len(free) / len(judged) == pytest.approx(0.1, abs=0.03)
    assert np.mean([is_hopeless(verdict.node) for verdict in free]) == pytest.approx(hopeless, abs=3 * deviation)
    handed = [verdict for verdict in judged if verdict.handed]
    assert np.mean([is_hopeless(verdict.node) for verdict in handed]) < hopeless - 3 * deviation


def test_figures_are_of_the_free_tenth_alone(done: Criticised) -> None:
    found = done.history[-1].figures
    assert found == found | {key: value for key, value in done.figures().items() if value == value}
    first_fit = next(place for place, verdict in enumerate(done.verdicts) if verdict.probability < 1)
    assert found["critic_free"] == sum(verdict.free for verdict in done.verdicts[first_fit:])
    assert found["critic_auc_degenerate"] > 0.9
    assert found["critic_brier_degenerate"] < 0.15
    assert found["critic_refused"] == done.refused == sum(not verdict.handed for verdict in done.verdicts)


def test_what_is_refused_is_not_asked_again(done: Criticised) -> None:
    nodes = [verdict.node for verdict in done.verdicts]
    assert len(set(nodes)) == len(nodes)
    assert set(nodes) <= done.memory.seen
    assert done.memory.told == 720


def test_before_the_first_fit_all_is_handed_on() -> None:
    plain = searcher("random", Grammar(FIELDS, settings=SETTINGS), 1, Memory(SETTINGS))
    assert run(sieve(), 60) == plain.ask(60)


def test_same_seed_same_run_whatever_the_hash_seed() -> None:
    program = (
        "from alpha_pipeline_tests.generate.critic.test_criticised import *; import hashlib;"
        "found = sieve(3, inner='genetic'); nodes = run(found, 180);"
        "print(hashlib.sha256(repr((nodes, found.verdicts)).encode()).hexdigest(), found.refused)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(outputs) == 1
    assert int(next(iter(outputs)).split()[1]) > 20


class Listed(Searcher):
    """Proposes what it is given."""

    name = "listed"
    list: list[Node]

    def ask(self, count: int) -> list[Node]:
        asked: list[Node] = []
        while self.list and len(asked) < count:
            self.take(self.list.pop(0), asked)
        return asked


def test_a_mirror_image_is_always_handed_on() -> None:
    """A strong loser's other sign is sure to earn, however bad it looks: whoever made it will not make it again."""
    memory = Memory(SETTINGS)
    grammar = Grammar(FIELDS, settings=SETTINGS)
    found = Criticised(Listed(grammar, 1, memory), 1, dataclasses.replace(QUICK, free=1e-9, least=1e-9))
    random = np.random.default_rng(2)
    nodes = list(dict.fromkeys(node for node in (grammar.sample(random) for _ in range(500)) if node is not None))
    hopeless = [node for node in nodes if is_hopeless(node)]
    found.inner.list = nodes[:120]
    run(found, 120)
    assert found.refused == 0
    losers = [n for n in hopeless if n in memory.seen and canonical(negated(n)) not in memory.seen][:20]
    pnl = np.random.default_rng(1).normal(-0.004, 0.01, (20, 60))
    memory.add([Scored(n, "x", -6.0, row, 0.2, -6.0, -1.0, 1.0) for n, row in zip(losers, pnl, strict=True)])
    found._ready, found.inner.list = [], [canonical(negated(node)) for node in losers]
    refused = found.refused
    assert len(found.ask(20)) == 20
    assert found.refused == refused
    assert {verdict.probability for verdict in found.verdicts[-20:]} == {1.0}
    found.inner.list = [node for node in hopeless if node not in memory.seen][:20]
    assert len(found.ask(20)) < 10


def test_weights_are_one_over_the_overall_chance(done: Criticised) -> None:
    found = sieve(4)
    run(found, 240)
    asked = found.ask(60)
    results = [answer(node) for node in asked]
    chance = {verdict.node: verdict.probability for verdict in found.verdicts}
    wanted = [min(1 / (0.1 + 0.9 * chance[node]), 5.0) for node in asked]
    assert found.weights(results).tolist() == pytest.approx(wanted)
    assert max(wanted) > 2


def test_an_exhausted_inner_generator_ends_it() -> None:
    tiny = SearchSettings(deepest=1, most_operators=1)
    found = Criticised(searcher("random", Grammar(["returns"], settings=tiny), 1, Memory(tiny)), 1, QUICK)
    asked = found.ask(5_000)
    assert 0 < len(asked) < 1_000
    assert len(found.ask(100)) < 50


def test_every_arm_of_auto_learns_behind_its_own_critic() -> None:
    settings = SearchSettings(budget=600)
    inner = Auto(Grammar(FIELDS, settings=settings), 1, Memory(settings), AutoSettings(arms=("random", "genetic")))
    found = criticised(inner, 1, CriticSettings(first=60))
    assert (found.name, {name: arm.name for name, arm in inner.arms.items()}) == (
        "auto_critic",
        {"random": "random_critic", "genetic": "genetic_critic"},
    )
    told: list[Node] = []
    for _ in range(10):
        told += (asked := found.ask(60))
        found.tell([answer(node) for node in asked])
    sieves = [arm for arm in inner.arms.values() if isinstance(arm, Criticised)]
    assert sum(each.refused for each in sieves) > 30
    assert sum(sum(each.proposals for each in arm.history) for arm in sieves) == len(told) == 600
    assert all(arm.inner.history and arm.figures()["critic_free"] > 0 for arm in sieves)
    decided = inner.decisions
    assert sum(each.asked for each in decided) == 600
    assert inner._bandit._turns > 3  # it hears of turns in which proposals were refused
    assert sum(each.gain for each in decided) == pytest.approx(found.history[-1].figures["worth"])


def test_answers_of_a_batch() -> None:
    memory = Memory(SETTINGS, limits=Thresholds(sharpe=1.0, fitness=0.5))
    good, bad = score(canonical(parse("ts_zscore(close, 20)"))), answer(canonical(parse("log(volume)")))
    good = dataclasses.replace(good, sharpe=2.0, fitness=1.0)
    rewards = [Reward.of({"correlation": -0.21}), Reward.of({"degenerate": -0.5}), Reward.of({"correlation": -0.19})]
    found = Answers.of([good, bad, dataclasses.replace(good, sharpe=0.5)], rewards, memory)
    assert found.degenerate.tolist() == [False, True, False]
    assert found.redundant.tolist() == [True, False, False]  # |ρ| of 0.71 and 0.69 against 0.7
    assert found.passing.tolist() == [True, False, False]
    assert np.isnan(found.turnover).tolist() == [False, True, False]


def test_a_class_that_never_comes_is_predicted_by_its_share() -> None:
    grammar, random = Grammar(FIELDS), np.random.default_rng(1)
    rows = Features(grammar)([node for node in (grammar.sample(random) for _ in range(60)) if node is not None])
    none, some = np.zeros(len(rows), bool), np.arange(len(rows)) < 2
    critic = Critic()
    critic.fit(rows, Answers(none, some, np.full(len(rows), 0.2), none), np.ones(len(rows)))
    found = critic.predict(rows)
    assert set(found.degenerate) == set(found.passing) == {0.0}
    assert found.redundant.tolist() == pytest.approx([2 / len(rows)] * len(rows))
    assert found.turnover == pytest.approx(np.full(len(rows), 0.2))


def test_settings_are_checked() -> None:
    for name, value in (("free", 0.0), ("least", 0.0), ("keep", 1.5), ("growth", 1.0), ("first", 1)):
        with pytest.raises(BadInput, match=name):
            CriticSettings(**{name: value})  # type: ignore[arg-type]
