"""What cleaning did, in numbers: the quality report of an ingest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alpha_pipeline.market.cleaning import CUTTING_RULES, RULES, Cut


@dataclass(frozen=True)
class QualityReport:
    """Rows in, rows out, and where the others went.

    Attributes:
        rows_in, rows_out: rows read and rows in the panel; their difference is the sum of `quarantined`.
        quarantined: rule → rows taken out by it; every rule is listed, cutting rules count no rows.
        cuts: histories cut in two (C10 jumps, C12 long gaps).
        instruments_in: distinct names read; `instruments_out`: columns of the panel, pieces of a history apart.
        dropped: instruments of which no row is left.
        missing_bars: days inside an instrument's life without a bar.
        zero_volume_bars: rows kept that show a price and no volume.
        warnings: sentences for whoever reads a figure of this panel.
    """

    rows_in: int
    rows_out: int
    quarantined: Mapping[str, int]
    cuts: tuple[Cut, ...]
    instruments_in: int
    instruments_out: int
    dropped: tuple[str, ...]
    missing_bars: int
    zero_volume_bars: int
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        cuts = [{**dataclasses.asdict(cut), "date": str(cut.date)} for cut in self.cuts]
        return {
            **{each.name: getattr(self, each.name) for each in dataclasses.fields(self)},
            "quarantined": dict(self.quarantined),
            "cuts": cuts,
            "dropped": list(self.dropped),
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """The report as text, one line per fact."""
        lines = [f"rows in {self.rows_in:,}, out {self.rows_out:,}; instruments {self.instruments_in:,}"]
        for rule, meaning in RULES.items():
            if rule in CUTTING_RULES:
                lines.append(f"{rule} {sum(cut.rule == rule for cut in self.cuts):>9,} cuts  {meaning}")
            else:
                lines.append(f"{rule} {self.quarantined.get(rule, 0):>9,} rows  {meaning}")
        lines.append(f"missing bars {self.missing_bars:,}, bars without volume {self.zero_volume_bars:,}")
        return lines + list(self.warnings)
