"""What identifies a value: everything that decides its bits, hashed.

That is the panel's content (not its name: panels made from others by rows, columns or another scale have other bytes),
the engine's settings, the code that computes, the machine's arithmetic (sums are vectorised in the width of the CPU,
so their last bits differ between machines), and the tree.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numpy.typing import NDArray

import alpha_pipeline
from alpha_pipeline.engine.stores.checksum import checksum
from alpha_pipeline.engine.stores.entry import VERSION
from alpha_pipeline.expression import Call, Choices, Constant, Node
from alpha_pipeline.market.panel import Panel

PACKAGE = Path(alpha_pipeline.__file__).parent
ARITHMETIC = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NPY_DISABLE_CPU_FEATURES", "NUMBA_ENABLE_AVX")
MOST_REMEMBERED = 100_000


def source_version() -> str:
    """16 hex digits over the sources that make values: engine but for its stores, `lanes`, language, compiler."""
    digest = hashlib.sha256()
    for path in [PACKAGE / "jit.py", *_sources("lanes"), *_sources("engine"), *_sources("expression")]:
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(package: str) -> Iterator[Path]:
    stores = Path(__file__).parent
    return (path for path in sorted((PACKAGE / package).rglob("*.py")) if stores not in path.parents)


SOURCES = source_version()
"""Taken when this module is loaded, as the code is: what is edited later is not what this process runs."""


def arithmetic() -> dict[str, Any]:
    """What decides the last bits of a result beside the code."""
    features = json.dumps(dict(sorted(llvmlite.binding.get_host_cpu_features().items())))
    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "features": hashlib.sha256(features.encode()).hexdigest()[:16],
        "versions": [np.__version__, numba.__version__, llvmlite.__version__],
        "environment": {name: os.environ[name] for name in ARITHMETIC if name in os.environ},
    }


def panel_fingerprint(panel: Panel) -> str:
    """32 hex digits over all that expressions can read of a panel."""
    arrays: dict[str, NDArray[Any]] = {f"field {name}": values for name, values in panel.fields.items()}
    arrays |= {f"group {name}": codes for name, codes in panel.groups.items()}
    arrays["universe"] = panel.universe
    for name, events in panel.vectors.items():
        arrays |= {f"vector {name} values": events.values, f"vector {name} offsets": events.offsets}
    names = sorted(arrays)
    about = [[name, arrays[name].dtype.str, list(arrays[name].shape)] for name in names]
    return checksum(json.dumps(about).encode(), (arrays[name] for name in names)).hex()


class Keys:
    """Keys of the values of one engine: 40 hex digits each.

    Args:
        panel: read once, in full.
        windows, choices: how the engine reads expressions.
        settings: whatever else decides a value's bits, such as the device it is computed on.
    """

    def __init__(
        self, panel: Panel, *, windows: str, choices: Choices, settings: Mapping[str, str] | None = None
    ) -> None:
        context = {
            "format": VERSION,
            "sources": SOURCES,
            "arithmetic": arithmetic(),
            "panel": panel_fingerprint(panel),
            "shape": list(panel.shape),
            "windows": windows,
            "choices": asdict(choices),
            "settings": dict(settings or {}),
        }
        self._context = hashlib.sha256(json.dumps(context, sort_keys=True).encode()).digest()
        self._known: dict[Call, str] = {}

    def of(self, node: Node) -> str:
        """The key of a tree's value, from its operators, attributes, numbers and fields. Safe among threads."""
        if isinstance(node, Constant):
            return self._hash(f"number {float(node.value).hex()}")
        if not isinstance(node, Call):
            return self._hash(f"field {node.name!r}")
        key = self._known.get(node)
        if key is None:
            attributes = [(name, type(value).__name__, value) for name, value in node.attributes]
            inputs = " ".join(map(self.of, node.arguments))
            key = self._hash(f"call {node.operator} {attributes!r} {inputs}")
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[node] = key
        return key

    def _hash(self, spelt: str) -> str:
        return hashlib.blake2b(spelt.encode(), key=self._context, digest_size=20).hexdigest()
