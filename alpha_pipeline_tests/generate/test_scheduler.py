"""`auto`: who plays, what is shared, what is learned from, and that a logged run can be had again."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Sequence

import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Node, canonical, parse
from alpha_pipeline.generate import (
    GENERATORS,
    Grammar,
    Memory,
    Reward,
    Scored,
    SearchSettings,
    Thresholds,
    scheduler,
    searcher,
)
from alpha_pipeline.generate.random_search import RandomSearch
from alpha_pipeline.generate.scheduler import Auto, AutoSettings, Decision, worth
from alpha_pipeline_tests.generate.toy import FIELDS, mine, score

SETTINGS = SearchSettings(budget=600)
TWO = AutoSettings(arms=("random", "genetic"))


def auto(seed: int = 1, settings: AutoSettings = TWO, **further: object) -> Auto:
    return Auto(Grammar(FIELDS, settings=SETTINGS), seed, Memory(SETTINGS), settings, **further)


class Arm(RandomSearch):
    """Random search that notes what it was told, and may run dry."""

    def __init__(self, name: str, memory: Memory, seed: int, supply: int = 10_000, batch: int | None = None) -> None:
        super().__init__(Grammar(FIELDS, settings=SETTINGS), seed, memory)
        self.name, self.supply, self.batch = name, supply, batch
        self.asked: list[Node] = []
        self.learned: list[Node] = []
        self.paid: list[Reward] = []

    def ask(self, count: int) -> list[Node]:
        found = super().ask(min(count, self.supply - len(self.asked)))
        self.asked += found
        return found

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        super().learn(results, rewards)
        self.learned += [result.node for result in results]
        self.paid += rewards


class RandomArm(Arm):
    pass


class OtherArm(Arm):
    pass


def with_arms(*specifications: dict[str, int], settings: AutoSettings | None = None) -> tuple[Auto, list[Arm]]:
    memory = Memory(SETTINGS)
    arms = [Arm(f"arm{place}", memory, place, **each) for place, each in enumerate(specifications)]
    return Auto(Grammar(FIELDS, settings=SETTINGS), 3, memory, settings, arms=arms), arms


def test_every_other_generator_is_an_arm() -> None:
    found = auto(settings=AutoSettings())
    assert list(found.arms) == [name for name in GENERATORS if name != "auto"]
    assert all(arm.memory is found.memory for arm in found.arms.values())


def test_arms_learn_from_their_own_only_and_the_memory_from_all() -> None:
    found, arms = with_arms({}, {}, {})
    results = mine(found, 600)
    assert all(arm.learned == arm.asked for arm in arms)
    assert min(len(arm.asked) for arm in arms) > 25
    assert sum(len(arm.asked) for arm in arms) == len(results) == found.memory.told == 600
    assert sum(item.proposals for item in found.history) == 600


def test_arms_are_paid_what_the_memory_says() -> None:
    """The same results, told to a memory of their own in the same batches."""
    found, arms = with_arms({}, {})
    results = mine(found, 200)
    memory = Memory(SETTINGS)
    paid = [reward for at in range(0, 200, 32) for reward in memory.add(results[at : at + 32])]
    totals = {result.node: reward.total for result, reward in zip(results, paid, strict=True)}
    for arm in arms:
        assert [totals[node] for node in arm.learned] == [reward.total for reward in arm.paid]


def test_no_duplicates_across_arms() -> None:
    """Two arms that draw the very same expressions: the second draws all of the first's again, and counts them."""
    memory = Memory(SETTINGS)
    arms = [Arm("one", memory, 7), Arm("two", memory, 7)]
    found = Auto(Grammar(FIELDS, settings=SETTINGS), 3, memory, AutoSettings(uniform=True), arms=arms)
    results = mine(found, 300)  # holds every ask to new expressions
    assert len({result.node for result in results}) == 300
    assert found.repeats == sum(arm.repeats for arm in arms) > 100


