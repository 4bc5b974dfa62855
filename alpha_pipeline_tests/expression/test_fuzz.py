"""100,000 random and mutated texts: no exception but ours, no text that takes long, bombs refused at a bound."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import numpy as np
import pytest

from alpha_pipeline.expression import ExpressionError, canonical, check, parse, parse_text, to_text, unit_warning
from alpha_pipeline.expression.check import _Checker
from alpha_pipeline.expression.lexer import LONGEST_TEXT
from alpha_pipeline_tests.expression.test_programs import PROGRAMS
from alpha_pipeline_tests.expression.trees import random_tree

TEXTS = 100_000
SECONDS_PER_KILOBYTE = 0.010
PIECES = [
    *"()+-*/^<>=!,.?:;&|\"'# 019aexyz_$\n\t\x00é²Σ",
    *("&&", "||", "==", "!=", "<=", "//", "/*", "*/", "1e400", "1e-3", ".5", "2.", "nan", "true", "not ", "and", "or"),
    *("rank(", "ts_mean(", "add(", "bucket(", "winsorize(", "vec_avg(", "combo_a(", "delta(", "IndClass.sector"),
    *(
        "close",
        "sector",
        "nws12_prez_4l",
        "ticker",
        "a = close;",
        "std=4",
        "lookback=5",
        'range="0,1,0.1"',
        "filter=true",
    ),
    *("ts_step(1)", "densify(", "group_coalesce(", ", 5)", ", sector)", "-" * 40, "(" * 40, "a" * 300),
]


def texts(random: np.random.Generator, count: int) -> Iterator[str]:
    """Noise from pieces of the language, and valid programs with a few characters or one word exchanged."""
    trees = [to_text(random_tree(random, 4)) for _ in range(300)]
    valid = [*PROGRAMS, *trees]
    words = sorted({word for text in trees for word in re.findall(r"\w+", text)})
    for number in range(count):
        if number % 4 == 0:
            yield "".join(PIECES[i] for i in random.integers(len(PIECES), size=random.integers(1, 25)))
            continue
        if number % 4 == 1:
            text = trees[random.integers(len(trees))]
            found = list(re.finditer(r"\w+", text))
            word = found[random.integers(len(found))]
            yield text[: word.start()] + words[random.integers(len(words))] + text[word.end() :]
            continue
        text = valid[random.integers(len(valid))]
        for _ in range(random.integers(1, 5)):
            place, cut = int(random.integers(len(text) + 1)), int(random.integers(0, 6))
            piece = PIECES[random.integers(len(PIECES))] if random.random() < 0.7 else text[place : place + 9]
            text = text[:place] + piece + text[place + cut :]
        yield text


def read(text: str) -> bool:
    """Whether the text is an expression; anything but our errors comes through."""
    try:
        parsed = parse_text(text)
        check(parsed, runs_here=False)
    except ExpressionError as error:
        described = str(error), error.pointer()
        assert "\n" not in described[0], f"more than one line: {described[0]!r}"
        return False
    tree = canonical(parsed.node)
    assert parse(to_text(tree)) == tree, text
    unit_warning(parsed.node)
    return True


def seconds(text: str, times: int = 1) -> float:
    """The shortest of several readings."""
    shortest = np.inf
    for _ in range(times):
        begun = time.perf_counter()
        read(text)
        shortest = min(shortest, time.perf_counter() - begun)
    return float(shortest)


@pytest.mark.parametrize("part", range(4))
def test_random_texts(part: int) -> None:
    random = np.random.default_rng(part)
    slow, valid = [], 0
    for text in texts(random, TEXTS // 4):
        begun = time.perf_counter()
        valid += read(text)
        if time.perf_counter() - begun > SECONDS_PER_KILOBYTE * max(1.0, len(text) / 1000):
            slow.append(text)
    assert valid > TEXTS // 4 // 50, "the mutations are so rough that nothing valid is left"
    # A busy machine makes any text slow once; a slow text is slow every time.
    bound = [SECONDS_PER_KILOBYTE * max(1.0, len(text) / 1000) for text in slow]
    assert not [text for text, most in zip(slow, bound, strict=True) if seconds(text, 5) > most]


BOMBS = [
    "(" * 5_000 + "close" + ")" * 4_900,
    "-" * 5_000 + "close",
    "!" * 5_000 + "close",
    "rank(" * 1_900 + "close",
    "close" + "+close" * 1_600,
    "close" + "^close" * 1_600,
    "close" + "?close:close" * 800,
    "close?" * 1_600 + "close",
    "1" + "^9" * 200 + "*close",
    "if_else(close>open," * 300 + "close",
    "max(" + "close," * 1_600 + "close)",
    "rank(close" + ",a=1" * 2_400,
    "".join(f"v{i}=v{i - 1}+v{i - 1};" for i in range(1, 600)) + "v599",
    "v0=close+open;" + "".join(f"v{i}=v{i - 1}*v{i - 1};" for i in range(1, 90)) + "v89",
    "close" * 2_000,
    "9" * 9_000,
    '"' * 9_999,
    "/*" * 4_999,
    "a=" * 4_000,
    ";" * 9_999,
    "x" * (LONGEST_TEXT + 1),
]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:12])
def test_bombs_are_refused_at_once(bomb: str) -> None:
    with pytest.raises(ExpressionError):
        check(parse_text(bomb))
    assert seconds(bomb, 3) < SECONDS_PER_KILOBYTE * len(bomb) / 1000


def test_the_test_sees_a_stray_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("slots")

    monkeypatch.setattr(_Checker, "slots", broken)
    with pytest.raises(KeyError):
        _ = [read(text) for text in texts(np.random.default_rng(0), 50)]
