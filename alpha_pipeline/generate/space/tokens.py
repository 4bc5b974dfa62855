"""The tokens of the search space: what an expression is written with, one after another, operators before inputs.

Kinds follow one another in a fixed order, each sorted or in the grammar's order, so that one grammar always gives one
vocabulary. A checkpoint of a policy names its tokens, and fits the vocabulary with the same ones only.
"""

from __future__ import annotations

from alpha_pipeline.expression import Field, Node, Unit
from alpha_pipeline.expression.printer import number_text
from alpha_pipeline.generate.space.grammar import NUMBERS, WINDOWS, Grammar
from alpha_pipeline.generate.space.units import UNITS

PLUS, MINUS = "+", "-"


class Vocabulary:
    """Every token of a grammar, and where it stands.

    Attributes:
        tokens: the tokens as texts: signs `+ -`, units `Unit[CSPrice:1]`, operators `rank(`, fields `close`, groups
            `group:sector`, windows `20d`, numbers `0.5`.
        index: from a text to its position.
        signs, units, operators, fields, groups, windows, numbers: positions by kind, keyed by what they stand for.
    """

    def __init__(self, grammar: Grammar) -> None:
        texts: list[str] = []

        def place(text: str) -> int:
            texts.append(text)
            return len(texts) - 1

        self.signs: dict[str, int] = {sign: place(sign) for sign in (PLUS, MINUS)}
        self.units: dict[Unit, int] = {unit: place(str(unit)) for unit in UNITS}
        self.operators: dict[str, int] = {o.name: place(f"{o.name}(") for o in grammar.operators}
        matrices = (leaves for symbol, leaves in grammar.leaves.items() if symbol in grammar.productions)
        names = sorted({leaf.name for leaves in matrices for leaf in leaves if isinstance(leaf, Field)})
        self.fields: dict[Node, int] = {Field(name): place(name) for name in names}
        self.groups: dict[str, int] = {name: place(f"group:{name}") for name in grammar.groups}
        self.windows: dict[int, int] = {days: place(f"{days}d") for days in WINDOWS}
        values = sorted({value for choice in NUMBERS.values() for value in choice.values})
        self.numbers: dict[float, int] = {value: place(number_text(value)) for value in values}
        self.tokens: tuple[str, ...] = tuple(texts)
        self.index: dict[str, int] = {text: position for position, text in enumerate(texts)}

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.tokens)
