"""Every derivation of the token space ends in a valid expression, and every valid expression has one."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Constant,
    Field,
    Node,
    Slot,
    ValueType,
    canonical,
    export_text,
    operator_count,
    parse,
    to_text,
    walk,
)
from alpha_pipeline.expression.simplify import ORDERLESS
from alpha_pipeline.generate import Grammar, SearchSettings
from alpha_pipeline.generate.space.grammar import ROOTS, Choice, Production, Symbol, negated
from alpha_pipeline.generate.space.prefix import Derivation, PrefixSpace, Priors
from alpha_pipeline_tests.generate.toy import FIELDS

UNIFORM = Priors(length_centre=None, arity=False, weights=False)

SPACES: list[tuple[list[str], SearchSettings, str, int]] = [
    (FIELDS, SearchSettings(), "user", 600),
    (FIELDS, SearchSettings(longest_lookback=30), "user", 500),
    (FIELDS, SearchSettings(deepest=1, most_operators=1), "user", 2_000),
    (FIELDS, SearchSettings(deepest=2, most_operators=2), "user", 2_000),
    (FIELDS, SearchSettings(deepest=3, most_operators=4, longest_lookback=45), "user", 2_050),
    (["close"], SearchSettings(deepest=3, most_operators=5), "user", 1_000),
    (["returns"], SearchSettings(deepest=4, most_operators=5), "user", 500),
    (["close", "returns"], SearchSettings(most_operators=4), "user", 500),
    (["close", "volume", "market"], SearchSettings(deepest=10, most_operators=8), "user", 500),
    (["cap", "volume", "sector"], SearchSettings(deepest=3, most_operators=6, longest_lookback=40), "user", 300),
    (FIELDS, SearchSettings(deepest=10, most_operators=60, longest_lookback=2_000), "consultant", 50),
]
"""Fields, bounds, profile, and samples by each of two priors: 20,000 in all."""


def drawn(space: PrefixSpace, count: int, seed: int = 0) -> list[Derivation]:
    random = np.random.default_rng(seed)
    return [space.sample(random) for _ in range(count)]


@pytest.mark.parametrize(("fields", "settings", "profile", "count"), SPACES)
@pytest.mark.parametrize("priors", [UNIFORM, Priors()], ids=["uniform", "priors"])
def test_every_sample_is_valid(
    fields: list[str], settings: SearchSettings, profile: str, count: int, priors: Priors
) -> None:
    grammar = Grammar(fields, profile, settings)
    space = PrefixSpace(grammar, priors)
    for derivation in drawn(space, count):
        node = derivation.node()
        assert grammar.problem(node) is None, to_text(node)
        assert canonical(node) == node
        assert isinstance(node, Call)


def test_twenty_thousand_samples() -> None:
    assert sum(2 * count for *_, count in SPACES) == 20_000


def trees(grammar: Grammar, symbol: Symbol, depth: int, operators: int) -> Iterator[Node]:
    """All trees of a nonterminal by the grammar's productions, with no look-ahead and no bans."""
    yield from grammar.leaves.get(symbol, ())
    if depth and operators:
        for production in grammar.productions.get(symbol, ()):
            yield from fillings(grammar, production, depth - 1, operators - 1)


def fillings(grammar: Grammar, production: Production, depth: int, operators: int) -> Iterator[Node]:
    choices: list[list[Node]] = []
    for position, given in enumerate(production.inputs):
        if isinstance(given, Choice):
            choices.append([Constant(value) for value in given.values if not given.window or value <= 10])
        elif production.operator.slots[position] is Slot.GROUP:
            choices.append([Field(name) for name in grammar.groups])
        else:
            choices.append(list(trees(grammar, given, depth, operators)))
    for arguments in itertools.product(*choices):
        if sum(operator_count(argument) for argument in arguments) <= operators:
            yield Call(production.operator.name, arguments)


def derived(space: PrefixSpace, tokens: list[int]) -> Iterator[Node]:
    """All expressions whose derivations begin with the tokens."""
    derivation = space.begin()
    for token in tokens:
        derivation.take(token)
    if derivation.done:
        yield derivation.node()
    for token in derivation.legal_tokens:
        yield from derived(space, [*tokens, token])