def test_a_turn_is_a_batch_of_its_arm() -> None:
    found, _ = with_arms({"batch": 96}, {})
    mine(found, 600)
    lengths = {(turn.arm, turn.asked) for turn in found.decisions[:-1]}
    assert lengths == {("arm0", 96), ("arm1", 32)}
    assert next(turn.asked for turn in found.decisions if turn.arm == "arm0") == 96


def test_an_exhausted_arm_is_left_out_and_others_fill_its_ask() -> None:
    found, arms = with_arms({"supply": 50}, {"supply": 70}, {})
    assert [len(found.ask(32)) for _ in range(2)] == [32, 32]
    mine(found, 400)
    assert [len(arm.asked) for arm in arms[:2]] == [50, 70]
    assert all(set(turn.drawn) == {"arm2"} for turn in found.decisions[-3:])
    empty, _ = with_arms({"supply": 50}, {"supply": 70})
    assert len(mine(empty, 400)) == 120
    assert empty.ask(10) == []


def test_same_seed_same_run() -> None:
    first, again, other = auto(4), auto(4), auto(5)
    asked = [[result.node for result in mine(each, 300)] for each in (first, again, other)]
    assert asked[0] == asked[1] != asked[2]
    assert first.decisions == again.decisions
    assert first.history == again.history


def test_runs_do_not_depend_on_hash_seeds() -> None:
    program = (
        "from alpha_pipeline_tests.generate.test_scheduler import *; found = auto(6);"
        "print([result.alpha_id for result in mine(found, 200)], found.decisions)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_log_reproduces_a_run_by_the_clock() -> None:
    """Costs of a clock that jumps about decide; a replay under another clock takes the same turns."""
    steps = itertools.cycle([0.5, 3.0, 0.1, 1.0, 0.2])

    def jumping() -> float:
        jumping.now += next(steps)  # type: ignore[attr-defined]
        return jumping.now  # type: ignore[attr-defined, no-any-return]

    jumping.now = 0.0  # type: ignore[attr-defined]
    whole = auto(2, clock=jumping)
    nodes = [result.node for result in mine(whole, 600)]
    ticking = itertools.count(0.0, 1.0)
    replayed = auto(2, clock=lambda: next(ticking), replay=whole.decisions)
    assert [result.node for result in mine(replayed, 600)] == nodes
    assert replayed.decisions[:-1] == whole.decisions[:-1]
    ticking = itertools.count(0.0, 1.0)
    free = auto(2, clock=lambda: next(ticking))
    assert [result.node for result in mine(free, 600)] != nodes


def test_after_the_log_the_bandit_goes_on_as_it_would_have() -> None:
    whole = auto(2)
    nodes = [result.node for result in mine(whole, 600)]
    resumed = auto(2, replay=whole.decisions[:9])
    assert [result.node for result in mine(resumed, 600)] == nodes
    assert resumed.decisions == whole.decisions


def test_a_log_of_another_run_is_refused() -> None:
    with pytest.raises(ValueError, match="magic"):
        auto(replay=[Decision("magic", 32, 0.0, 32.0, {}, False)])
    found, arms = with_arms({"supply": 0}, {})
    log = [Decision("arm1", 32, 0.0, 32.0, {}, False), *[Decision("arm0", 32, 0.0, 32.0, {}, False)] * 3]
    again = Auto(found.grammar, 3, found.memory, None, arms=arms, replay=log)
    with pytest.raises(ValueError, match="exhausted"):
        mine(again, 200)


def test_decisions_add_up() -> None:
    found = auto(3)
    mine(found, 600)
    assert sum(turn.asked for turn in found.decisions) == 600
    assert sum(turn.gain for turn in found.decisions) == pytest.approx(worth(found.memory))
    shares = [found.history[-1].figures[f"share_{name}"] for name in found.arms]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] == sum(turn.asked for turn in found.decisions if turn.arm == "random") / 600
    gains = [found.history[-1].figures[f"gain_{name}"] for name in found.arms]
    assert sum(gains) == pytest.approx(sum(turn.gain for turn in found.decisions))


