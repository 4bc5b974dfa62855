"""numba's `njit` with our defaults, a type that strict mypy understands, and a cache that knows what code is made of.

Kernels release the GIL (`nogil`) so that threads run them side by side, and are cached on disk so that only the first
run on a machine compiles. NaN and infinity keep their meaning: no `fastmath` but the reordering of sums in `reduction`.

numba's own cache notices changes of a function's file only, and machine code holds what was imported as well: other
compiled functions, words of `lanes`, constants. Here it is stale as soon as any of our files has changed that the
function's file imports (`from … import`, as everywhere here), or they import.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent
IMPORT = re.compile(rf"^\s*from ({PACKAGE.name}(?:\.[\w.]+)?) import (\([^)]*\)|.*)$", re.MULTILINE)


def njit(function: F) -> F:
    """Compile `function` with numba: cached, without the GIL, IEEE arithmetic, division by zero as NumPy does it."""
    return _cached(function, numba.njit(nogil=True, error_model="numpy")(function))


def reduction(function: F) -> F:
    """`njit` for a loop whose sums may be reordered, so that they vectorise: only `reassoc` and `nsz` are allowed."""
    return _cached(function, numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})(function))


def inlined(function: F) -> F:
    """A function that becomes part of each compiled one that calls it, and is nowhere compiled on its own."""
    return cast(F, numba.njit(inline="always")(function))


def sources_of(path: Path) -> frozenset[Path]:
    """A file, and what it imports of this package, and so on."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return frozenset(found)


def _cached(function: F, compiled: Any) -> F:
    compiled._cache = _Cache(function)  # as numba's enable_caching does
    return cast(F, compiled)


class _Cache(FunctionCache):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        stamp = _stamp(Path(inspect.getfile(function)).resolve())
        self._cache_file = IndexDataCacheFile(self.cache_path, self._impl.filename_base, stamp)  # type: ignore[no-untyped-call]


@cache
def _stamp(path: Path) -> str:
    told = hashlib.sha256(numba.__version__.encode())
    for source in sorted(sources_of(path)):
        told.update(hashlib.sha256(_text(source).encode()).digest())
    return told.hexdigest()


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    return tuple(_modules(_text(path)))


def _modules(source: str) -> Iterator[Path]:
    """The files of this package that a source imports from: each name's own where it is a module."""
    for module, names in IMPORT.findall(source):
        folder = PACKAGE.joinpath(*module.split(".")[1:])
        for name in re.findall(r"\w+", names):
            inside = folder / f"{name}.py", folder / name / "__init__.py"
            candidates = (*inside, folder.with_suffix(".py"), folder / "__init__.py")
            yield from [each for each in candidates if each.is_file()][:1]