def chained(node: Node) -> bool:
    """Whether `max` stands in `max`, or `min` in `min`: what the space leaves out."""
    return any(
        isinstance(part, Call)
        and part.operator in ORDERLESS
        and any(isinstance(inner, Call) and inner.operator == part.operator for inner in part.arguments)
        for part in walk(node)
    )


def days(node: Node) -> int:
    """Windows along the path where they add up to most; 20 days below them are kept for the fields' own history."""
    if not isinstance(node, Call):
        return 0
    position = OPERATORS[node.operator].window_position
    window = node.arguments[position] if position is not None else Constant(0.0)
    assert isinstance(window, Constant)
    return int(window.value) + max(days(argument) for argument in node.arguments)


def valid(grammar: Grammar, deepest: int, operators: int) -> set[Node]:
    """Every expression of the grammar that may be proposed, by brute force; windows up to 10 days."""
    expected = set[Node]()
    for (symbol, _), minus in itertools.product(ROOTS, (False, True)):
        for tree in trees(grammar, symbol, deepest - minus, operators - minus):
            node = canonical(negated(tree) if minus else tree)
            allowed = isinstance(node, Call) and not chained(node) and days(node) <= 10
            if allowed and grammar.problem(node) is None:
                expected.add(node)
    return expected


@pytest.mark.parametrize(
    ("fields", "deepest", "operators"),
    [
        (["close"], 2, 2),
        (["returns"], 2, 2),
        (["close", "volume"], 2, 2),
        (["close", "returns", "sector"], 2, 2),
    ],
)
def test_nothing_but_chains_is_left_out(fields: list[str], deepest: int, operators: int) -> None:
    grammar = Grammar(fields, settings=SearchSettings(deepest=deepest, most_operators=operators, longest_lookback=30))
    expected = valid(grammar, deepest, operators)
    found = set(derived(PrefixSpace(grammar), []))
    assert {to_text(node) for node in found} == {to_text(node) for node in expected}
    assert len(found) > 100


def twins(node: Node) -> bool:
    """Whether two inputs of one operator begin with the same one."""
    inner = [part.operator for part in node.arguments if isinstance(part, Call)] if isinstance(node, Call) else []
    return len(set(inner)) < len(inner) or (isinstance(node, Call) and any(map(twins, node.arguments)))


def test_at_the_limit_some_twins_are_left_out() -> None:
    """The look-ahead allows for a twin's input to be forbidden, though another window would tell the two apart."""
    grammar = Grammar(["close"], settings=SearchSettings(deepest=2, most_operators=3, longest_lookback=30))
    expected, found = valid(grammar, 2, 3), set(derived(PrefixSpace(grammar), []))
    assert found <= expected
    assert all(twins(node) for node in expected - found)
    assert len(found) > 0.9 * len(expected)


@pytest.mark.parametrize("fields", [FIELDS, ["close", "volume", "returns"]])
def test_what_the_grammar_samples_has_tokens(fields: list[str]) -> None:
    grammar = Grammar(fields)
    space, random = PrefixSpace(grammar), np.random.default_rng(4)
    for _ in range(200):
        node = grammar.sample(random)
        assert node is not None
        tokens = space.encode(node)
        assert (tokens is None) == chained(node), to_text(node)
        assert tokens is None or space.decode(tokens) == node


def test_round_trip() -> None:
    space = PrefixSpace(Grammar(FIELDS))
    for derivation in drawn(space, 300):
        assert space.decode(derivation.tokens) == derivation.node()
        tokens = space.encode(derivation.node())
        assert tokens is not None
        assert space.decode(tokens) == derivation.node()