def test_repeats_cost_as_the_budget_counts_them() -> None:
    memory = Memory(SETTINGS)
    arms = [Arm("one", memory, 7), Arm("two", memory, 7)]
    found = Auto(Grammar(FIELDS, settings=SETTINGS), 3, memory, AutoSettings(uniform=True), arms=arms)
    mine(found, 200)
    assert sum(turn.cost for turn in found.decisions) == 200 + found.repeats


class Lucky(Arm):
    """Throws away most of what does not earn."""

    def draw(self) -> Node | None:
        for _ in range(6):
            node = super().draw()
            if node is not None and score(node).sharpe > 0.6:
                break
        return node


def test_the_floors_hold_and_the_better_arm_earns_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the reward of the elite: the toy's turnover is always the same, so its grid has few cells to fill."""

    def elite(memory: Memory) -> float:
        return float(sum(memory.archive.members[place].base for place in memory.archive.elite))

    monkeypatch.setattr(scheduler, "worth", elite)
    for seed in (1, 2):
        memory = Memory(SETTINGS, limits=Thresholds(sharpe=0.5, fitness=0.2))
        arms = [kind(kind.__name__, memory, seed) for kind in (RandomArm, Lucky, OtherArm)]
        found = Auto(Grammar(FIELDS, settings=SETTINGS), seed, memory, arms=arms)
        mine(found, 500)
        shares = {name: found.history[-1].figures[f"share_{name}"] for name in found.arms}
        assert shares["Lucky"] > 0.5
        assert min(shares.values()) >= 0.05


def test_equal_shares_as_a_comparison() -> None:
    found = auto(settings=dataclasses.replace(TWO, uniform=True))
    mine(found, 600)
    assert found.history[-1].figures["share_random"] == pytest.approx(0.5, abs=0.1)


def test_what_no_arm_asked_for_goes_into_the_memory_only() -> None:
    found, arms = with_arms({}, {})
    asked = found.ask(8)
    stranger = canonical(parse("ts_corr(close, volume, 10)"))
    found.tell([score(node) for node in [*asked, stranger]])
    assert found.memory.told == 9
    assert [len(arm.learned) for arm in arms] == [8, 0] or [len(arm.learned) for arm in arms] == [0, 8]


def test_worth_counts_either_sign_and_only_the_best_of_a_kind() -> None:
    memory = Memory(SETTINGS)
    first, second = score(canonical(parse("-ts_zscore(close, 20)"))), score(canonical(parse("rank(volume)")))
    assert worth(memory) == 0
    memory.add([dataclasses.replace(first, sharpe=-2.0)])
    found = worth(memory)
    assert found > 0
    memory.add([dataclasses.replace(second, sharpe=1.9, pnl=-first.pnl[::-1])])  # of the same turnover and size
    assert worth(memory) == found
    memory.add([dataclasses.replace(second, sharpe=1.9, pnl=-first.pnl[::-1], turnover=0.05)])
    assert worth(memory) > found


def test_settings_are_checked() -> None:
    for settings in (
        {"arms": ("auto",)},
        {"arms": ("random", "random")},
        {"arms": ()},
        {"floor": 1.5},
        {"discount": 0.0},
        {"even_start": -0.1},
    ):
        with pytest.raises(BadInput):
            AutoSettings(**settings)  # type: ignore[arg-type]
    grammar = Grammar(FIELDS)
    stranger = searcher("random", grammar, 1, Memory())
    with pytest.raises(ValueError, match="share the memory"):
        Auto(grammar, 1, Memory(), arms=[stranger])


def test_what_a_policy_replays_counts_as_learned_from() -> None:
    """Its evaluations are all that its archive came from: else what training takes would look cheap under `auto`."""
    found = auto(1, AutoSettings(arms=("random", "reinforce")))
    mine(found, 300)
    policy, (learner,) = found.arms["reinforce"], found.learners
    assert policy.history
    assert sum(each.proposals for each in policy.history) < learner.trained <= found.memory.told
