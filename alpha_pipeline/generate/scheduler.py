"""`auto`: all other generators over one memory; a bandit gives the next turn to what gained most per cost of late.

A turn is about one batch of the arm that plays. What it asked for is evaluated, taken into the memory that all arms
share, and learned from by that arm alone; the others meet it in the archive. A turn earns log(1 + gain) per cost, the
gain being what it added to the worth of the archive. The cost of a turn is either

* what it used of a budget in evaluations, repeats among them, times what one of the arm's costs beside one of random
  search's (`COSTS`): then the same seed and answers give the same run; or
* seconds of a clock that the caller hands in: then decisions depend on the machine, and are repeated from their log.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Node
from alpha_pipeline.generate import GENERATORS, searcher
from alpha_pipeline.generate.bandit import Bandit
from alpha_pipeline.generate.base import Learner, Scored, Verdict
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space.grammar import Grammar

COSTS: Mapping[str, float] = MappingProxyType({"genetic": 1.0, "reinforce": 1.6, "ppo": 1.6})
"""CPU time of an evaluation with all that the arm does for it, against random search's; 1 for an arm not named.

Measured on a planted market of 200 instruments × 1,500 days with one engine thread, 600 proposals each: random 3.1 ms,
genetic 3.1, reinforce 4.9, ppo 5.0. To measure again: `alpha-pipeline race --plants tuning --markets 1 --json`, an
arm's `cpu_seconds` over its `evaluations`.
"""

SMALLEST_TURN, LARGEST_TURN, TURNS = 32, 256, 100


@dataclass(frozen=True)
class AutoSettings:
    """How the budget is shared out.

    Args:
        arms: names of the generators to run; None for all that are registered, `auto` left out.
        floor: least share of the cost for each arm.
        discount: what the past counts after one more turn.
        even_start: share of the budget that is first shared out evenly: learners earn late.
        uniform: equal shares instead of the bandit: what it is compared with.
    """

    arms: tuple[str, ...] | None = None
    floor: float = 0.05
    discount: float = 0.97
    even_start: float = 0.25
    uniform: bool = False

    def __post_init__(self) -> None:
        for name, value, usable in (
            ("floor", self.floor, 0 <= self.floor <= 1),
            ("discount", self.discount, 0 < self.discount <= 1),
            ("even_start", self.even_start, 0 <= self.even_start <= 1),
        ):
            if not usable:
                raise BadInput(f"{name} is {value!r}", "settings of auto", "use a share from 0 to 1")
        unknown = [name for name in self.arms or () if name not in GENERATORS or name == "auto"]
        if unknown or (self.arms is not None and (not self.arms or len(set(self.arms)) < len(self.arms))):
            usable_names = ", ".join(name for name in GENERATORS if name != "auto")
            raise BadInput(f"arms are {self.arms!r}", "settings of auto", f"use some of {usable_names}, each once")


@dataclass(frozen=True, slots=True)
class Decision:
    """One turn.

    Attributes:
        arm: who played.
        asked: proposals made.
        gain: what they added to the worth of the archive.
        cost: of the turn; see the module for its unit.
        drawn: what the bandit drew for each arm, in gain per cost; arms that were exhausted are left out.
        floor: the arm played because it had less than its share.
    """

    arm: str
    asked: int
    gain: float
    cost: float
    drawn: Mapping[str, float]
    floor: bool


class Auto(Searcher):
    """Shares the budget out over arms; see the module.

    Args:
        arms: the generators, of this very memory; None makes those of the settings.
        clock: seconds of CPU time used so far, where the budget is CPU time.
        replay: decisions of an earlier run of the same seed, taken again as they were; then the bandit goes on.

    Attributes:
        arms: by name.
        decisions: one per turn; the last may not be over.
        turn, batch: proposals of a turn where the arm has no wish: a hundredth of the budget, 32 to 256.
    """

    name = "auto"

    def __init__(
        self,
        grammar: Grammar,
        seed: int,
        memory: Memory,
        settings: AutoSettings | None = None,
        *,
        arms: Sequence[Searcher] | None = None,
        clock: Callable[[], float] | None = None,
        replay: Sequence[Decision] = (),
    ) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings or AutoSettings()
        if arms is None:
            names = self.settings.arms or tuple(name for name in GENERATORS if name != self.name)
            own = replace(grammar.settings, budget=max(grammar.settings.budget // len(names), 1))
            sized = Grammar(grammar.available, grammar.profile, own)  # populations fit an even share of the budget
            arms = [searcher(name, sized, seed_of(name, seed), memory) for name in names]
        self.arms = {arm.name: arm for arm in arms}
        if not arms or len(self.arms) < len(arms) or any(arm.memory is not memory for arm in arms):
            raise ValueError("arms must have names of their own and share the memory")
        unknown = {decision.arm for decision in replay} - self.arms.keys()
        if unknown:
            raise ValueError(f"the log names arms that are not here: {sorted(unknown)}")
        self.turn = min(max(grammar.settings.budget // TURNS, SMALLEST_TURN), LARGEST_TURN)
        self.batch = self.turn
        self.decisions: list[Decision] = []
        self._bandit = Bandit([self.settings.floor] * len(arms), self.settings.discount)
        self._able = list(range(len(arms)))
        self._clock, self._since = clock, 0.0
        self._worth = worth(memory)  # after the last tell: an ask may already count as proposed what it asks for
        self._log = tuple(replay)
        self._turn_of: dict[Node, int] = {}  # of what was asked and is not told
        self._open: list[int] = []  # turns that the bandit does not know of yet
        self._proposed = dict.fromkeys(self.arms, 0)
        self._gained = dict.fromkeys(self.arms, 0.0)

    @property
    def learners(self) -> list[Learner]:
        """The arms' own."""
        return [learner for arm in self.arms.values() for learner in arm.learners]

    def sift(self, sifted: Callable[[Searcher, int], Searcher], seed: int) -> None:
        """Put a filter around every arm, from its searcher and a seed; the arms keep their names. Before any ask.

        Around the whole it would stand between the arms and what they are told: a turn with a proposal that was
        refused would never be answered.
        """
        self.arms = {name: sifted(arm, seed_of(f"{name} sifted", seed)) for name, arm in self.arms.items()}

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """The arms' own, one arm after the other."""
        return [verdict for arm in self.arms.values() for verdict in arm.verdicts]

    def ask(self, count: int) -> list[Node]:
        """`count` proposals of the arm whose turn it is; of several only where one is exhausted and left out."""
        self._since = self._clock() if self._clock else 0.0
        if not self.decisions:
            self._worth = worth(self.memory)  # an arm may have brought something from an earlier run
        asked: list[Node] = []
        while len(asked) < count and self._able:
            if not self.decisions or self._is_over():
                self._choose()
            turn, wanted = len(self.decisions) - 1, count - len(asked)
            name = self.decisions[turn].arm
            arm = self.arms[name]
            before = arm.repeats
            found = arm.ask(wanted)
            asked += found
            self._turn_of.update(dict.fromkeys(found, turn))
            self._proposed[name] += len(found)
            self._count(turn, asked=len(found))
            if self._clock is None:
                used = len(found) + arm.repeats - before
                self._count(turn, cost=used * COSTS.get(name, 1.0))
            if len(found) < wanted:
                self._able.remove(list(self.arms).index(name))
        self.repeats = sum(arm.repeats for arm in self.arms.values())
        return asked

    def tell(self, results: Sequence[Scored]) -> None:
        """The figures of what was asked. What no arm asked for, of an earlier run say, goes into the memory only."""
        if not results:
            return
        turns = [self._turn_of.pop(result.node, None) for result in results]
        rewards: list[Reward] = []
        figures: dict[str, float] = {}
        for turn in dict.fromkeys(turns):
            own = [result for result, of in zip(results, turns, strict=True) if of == turn]
            paid = self.memory.add(own)
            rewards += paid
            before, self._worth = self._worth, worth(self.memory)
            if turn is None:
                continue
            gain = self._worth - before
            name = self.decisions[turn].arm
            arm = self.arms[name]
            arm.learn(own, paid)
            if arm.history:
                own_figures = arm.history[-1].figures.items()
                figures |= {f"{name}_{key}": value for key, value in own_figures if not key.startswith("reward_")}
            self._gained[name] += gain
            self._count(turn, gain=gain)
            if self._clock is not None:
                now = self._clock()
                self._count(turn, cost=now - self._since)
                self._since = now
        proposed = max(sum(self._proposed.values()), 1)
        shares = {f"share_{name}": made / proposed for name, made in self._proposed.items()}
        gains = {f"gain_{name}": gained for name, gained in self._gained.items()}
        self.note(rewards, {**shares, **gains, "worth": self._worth, **figures})

    def _is_over(self) -> bool:
        """Whether the last turn has asked for its batch, or its arm is exhausted."""
        last, turn = self.decisions[-1], len(self.decisions) - 1
        if list(self.arms).index(last.arm) not in self._able:
            return True
        if turn + 1 < len(self._log):
            return last.asked >= self._log[turn].asked
        return last.asked >= (self.arms[last.arm].batch or self.turn)

    def _choose(self) -> None:
        """Begin a turn; the bandit is first told of those that are all answered."""
        waiting = set(self._turn_of.values())
        names = list(self.arms)
        for turn in [turn for turn in self._open if turn not in waiting]:
            done = self.decisions[turn]
            if turn < len(self._log):  # what was measured then, lest the clock of today decide
                done = replace(done, cost=self._log[turn].cost)
                self.decisions[turn] = done
            if done.cost > 0:
                self._bandit.tell(names.index(done.arm), math.log1p(done.gain), done.cost)
            self._open.remove(turn)
        begun = sum(self._proposed.values()) < self.settings.even_start * self.grammar.settings.budget
        choice = self._bandit.choose(self.random, self._able, evenly=begun or self.settings.uniform)
        drawn = {name: value for name, value in zip(names, choice.drawn, strict=True) if math.isfinite(value)}
        arm, floor, turn = names[choice.arm], choice.floor, len(self.decisions)
        if turn < len(self._log):
            arm, floor = self._log[turn].arm, self._log[turn].floor
            if names.index(arm) not in self._able:
                raise ValueError(f"turn {turn} of the log is of {arm}, which is exhausted: not the run that was logged")
        self.decisions.append(Decision(arm, 0, 0.0, 0.0, drawn, floor))
        self._open.append(turn)

    def _count(self, turn: int, asked: int = 0, gain: float = 0.0, cost: float = 0.0) -> None:
        held = self.decisions[turn]
        self.decisions[turn] = replace(held, asked=held.asked + asked, gain=held.gain + gain, cost=held.cost + cost)


def worth(memory: Memory) -> float:
    """What the archive is worth: the quality-diversity score of the grid of elites.

    It counts what is good in either sign at once, for who found it, exportable or not. The reward of what could be
    exported tells later who is better, and counted as proposed only it pays whoever adds the minus to the finds of all.
    """
    return float(memory.elites.score)


def seed_of(name: str, seed: int) -> int:
    """An arm's seed: of the run's, and its own name's, so that it does not depend on what else is registered."""
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)[0])
