"""One tree for what is plainly the same expression, so that duplicates are seen as such.

Rules rewrite an operator whose arguments are canonical already; they are tried in order until none applies. Only
rewrites that leave every value bit-identical are allowed, on any panel (but numbers are worked out in double
precision): the canonical form is what is evaluated and what gives an alpha its identity. A test proves each rule by
evaluation. What is equal in exact arithmetic alone (sums in another order, a logarithm of an exponential) is left to
the behaviour hash (`engine.behaviour`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from alpha_pipeline.expression.fields import adv_window, average_volume
from alpha_pipeline.expression.folding import fold
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.printer import to_text
from alpha_pipeline.expression.types import Slot

ONE, ZERO, MINUS_ONE = Constant(1.0), Constant(0.0), Constant(-1.0)
LONGEST_DELAY = 511
"""Days that delays add up to at most: what every reading of the longest lookback allows (see `choices`)."""

Rewrite = Callable[[Call], "Node | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite: what it makes of an operator, or None where it does not apply.

    Attributes:
        before, after: an example.
    """

    name: str
    rewrite: Rewrite
    before: str
    after: str


def canonical(node: Node) -> Node:
    """The canonical form of a tree; canonical trees are fixed points.

    Check a tree before, not after: what is wrong with it may be gone, as in `rank(close, foo=1)`.
    """
    if isinstance(node, Field):
        window = adv_window(node.name)
        return node if window in (None, 20) else average_volume(window)
    return _canonical_call(node) if isinstance(node, Call) else node


def identity(node: Node) -> str:
    """16 hex digits over the canonical text: one for all spellings of an expression."""
    return hashlib.sha256(to_text(canonical(node)).encode()).hexdigest()[:16]


@lru_cache(maxsize=50_000)
def _canonical_call(call: Call) -> Node:
    operator = OPERATORS.get(call.operator)
    call = call.over([canonical(argument) for argument in call.arguments])
    count = len(call.arguments)
    if operator is None or not operator.fits(count):
        return call
    for rule in RULES:
        new = rule.rewrite(call)
        if new is not None and new != call:
            return canonical(new)
    return call


def _is(node: Node, *names: str) -> bool:
    """Whether the node is a call, without attributes, of one of the operators."""
    return isinstance(node, Call) and node.operator in names and not node.attributes


def _inner(node: Node) -> Node:
    assert isinstance(node, Call)
    return node.arguments[0]


def _fold_numbers(call: Call) -> Node | None:
    values = [argument.value for argument in call.arguments if isinstance(argument, Constant)]
    return fold(call, values) if len(values) == len(call.arguments) else None


def _average_volume(call: Call) -> Node | None:
    return Field("adv20") if call == average_volume(20) else None


def _double_minus(call: Call) -> Node | None:
    return _inner(_inner(call)) if _is(call, "reverse") and _is(_inner(call), "reverse") else None


def _minus_once(call: Call) -> Node | None:
    """Signs go through products exactly, and a minus in a sum is a difference."""
    if call.attributes or len(call.arguments) != 2:
        return None
    one, other = call.arguments
    if call.operator == "multiply" and MINUS_ONE in (one, other):
        return Call("reverse", (other if one == MINUS_ONE else one,))
    minus_one, minus_other = _is(one, "reverse"), _is(other, "reverse")
    if call.operator in ("multiply", "divide"):
        if minus_one:
            return Call("reverse", (Call(call.operator, (_inner(one), other)),))
        return Call("reverse", (Call(call.operator, (one, _inner(other))),)) if minus_other else None
    if call.operator == "add" and minus_other:
        return Call("subtract", (one, _inner(other)))
    if call.operator == "add" and minus_one:
        return Call("subtract", (other, _inner(one)))
    if call.operator == "subtract" and minus_other:
        return Call("add", (one, _inner(other)))
    return None


