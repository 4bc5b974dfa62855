"""The tree of an expression: a few kinds of immutable node, equal by structure.

Nodes hash once and can be shared, so that equal subexpressions are one key everywhere (planner, caches, duplicates).
They know no text, no types and no data, and may be wrong in all of these; see `parser`, `check` and the engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from alpha_pipeline.expression.types import AttributeValue


@dataclass(frozen=True, slots=True)
class Field:
    """A data field or a group by name, such as `close` or `sector`; or a text in quotes, which `check` refuses."""

    name: str

    @property
    def quoted(self) -> bool:
        """Whether it is a text in quotes, as written in the place of an input."""
        return self.name.startswith(('"', "'"))


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, or NaN. Windows are constants too: the operator's signature says which argument is one."""

    value: float

    def __post_init__(self) -> None:
        if self.value != self.value:
            object.__setattr__(self, "value", math.nan)  # one object, so that it equals itself inside a tuple
        elif self.value == 0:
            object.__setattr__(self, "value", 0.0)  # -0.0 equals it, and would divide otherwise


@dataclass(frozen=True, slots=True)
class Call:
    """An operator, by its registered name, applied to arguments; infix forms are calls as well (`a + b` is `add`).

    `attributes` are those given as name and value, in the order of the operator's declaration, without defaults.
    """

    operator: str
    arguments: tuple[Node, ...]
    attributes: tuple[tuple[str, AttributeValue], ...] = ()
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.operator, self.arguments, self.attributes)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Equal by structure. Of attributes, `true` is not 1: Python takes them for equal, the checker does not."""
        if self is other:
            return True
        if not isinstance(other, Call):
            return NotImplemented
        return (
            self._hash == other._hash
            and self.operator == other.operator
            and self.attributes == other.attributes
            and [type(value) is bool for _, value in self.attributes] == [type(v) is bool for _, v in other.attributes]
            and self.arguments == other.arguments
        )

    def over(self, arguments: Sequence[Node]) -> Call:
        """The same operator with the same attributes over other arguments."""
        return Call(self.operator, tuple(arguments), self.attributes)


Node: TypeAlias = Field | Constant | Call

Path: TypeAlias = tuple[int, ...]
"""Where a node stands: the argument positions from the root, () being the root itself."""


def walk(node: Node) -> Iterator[Node]:
    """Every node of the tree, parents before children, left to right."""
    yield node
    if isinstance(node, Call):
        for argument in node.arguments:
            yield from walk(argument)


def walk_paths(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node with its path, parents before children."""
    yield path, node
    if isinstance(node, Call):
        for position, argument in enumerate(node.arguments):
            yield from walk_paths(argument, (*path, position))


def replace_at(node: Node, path: Path, new: Node) -> Node:
    """The tree with `new` in the place of what stands at `path`; everything beside the path is shared, not copied."""
    if not path:
        return new
    if not isinstance(node, Call):
        raise IndexError(f"no node at {path}")
    position, *rest = path
    arguments = list(node.arguments)
    arguments[position] = replace_at(arguments[position], tuple(rest), new)
    return node.over(arguments)
