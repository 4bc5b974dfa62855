"""`TorchEngine`: the doors of `Engine`, with torch behind them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from alpha_pipeline.engine import EvaluationTimeout, tree
from alpha_pipeline.engine.arguments import check_terms
from alpha_pipeline.engine.batch import in_order
from alpha_pipeline.engine.costs import cost
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.torch_device import plan
from alpha_pipeline.expression import DEFAULT_CHOICES, Call, Choices, Node
from alpha_pipeline.market.panel import Panel

if TYPE_CHECKING:
    from torch import Tensor

R = TypeVar("R")


class TorchEngine:
    """Evaluates expressions on one panel, on a torch device.

    Args:
        panel: fields, universe and groups; what is used of it is copied to the device, once.
        device: "cuda", "cuda:1" …, or "cpu".
        memory: bytes of the device for fields, values and the work of a kernel. What one expression and one row or
            column of a kernel need is always granted; with little memory, values are made again instead of kept.
        windows: "partial": a window uses the valid values it holds; "strict": all of them must be valid.
        choices: how operators are read of which sources say different things.

    The number of torch's own threads is left as it is. Not for use by several threads at once.

    Raises:
        BadInput: there is no such device here.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        device: str = "cuda",
        memory: int = 2 << 30,
        windows: Literal["partial", "strict"] = "partial",
        choices: Choices = DEFAULT_CHOICES,
    ) -> None:
        check_terms(memory, windows)
        from alpha_pipeline.engine.torch_device.device import Device  # imports torch, which takes a second

        self.panel = panel
        self.windows = windows
        self.choices = choices
        self._resolved = tree.Resolver(panel.fields, panel.groups, panel.vectors)
        self._device = Device(panel, device, memory, windows == "strict", choices)

    @property
    def device(self) -> str:
        """Where it runs, as torch names it."""
        return str(self._device.torch_device)

    def evaluate(self, node: Node, deadline: float | None = None) -> Matrix:
        """The value of an expression: float32 [dates, instruments], the caller's to keep.

        Args:
            deadline: `time.monotonic()` value to stop at, looked at between operators.

        Raises:
            BadInput: the panel lacks a field or group, or an operator does not run here.
            EvaluationTimeout: the deadline has passed.
        """
        return next(self._run([self._resolved(node)], lambda index, value: value.copy(), deadline))[1]

    def map(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[tuple[int, R]]:
        """`(i, consume(i, value of nodes[i]))` for each expression, as they are done.

        `consume` runs in the caller's thread; it may neither write to the matrix nor keep it. The first error, of the
        evaluation or of `consume`, ends the batch; so does closing the iterator.

        Raises:
            BadInput: the panel lacks a field or group of an expression; before anything is run.
        """
        return self._run([self._resolved(node) for node in nodes], consume, None)

    def close(self) -> None:
        """Let go of what is on the device; a later call puts it there again."""
        self._device.clear()

    def rest(self) -> None:
        """Nothing is kept between batches but the fields: as `close`."""
        self.close()

    def __enter__(self) -> TorchEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- a batch -----------------------------------------------------------------------------------------------------

    def _run(
        self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R], deadline: float | None
    ) -> Iterator[tuple[int, R]]:
        """Wave after wave. `later`: in how many expressions to come each shared call stands."""
        later = tree.shared(nodes)
        waiting = in_order(nodes, later)
        held: dict[Call, Tensor] = {}
        while waiting:
            taken, steps, stays = self._next_wave(nodes, waiting, later, held)
            waiting = waiting[len(taken) :]
            for index in taken:
                later.subtract(call for call in tree.calls(nodes[index]) if call in later)
            yield from self._wave(nodes, taken, steps, stays, held, consume, deadline)
            for call in [call for call in held if later[call] <= 0]:
                del held[call]

    def _next_wave(
        self, nodes: Sequence[Node], waiting: Sequence[int], later: Counter[Call], held: dict[Call, Tensor]
    ) -> tuple[Sequence[int], plan.Wave, set[Call]]:
        """The expressions to run now, their steps, and what stays afterwards. Lets values go that leave no room."""
        room = self._device.room()
        found: tuple[Sequence[int], plan.Wave, set[Call]] | None = None
        for size in plan.sizes(len(waiting)):
            taken = waiting[:size]
            roots = [nodes[index] for index in taken]
            now = Counter(call for root in roots for call in tree.calls(root) if call in later)
            stays = {call for call, count in now.items() if later[call] > count}
            steps = plan.wave(roots, held, stays)
            if len(held) + steps.peak > room:
                break
            found = taken, steps, stays
        if found is None:
            root = nodes[waiting[0]]
            for call in sorted(held, key=lambda call: cost(call) * later[call]):
                if len(held) + plan.wave([root], held, (), deep=True).peak <= room:
                    break
                del held[call]
            found = waiting[:1], plan.wave([root], held, (), deep=True), set()
        return found

    def _wave(
        self,
        nodes: Sequence[Node],
        taken: Sequence[int],
        steps: plan.Wave,
        stays: set[Call],
        held: dict[Call, Tensor],
        consume: Callable[[int, Matrix], R],
        deadline: float | None,
    ) -> Iterator[tuple[int, R]]:
        """Run the steps, hand out each root when it is there, and leave in `held` what stays."""
        wanted: dict[Node, list[int]] = {}
        for index in taken:
            wanted.setdefault(nodes[index], []).append(index)
        left = Counter(steps.uses)
        values: dict[Call, Tensor] = dict(held)

        def used(call: Call, times: int = 1) -> None:
            left[call] -= times
            if left[call] == 0 and call not in held:
                del values[call]

        for node in [node for node in wanted if not isinstance(node, Call) or node in held]:
            for index in wanted.pop(node):
                yield index, consume(index, self._device.fetched(node, values))
        for calls in steps.steps:
            if deadline is not None and time.monotonic() > deadline:
                raise EvaluationTimeout(f"past its deadline before {calls[0].operator}")
            for call, value in zip(calls, self._device.run(calls, values), strict=True):
                values[call] = value
                if call in stays:
                    held[call] = value
            for call in calls:
                for each in plan.inputs(call):
                    used(each)
            for call in calls:
                indices = wanted.pop(call, [])
                if indices:
                    value_here = self._device.fetched(call, values)
                    used(call, len(indices))
                    for index in indices:
                        yield index, consume(index, value_here)