TEXTS = [
    ("-returns", "- Unit[] returns"),
    ("rank(ts_delta(close, 5) / close)", "+ Unit[] rank( Unit[CSPrice:-1,TSPrice:1] divide( ts_delta( Unit[CSPrice:1] "
     "5d close close"),
    ("group_rank(ts_corr(returns, volume, 20), sector)", "+ Unit[] group_rank( Unit[] group:sector ts_corr( Unit[] "
     "Unit[CSShare:1] 20d returns volume"),
    ("if_else(ts_rank(volume, 20) > 0.8, -returns, returns)", "+ Unit[] if_else( greater( 0.8 ts_rank( "
     "Unit[CSShare:1] 20d volume reverse( returns returns"),
    ("signed_power(returns, 0.5)", "+ Unit[] signed_power( 0.5 returns"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tokens"), TEXTS)
def test_tokens(text: str, tokens: str) -> None:
    space = PrefixSpace(Grammar(FIELDS))
    found = space.encode(parse(text))
    assert found is not None
    assert " ".join(space.vocabulary.tokens[token] for token in found) == tokens
    assert space.decode([space.vocabulary.index[token] for token in tokens.split()]) == canonical(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "returns",
        "rank(close)",
        "close - open",
        "ts_mean(returns, 21)",
        "ts_mean(returns, 20.5)",
        "rank(zscore(returns))",
        "ts_corr(volume, volume, 10)",
        "max(max(returns, rank(returns)), ts_rank(returns, 5))",
        "adv20 / ts_mean(cap, 20)",
        "ts_mean(returns, 252) + ts_mean(ts_mean(returns, 252), 252)",
        "-rank(returns) + 0.3",
        "1",
        "sector",
        "winsorize(returns, std=4)",
    ],
)
def test_what_is_not_in_the_space_has_no_tokens(text: str) -> None:
    assert PrefixSpace(Grammar(FIELDS)).encode(parse(text)) is None


def test_decode_refuses() -> None:
    space = PrefixSpace(Grammar(FIELDS))
    tokens = space.encode(parse("-returns"))
    assert tokens is not None
    with pytest.raises(ValueError, match="end no expression"):
        space.decode(tokens[:-1])
    with pytest.raises(ValueError, match="may not follow"):
        space.decode([*tokens, tokens[-1]])
    with pytest.raises(ValueError, match="may not follow"):
        space.decode([tokens[1]])
    with pytest.raises(ValueError, match="may not follow"):
        space.decode([-1])


def test_average_volume_keeps_its_name() -> None:
    """`ts_mean(volume, 20)` becomes `adv20`, whose unit is another."""
    space = PrefixSpace(Grammar(FIELDS))
    begun = space.encode(parse("ts_mean(volume, 10) / ts_mean(volume, 40)"))
    assert begun is not None
    tokens = [space.vocabulary.index["20d"] if t == space.vocabulary.index["40d"] else t for t in begun]
    with pytest.raises(ValueError, match="may not follow"):
        space.decode(tokens)


def test_equal_arguments_end_in_another_leaf() -> None:
    """`a - b` may not become `a - a`, deep in the tree or not."""
    space = PrefixSpace(Grammar(["close", "open", "returns"]))
    tokens = space.encode(parse("ts_delta(close, 5) / close - ts_delta(close, 5) / open"))
    assert tokens is not None
    derivation = space.begin()
    for token in tokens[:-1]:
        derivation.take(token)
    assert derivation.legal_tokens != ()
    assert not derivation.legal()[0][space.vocabulary.index["close"]]
    assert derivation.legal()[0][space.vocabulary.index["open"]]


def test_legal_tokens_mask_and_prior_agree() -> None:
    space, random = PrefixSpace(Grammar(FIELDS)), np.random.default_rng(1)
    for _ in range(30):
        derivation = space.begin()
        while not derivation.done:
            mask, prior = derivation.legal()
            assert mask.shape == prior.shape == (len(space.vocabulary),)
            assert mask.dtype == np.bool_
            assert prior.dtype == np.float32
            assert tuple(np.flatnonzero(mask)) == derivation.legal_tokens
            assert (np.isfinite(prior) == mask).all()
            assert np.exp(prior, dtype=np.float64).sum() == pytest.approx(1.0, abs=1e-5)
            assert derivation.forced == (derivation.legal_tokens[0] if mask.sum() == 1 else None)
            assert not mask.flags.writeable
            assert not prior.flags.writeable
            for value, size in zip(derivation.context(), space.context_sizes, strict=True):
                assert 0 <= value < size
            derivation.take(derivation.draw(random))
        assert not derivation.legal()[0].any()
        assert derivation.forced is None


def test_context() -> None:
    space = PrefixSpace(Grammar(FIELDS))
    vocabulary, nothing = space.vocabulary, len(space.vocabulary)
    derivation = space.begin()
    assert derivation.context()[:3] == (nothing, nothing, 0)
    assert derivation.context().previous == nothing
    for token in ["+", "Unit[]", "subtract(", "rank(", "Unit[]", "returns"]:
        derivation.take(vocabulary.index[token])
    context = derivation.context()
    assert context.parent == vocabulary.index["subtract("]
    assert context.sibling == vocabulary.index["rank("]
    assert context.depth == 1
    assert space.ahead.symbols[context.expected] == Symbol(ValueType.MATRIX)
    assert context.room == space.settings.most_operators - 2
    assert context.previous == vocabulary.index["returns"]


def test_draws_follow_the_prior() -> None:
    space, random = PrefixSpace(Grammar(FIELDS)), np.random.default_rng(2)
    derivation = space.begin()
    for token in ["+", "Unit[]"]:
        derivation.take(space.vocabulary.index[token])
    count = 20_000
    found = np.bincount([derivation.draw(random) for _ in range(count)], minlength=len(space.vocabulary))
    share = np.exp(derivation.legal()[1], dtype=np.float64)
    assert (np.abs(found / count - share) <= 5 * np.sqrt(share * (1 - share) / count) + 1e-9).all()


def test_length_prior_moves_the_length() -> None:
    grammar = Grammar(FIELDS)
    means = [
        np.mean([operator_count(d.node()) for d in drawn(PrefixSpace(grammar, Priors(length_centre=centre)), 60)])
        for centre in (1.0, 4.0, None)
    ]
    assert means == sorted(means)
    assert means[0] < 5
    assert means[2] > 10


def test_same_seed_same_tokens_whatever_the_hashes() -> None:
    program = (
        "import numpy as np; from alpha_pipeline.generate import Grammar; "
        "from alpha_pipeline.generate.space.prefix import PrefixSpace; "
        f"space = PrefixSpace(Grammar({FIELDS!r})); random = np.random.default_rng(7); "
        "print(space.vocabulary.tokens, [space.sample(random).tokens for _ in range(50)])"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(written) == 1
    assert "returns" in written.pop()


def begun(space: PrefixSpace, tokens: str) -> Derivation:
    derivation = space.begin()
    for token in tokens.split():
        derivation.take(space.vocabulary.index[token])
    return derivation


def test_a_difference_may_not_become_its_delta() -> None:
    """`returns - ts_delay(returns, 5)` is `ts_delta(returns, 5)` in another spelling."""
    space = PrefixSpace(Grammar(FIELDS))
    start = "+ Unit[] subtract( ts_delta( Unit[] 5d returns subtract( returns ts_delay( Unit[]"
    legal = {days: begun(space, f"{start} {days}").legal()[0] for days in ("5d", "10d")}
    leaf = space.vocabulary.index["returns"]
    assert not legal["5d"][leaf]
    assert legal["10d"][leaf]


def test_one_spelling_of_a_negated_difference() -> None:
    space = PrefixSpace(Grammar(FIELDS))
    subtract = space.vocabulary.index["subtract("]
    assert begun(space, "+ Unit[]").legal()[0][subtract]
    assert not begun(space, "- Unit[]").legal()[0][subtract]


def test_export_text_is_never_longer_than_reckoned() -> None:
    space = PrefixSpace(Grammar(FIELDS, "consultant"), UNIFORM)
    for derivation in drawn(space, 100):
        operators = [space.operator_of[token] for token in derivation.tokens if token in space.operator_of]
        most = sum(space.characters[name] for name in operators) + max(map(len, [*FIELDS, "adv20"])) + 3
        assert len(export_text(derivation.node(), "consultant")) <= most