def _neutral(call: Call) -> Node | None:
    if call.attributes or len(call.arguments) != 2:
        return None
    one, other = call.arguments
    if call.operator == "multiply" and ONE in (one, other):
        return other if one == ONE else one
    if call.operator == "divide" and other == MINUS_ONE:
        return Call("reverse", (one,))
    if (call.operator in ("divide", "power") and other == ONE) or (call.operator == "subtract" and other == ZERO):
        return one
    return None


def _quotient(call: Call) -> Node | None:
    return Call("divide", (ONE, call.arguments[0])) if _is(call, "inverse") else None


IDEMPOTENT = frozenset({"rank", "abs", "sign", "floor", "ceiling", "round", "purify", "pasteurize", "densify"})
"""Operators that change nothing when they are applied again."""


def _twice(call: Call) -> Node | None:
    if not call.arguments or not isinstance(call.arguments[0], Call):
        return None
    inner = call.arguments[0]
    if call.operator in IDEMPOTENT and inner.operator == call.operator:
        return inner if not call.attributes and not inner.attributes else None
    same_group = (
        call.operator == "group_rank" and inner.operator == "group_rank" and inner.arguments[1:] == call.arguments[1:]
    )
    return inner if same_group else None


def _sign_lost(call: Call) -> Node | None:
    return Call("abs", (_inner(_inner(call)),)) if _is(call, "abs") and _is(_inner(call), "reverse") else None


def _same_twice(call: Call) -> Node | None:
    if call.operator == "if_else" and call.arguments[1] == call.arguments[2]:
        return None if isinstance(call.arguments[1], Constant) else call.arguments[1]  # a number is no matrix
    return None


ORDERLESS = frozenset({"max", "min", "and", "or"})
"""Operators of which neither order nor brackets nor repetition count: their chains are sorted as a whole."""


def paired(call: Call) -> Call:
    """A chain of more than two inputs as calls with two: `add(a, b, c)` is `(a + b) + c`."""
    if len(call.arguments) <= 2 or not (OPERATORS[call.operator].chained or call.operator in ORDERLESS):
        return call
    first, *others = call.arguments
    for other in others:
        first = call.over([first, other])
    assert isinstance(first, Call)
    return first


def _flattened(call: Call) -> Node | None:
    if call.operator not in ORDERLESS or call.attributes:
        return paired(call) if len(call.arguments) > 2 else None
    waiting, found = list(call.arguments), dict[Node, None]()
    while waiting:
        here = waiting.pop()
        if isinstance(here, Call) and here.operator == call.operator:
            waiting += here.arguments
        else:
            found[here] = None
    ordered = sorted(found, key=to_text)
    return paired(call.over(ordered if len(ordered) > 1 else ordered * 2))


def _delays(call: Call) -> Node | None:
    if not (_is(call, "ts_delay") and _is(call.arguments[0], "ts_delay")):
        return None
    inner, days = call.arguments[0], call.arguments[1]
    assert isinstance(inner, Call)
    inner_days = inner.arguments[1]
    if not (isinstance(days, Constant) and isinstance(inner_days, Constant)):
        return None
    total = days.value + inner_days.value
    return Call("ts_delay", (inner.arguments[0], Constant(total))) if total <= LONGEST_DELAY else None


def _delta(call: Call) -> Node | None:
    if _is(call, "subtract") and _is(call.arguments[1], "ts_delay"):
        late = call.arguments[1]
        assert isinstance(late, Call)
        if late.arguments[0] == call.arguments[0] and not isinstance(call.arguments[0], Constant):
            return Call("ts_delta", late.arguments)
    return None


_MIRRORED = {"less": "greater", "greater": "less", "less_equal": "greater_equal", "greater_equal": "less_equal"}


def _turned(call: Call) -> Node | None:
    """A number stands on the right; of two expressions the one that sorts first stands on the left."""
    if call.operator not in _MIRRORED:
        return None
    one, other = call.arguments
    if isinstance(other, Constant) or (not isinstance(one, Constant) and to_text(one) <= to_text(other)):
        return None
    return Call(_MIRRORED[call.operator], (other, one))


