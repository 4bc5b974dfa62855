"""In which order the calls of a batch run on a device, and which of them run as one. Knows no torch.

1. Expressions are put in the order of their dearest shared part (`batch.in_order`).
2. They are taken in waves: as many at a time as the memory holds.
3. A wave's distinct calls run level by level, leaves first; calls of a level that differ in nothing but their matrices
   are one step. An expression that fills the memory alone runs depth first, one call a step.
4. A value is let go after its last use in the wave, unless later expressions use it and there is room; what was let go
   for want of room is made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot
from alpha_pipeline.expression.types import AttributeValue

MATRICES = (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION, Slot.LABELS, Slot.GROUP)
"""Slots of arguments that are whole matrices on the device: groups that are no panel's own are matrices of codes."""

MOST = 256
"""Expressions of a wave: results are wanted while the batch runs."""

Signature = tuple[str, tuple[tuple[str, bool, AttributeValue], ...], tuple[object, ...]]


def inputs(call: Call) -> list[Call]:
    """The calls whose matrices it needs, once for each argument."""
    slots = OPERATORS[call.operator].slots_of(len(call.arguments))
    pairs = zip(slots, call.arguments, strict=True)
    return [argument for slot, argument in pairs if slot in MATRICES and isinstance(argument, Call)]


def signature(call: Call) -> Signature:
    """Calls with the same one are one kernel's run on stacked matrices."""
    slots = OPERATORS[call.operator].slots_of(len(call.arguments))
    kinds: list[object] = []
    for slot, argument in zip(slots, call.arguments, strict=True):
        if slot not in MATRICES or (slot is Slot.GROUP and isinstance(argument, Field)):
            kinds.append(argument)  # a window, a plain number, a panel's group, a vector field
        else:
            kinds.append("number" if isinstance(argument, Constant) else "matrix")
    attributes = tuple((name, isinstance(value, bool), value) for name, value in call.attributes)
    return call.operator, attributes, tuple(kinds)


@dataclass(frozen=True)
class Wave:
    """Expressions that run together.

    Attributes:
        steps: each a list of calls that run as one; in order.
        uses: how often each call's value is read in the wave, a root's by its caller included.
        peak: matrices that are there at once at most, held ones apart.
    """

    steps: list[list[Call]]
    uses: Counter[Call]
    peak: int


def wave(roots: Sequence[Node], held: Collection[Call], kept: Collection[Call], deep: bool = False) -> Wave:
    """The steps of some expressions.

    Args:
        held: calls whose values are there already.
        kept: calls whose values stay after the wave.
        deep: depth first, one call a step, in the place of level by level.
    """
    order = _inputs_first(roots, held)
    level: dict[Call, int] = {}
    uses: Counter[Call] = Counter(root for root in roots if isinstance(root, Call))
    steps: dict[object, list[Call]] = {}
    for number, call in enumerate(order):
        below = inputs(call)
        uses.update(below)
        level[call] = 1 + max((level.get(each, 0) for each in below), default=0)
        steps.setdefault(number if deep else (level[call], signature(call)), []).append(call)
    ordered = list(steps.values())
    if not deep:
        ordered.sort(key=lambda calls: level[calls[0]])
    return Wave(ordered, uses, _peak(ordered, uses, roots, held, kept))


def _inputs_first(roots: Sequence[Node], held: Collection[Call]) -> list[Call]:
    order: list[Call] = []
    seen: set[Call] = set()
    waiting = [(root, False) for root in reversed(roots) if isinstance(root, Call) and root not in held]
    while waiting:
        call, done = waiting.pop()
        if done:
            order.append(call)
        elif call not in seen:
            seen.add(call)
            waiting.append((call, True))
            waiting += [(each, False) for each in reversed(inputs(call)) if each not in held]
    return order


def _peak(
    steps: list[list[Call]],
    uses: Counter[Call],
    roots: Sequence[Node],
    held: Collection[Call],
    kept: Collection[Call],
) -> int:
    left = Counter(uses)
    handed_out = Counter(roots)
    there = most = 0
    for calls in steps:
        there += len(calls)
        most = max(most, there)
        for call in calls:
            if call in handed_out:
                left[call] -= handed_out[call]
                there -= left[call] == 0 and call not in kept
            for each in inputs(call):
                left[each] -= 1
                there -= left[each] == 0 and each not in held and each not in kept
    return most


def sizes(remaining: int) -> Iterator[int]:
    """How many expressions a wave may try to take: 1, 2, 4 …"""
    size = 1
    while size < min(remaining, MOST):
        yield size
        size *= 2
    yield min(remaining, MOST)
