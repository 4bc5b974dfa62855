"""One expression being written, token by token: what is open, what is left of every budget, what may follow.

Three budgets bound it: depth and days of lookback along a path, operators over the whole. Of the operators, every
nonterminal that waits has reserved the fewest it can end with (`lookahead`), and only what is left over may be spent on
the one at hand; so the reserve is never touched, and a legal token always exists.

Trees that a place may not become, because a sibling is that tree already, go down into the last subtree of each
operator as long as what is written matches them. A reserve allows for them before they are known, and is set right
when they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alpha_pipeline.expression import Call, Constant, Field, Node, canonical
from alpha_pipeline.generate.space.frame import Context, Frame, Stage
from alpha_pipeline.generate.space.grammar import LONGEST_EXPORT, negated
from alpha_pipeline.generate.space.legal import Legal, LogPrior, Mask
from alpha_pipeline.generate.space.lookahead import ALIKE, Place, Taken, Way, windows_within
from alpha_pipeline.generate.space.spelling import Fork
from alpha_pipeline.generate.space.tokens import MINUS

if TYPE_CHECKING:
    from alpha_pipeline.generate.space.prefix import PrefixSpace


class Derivation:
    """An expression in the writing; begun by `PrefixSpace.begin`.

    Attributes:
        tokens: those taken.
        done: whether the expression is complete.
        way: of the last operator whose way is known.
        fork: the choice between ways that is to be made, or None.
    """

    def __init__(self, space: PrefixSpace) -> None:
        self.space = space
        self.tokens: list[int] = []
        self.done = False
        self.fork: Fork | None = None
        self.way: Way | None = None
        self._stage: Stage | None = Stage.SIGN
        self._minus = False
        self._operators = space.settings.most_operators  # left
        self._characters = LONGEST_EXPORT  # left, of export text
        self._reserved = 0  # operators, by what waits
        self._certain = 0  # operators that it will have at least, but for the nonterminal at hand
        self._last = True  # whether nothing else is open
        self._frames: list[Frame] = []
        self._token = -1  # of the operator at hand
        self._fixed: dict[int, Node] = {}  # its arguments that are no subtrees
        self._window = 0
        self._survivors: list[Call] = []
        # The nonterminal at hand.
        self._number = 0
        self._place: Place = space.ahead.root
        self._depth, self._days = space.settings.deepest, space.settings.longest_lookback
        self._room = 0
        self._leaves_fit = True
        self._forbidden: tuple[Node, ...] = ()
        self._node: Node | None = None
        self._legal: Legal = space.states.signs

    def legal(self) -> tuple[Mask, LogPrior]:
        """What may follow: mask [tokens] and log prior [tokens], −inf where illegal. Shared arrays, not to be written.

        Both are empty of legal tokens once the expression is complete.
        """
        legal = self._legal
        return legal.mask, legal.prior(self._certain, self._last)[0]

    @property
    def legal_tokens(self) -> tuple[int, ...]:
        """The legal tokens, rising."""
        return self._legal.tokens

    @property
    def forced(self) -> int | None:
        """The only legal token, or None: such a step is no decision, and carries no loss."""
        tokens = self._legal.tokens
        return tokens[0] if len(tokens) == 1 else None

    def draw(self, random: np.random.Generator) -> int:
        """A legal token drawn by the prior; a forced one costs no random number."""
        tokens = self._legal.tokens
        if len(tokens) == 1:
            return tokens[0]
        running = self._legal.prior(self._certain, self._last)[1]
        return tokens[int(running.searchsorted(random.random(), side="right"))]

    def context(self) -> Context:
        """What a policy sees."""
        nothing = len(self.space.vocabulary)
        frame = self._frames[-1] if self._frames else None
        inside = self._stage is None
        parent = frame.token if frame is not None and inside else self._token if self._token >= 0 else nothing
        sibling = frame.first_token if frame is not None and inside and frame.children else nothing
        return Context(
            parent,
            sibling,
            self.space.settings.deepest - self._depth,
            self._number if self._stage is None else len(self.space.ahead.symbols) + self._stage,
            max(self._room, 0),
            self.tokens[-1] if self.tokens else nothing,
        )

    def node(self) -> Node:
        """The canonical expression, its sign included.

        Raises:
            ValueError: it is not complete.
        """
        if self._node is None:
            raise ValueError(f"{len(self.tokens)} tokens end no expression")
        return self._node

    def take_if_legal(self, token: int | None) -> bool:
        """Take the token if it is one and legal; says whether it was."""
        if token is None or not self._legal.mask[token]:
            return False
        self.take(token)
        return True

    def take(self, token: int) -> None:
        """Write one more token.

        Raises:
            ValueError: it is not legal here.
        """
        if not (0 <= token < len(self._legal.mask) and self._legal.mask[token]):
            raise ValueError(f"token {token} may not follow {self.tokens}")
        self.tokens.append(token)
        stage, space = self._stage, self.space
        if stage is None:
            self._take_node(token)
        elif stage is Stage.FORK:
            assert self.fork is not None
            self._choose(self.fork.branches[token])
        elif stage is Stage.WINDOW:
            assert self.way is not None
            assert self.way.window is not None
            self._window = int(space.window_of[token])
            self._fixed[self.way.window] = Constant(float(self._window))
            self._after_window(self.way)
        elif stage is Stage.GROUP:
            assert self.way is not None
            assert self.way.group is not None
            self._fixed[self.way.group] = Field(space.group_of[token])
            self._begin_subtrees(self.way)
        elif stage is Stage.SIGN:
            self._minus = token == space.vocabulary.signs[MINUS]
            self._stage, self._legal = Stage.ROOT, space.states.roots[self._minus]
        else:
            self._number = space.root_of[token]
            self._depth -= self._minus
            self._operators -= self._minus
            self._place = space.ahead.root_after_minus if self._minus else space.ahead.root
            self._expect_node()

    def _take_node(self, token: int) -> None:
        space = self.space
        leaf = space.field_of.get(token)
        if self._frames:
            frame = self._frames[-1]
            if len(frame.children) in frame.way.rivals:
                self._settle(frame, leaf is not None)
            frame.first_token = token
        if leaf is not None:
            self._complete(leaf)
            return
        name = space.operator_of[token]
        self._token, self._fixed, self._window = token, {}, 0
        kind = ALIKE.get(name, name)
        self._survivors = [
            tree
            for tree in self._forbidden
            if isinstance(tree, Call) and ALIKE.get(tree.operator, tree.operator) == kind
        ]
        self._choose(space.forks[self._number][token])

    def _choose(self, step: Fork | Way) -> None:
        """Go on to a fork, or to what the way needs first."""
        if isinstance(step, Fork):
            self.fork, self._stage = step, Stage.FORK
            windows = windows_within(self._days)
            self._legal = self.space.states.branches(step, self._depth, windows, self._room, len(self._survivors))
            return
        self.fork, self.way = None, step
        if step.number is not None:
            assert step.number_position is not None
            self._fixed[step.number_position] = Constant(step.number)
        if step.window is None:
            self._after_window(step)
        else:
            self._stage = Stage.WINDOW
            self._legal = self.space.states.windows(step, self._depth, self._days, self._room, len(self._survivors))

    def _after_window(self, way: Way) -> None:
        if way.group is None:
            self._begin_subtrees(way)
        else:
            self._stage, self._legal = Stage.GROUP, self.space.states.groups

    def _begin_subtrees(self, way: Way) -> None:
        space = self.space
        self._operators -= 1
        self._characters -= space.characters[way.name]
        days = self._days - self._window
        place = space.ahead.place(way.name, self._window)
        frame = Frame(way, self._token, self._fixed, self._survivors, place, self._depth - 1, days)
        if self._survivors:
            frame.forbidden = [tree for tree in self._survivors if frame.may_be(tree)]
            frame.taken = Taken(len(frame.forbidden) + len(way.rivals))
        frame.costs = list(space.ahead.of_inputs(way, frame.depth, windows_within(days), len(frame.forbidden), place))
        self._reserved += sum(frame.costs)
        self._frames.append(frame)
        self._begin_subtree(frame)

    def _begin_subtree(self, frame: Frame) -> None:
        """Turn to the next subtree of an operator."""
        position, way = len(frame.children), frame.way
        self._reserved -= frame.costs[position]
        self._number, self._place = way.numbers[position], frame.place
        self._depth, self._days = frame.depth, frame.days
        if position == len(way.symbols) - 1:
            self._expect_node(tuple(frame.forbidden_last()) if way.rivals or frame.forbidden else ())
        else:
            self._expect_node((), frame if position in way.rivals else None)

    def _expect_node(self, forbidden: tuple[Node, ...] = (), rival: Frame | None = None) -> None:
        """Turn to a nonterminal; `rival` is the operator whose last subtree may not become what this one will be."""
        space = self.space
        room = min(self._operators, space.operators_within(self._characters)) - self._reserved
        leaves_fit = True
        if rival is not None:
            room += rival.costs[-1]
            leaves_fit = room >= self._cost_of_last(rival, leaf=True)
            room -= self._cost_of_last(rival, leaf=False)
        self._stage, self._forbidden, self._room = None, forbidden, room
        self._certain = space.settings.most_operators - self._minus - self._operators + self._reserved
        self._last = all(len(frame.children) == len(frame.way.symbols) - 1 for frame in self._frames)
        self._leaves_fit = leaves_fit
        windows = windows_within(self._days)
        self._legal = space.states.nodes(self._number, self._place, self._depth, windows, room, leaves_fit, forbidden)

    def _taken_once_known(self, frame: Frame, leaf: bool) -> Taken:
        unknown, leaves, calls = frame.taken
        return Taken(unknown - 1, leaves + leaf, calls + (not leaf))

    def _cost_of_last(self, frame: Frame, leaf: bool) -> int:
        """What the last subtree takes once a rival is known to be a field, or an operator."""
        taken = self._taken_once_known(frame, leaf)
        windows = windows_within(frame.days)
        return self.space.ahead.cheapest(frame.way.symbols[-1], frame.place, frame.depth, windows, taken)

    def _settle(self, frame: Frame, leaf: bool) -> None:
        cost = self._cost_of_last(frame, leaf)
        self._reserved += cost - frame.costs[-1]
        frame.costs[-1] = cost
        frame.taken = self._taken_once_known(frame, leaf)

    def _complete(self, node: Node) -> None:
        """Give a finished subtree to the operator around it, and go on from there."""
        while self._frames:
            frame = self._frames[-1]
            frame.children.append(node)
            if len(frame.children) < len(frame.way.symbols):
                self._begin_subtree(frame)
                return
            self._frames.pop()
            node = frame.node()
        self._node = canonical(negated(node)) if self._minus else node
        self._stage, self.done, self._legal = Stage.DONE, True, self.space.states.nothing