def _renamed(call: Call) -> Node | None:
    """Into the names that an ordinary account has."""
    if call.operator == "negate":
        return Call("not", call.arguments)
    if call.operator == "is_not_nan":
        return Call("not", (Call("is_nan", call.arguments),))
    if call.operator == "group_rank" and call.arguments[1] == Field("market"):
        return Call("rank", call.arguments[:1])
    return None


_OPPOSITE = {
    "less": "greater_equal",
    "greater_equal": "less",
    "greater": "less_equal",
    "less_equal": "greater",
    "equal": "not_equal",
    "not_equal": "equal",
}


def _opposite(call: Call) -> Node | None:
    if _is(call, "not") and _is(_inner(call), *_OPPOSITE):
        comparison = _inner(call)
        assert isinstance(comparison, Call)
        return Call(_OPPOSITE[comparison.operator], comparison.arguments)
    return None


def _exact_rank(call: Call) -> Node | None:
    return Call("rank", call.arguments) if call.operator == "rank" and call.attributes else None


def _plain_group(call: Call) -> Node | None:
    """A group operator sees which instruments are together, not the labels: 1 is the market, densify does nothing."""
    operator = OPERATORS[call.operator]
    arguments = list(call.arguments)
    for position, slot in enumerate(operator.slots_of(len(arguments))):
        given = arguments[position]
        if slot is Slot.GROUP and given == ONE:
            arguments[position] = Field("market")
        elif slot is Slot.GROUP and _is(given, "densify"):
            arguments[position] = _inner(given)
    return call.over(arguments) if tuple(arguments) != call.arguments else None


def _sorted(call: Call) -> Node | None:
    if not OPERATORS[call.operator].commutative or call.operator in ORDERLESS:
        return None
    first, second, *rest = call.arguments
    return call.over([second, first, *rest]) if to_text(second) < to_text(first) else None


RULES: tuple[Rule, ...] = (
    Rule("numbers are worked out", _fold_numbers, "2 * 3 * close", "6 * close"),
    Rule("averages of volume in one spelling", _average_volume, "ts_mean(volume, 20)", "adv20"),
    Rule("1 / x for inverse", _quotient, "inverse(close)", "1 / close"),
    Rule("two minuses cancel", _double_minus, "-(-close)", "close"),
    Rule(
        "a minus stands outside products, and makes a sum a difference", _minus_once, "close * -open", "-(close * open)"
    ),
    Rule("neutral numbers vanish", _neutral, "close * 1", "close"),
    Rule("once is enough", _twice, "rank(rank(close))", "rank(close)"),
    Rule("abs loses the sign", _sign_lost, "abs(-close)", "abs(close)"),
    Rule("a choice between equals", _same_twice, "low > 0 ? close : close", "close"),
    Rule("largest of a set, in any order", _flattened, "max(open, max(close, open))", "max(close, open)"),
    Rule("comparisons read one way", _turned, "open > close", "close < open"),
    Rule("delays add up", _delays, "ts_delay(ts_delay(close, 2), 3)", "ts_delay(close, 5)"),
    Rule("a difference from the past is a delta", _delta, "close - ts_delay(close, 5)", "ts_delta(close, 5)"),
    Rule("not of a comparison is the opposite one", _opposite, "!(close < open)", "close >= open"),
    Rule("one name for one thing", _renamed, "negate(close)", "not(close)"),
    Rule("ranks are exact", _exact_rank, "rank(close, rate=0)", "rank(close)"),
    Rule(
        "groups go by who is together",
        _plain_group,
        "group_rank(close, densify(sector))",
        "group_rank(close, sector)",
    ),
    Rule("commuted arguments are sorted", _sorted, "open + close", "close + open"),
)
"""In this order: numbers first, so that later rules see them worked out; sorting last, on what is left."""
