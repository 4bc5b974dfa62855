"""A flame graph of a mining batch, as an SVG that needs no script: widths are shares of busy thread time.

    python -m benchmarks.flame [--candidates 256] [--out docs/images/flame.svg]

The genetic search on the random panel: proposing, evaluating, learning. What numba compiled appears under the name of
its operator. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from alpha_pipeline.engine import warmup
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.generate import SearchSettings, make_generator
from alpha_pipeline.generate.propose import propose
from benchmarks.panels import random_panel
from benchmarks.sampling import Sampler, Stack, sampled

WIDTH, ROW, MARGIN = 1200, 17, 8
SMALLEST = 0.002  # of all samples; narrower frames are left out
CHARACTER = 6.3  # pixels of the font


@dataclass
class Frame:
    """A function at one place of the stack: samples in it, and who it called."""

    samples: int = 0
    calls: dict[str, Frame] = field(default_factory=dict)


def merge(stacks: Counter[Stack]) -> Frame:
    """Stacks as one tree; a function that is reached again below itself is counted where it was reached first."""
    root = Frame()
    for stack, count in stacks.items():
        path: list[str] = []
        for name in stack:
            path = [*path[: path.index(name)], name] if name in path else [*path, name]
        frame = root
        frame.samples += count
        for name in path:
            frame = frame.calls.setdefault(name, Frame())
            frame.samples += count
    return root


def depth(frame: Frame, smallest: float) -> int:
    """Rows of the tree."""
    return 1 + max((depth(each, smallest) for each in frame.calls.values() if each.samples >= smallest), default=0)


def svg(root: Frame, title: str) -> str:
    """The graph, callers below."""
    smallest = SMALLEST * root.samples
    rows = depth(root, smallest)
    height = (rows + 2) * ROW + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="10.5">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{ROW}" font-size="13" fill="#222222">{escape(title)}</text>',
    ]

    def draw(frame: Frame, name: str, left: float, level: int) -> None:
        width = (WIDTH - 2 * MARGIN) * frame.samples / root.samples
        top = height - MARGIN - (level + 1) * ROW
        share = f"{name} {frame.samples / root.samples:.1%}"
        letters = int((width - 4) / CHARACTER)
        label = name if len(name) <= letters else name[: max(0, letters - 1)] + "…" if letters > 3 else ""
        parts.append(
            f'<g><title>{escape(share)}</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.3):.1f}" '
            f'height="{ROW - 1}" rx="1" fill="{colour(name)}"/>'
            + (f'<text x="{left + 2:.1f}" y="{top + ROW - 5}" fill="#111111">{escape(label)}</text>' if label else "")
            + "</g>"
        )
        for called, each in sorted(frame.calls.items()):
            if each.samples >= smallest:
                draw(each, called, left, level + 1)
            left += (WIDTH - 2 * MARGIN) * each.samples / root.samples

    draw(root, "all busy threads", MARGIN, 0)
    return "\n".join([*parts, "</svg>", ""])


def colour(name: str) -> str:
    """Operators green, the engine yellow, the backtest blue, the rest red; a little different by name."""
    shade = zlib.crc32(name.encode()) % 30
    if name.endswith("()") or name.startswith("engine.kernels"):
        return f"hsl(120,45%,{60 + shade / 2:.0f}%)"
    hue = 48 if name.startswith("engine") else 205 if name.startswith("backtest") else 10
    return f"hsl({hue},75%,{62 + shade / 2:.0f}%)"


def mine(candidates: int) -> Sampler:
    """A batch in the middle of a search, looked at while it runs."""
    panel = random_panel()
    evaluator = Evaluator(panel)
    settings = SearchSettings(budget=2 * candidates)
    generator = make_generator("genetic", 7, sorted(evaluator.available), "user", settings)
    propose(generator, evaluator, candidates)  # memory is touched, kernels are loaded
    with sampled() as sampler:
        propose(generator, evaluator, candidates)
    return sampler


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--candidates", type=int, default=256)
    options.add_argument("--out", type=Path, default=Path("docs/images/flame.svg"))
    chosen = options.parse_args()
    warmup(print)
    root = merge(mine(chosen.candidates).stacks)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    text = svg(root, f"Mining {chosen.candidates} candidates on 3,000 instruments × 1,260 days, two threads")
    chosen.out.write_text(text)
    print(f"{chosen.out}: {root.samples:,} samples, {len(text) / 1000:.0f} kB")
    print(json.dumps({"file": chosen.out.name, "samples": root.samples, "bytes": len(text)}))


if __name__ == "__main__":
    main()
