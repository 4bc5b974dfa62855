"""Which days may be seen by whom: search for everything that learns or selects, the gate to judge, the vault for last.

The three windows follow each other and never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.errors import BadInput

NAMES = ("search", "gate", "full")
SEARCH_SHARE = 0.8
GATE_SHARE = 0.2


@dataclass(frozen=True)
class Windows:
    """Rows of the panel: `search`, then `gate`, then `vault`; each a slice with plain start and stop."""

    search: slice
    gate: slice
    vault: slice

    def named(self, name: str) -> slice:
        """The rows of "search", "gate" or "full" (both together, never the vault); BadInput for any other name."""
        if name == "search":
            return self.search
        if name == "gate":
            return self.gate
        if name == "full":
            return slice(self.search.start, self.gate.stop)
        raise BadInput(f"{name!r} is not a window", "option 'window'", f"use one of {', '.join(NAMES)}")

    @classmethod
    def by_shares(cls, days: int, search: float = SEARCH_SHARE, gate: float = GATE_SHARE) -> Windows:
        """Windows over `days` rows by their share of them; the vault has what is left.

        Raises:
            BadInput: where a share is not a fraction, they sum to more than 1, or search would be empty.
        """
        if not (0 < search <= 1 and 0 <= gate <= 1 and search + gate <= 1 + 1e-9):
            raise BadInput(
                f"search {search} and gate {gate} are not shares of the days",
                "setting 'windows'",
                "use fractions above 0 that sum to at most 1, e.g. 0.8 and 0.2",
            )
        return cls._cut(days, round(days * search), round(days * min(search + gate, 1.0)))

    @classmethod
    def by_dates(
        cls, dates: npt.NDArray[np.datetime64], gate_from: str | None = None, vault_from: str | None = None
    ) -> Windows:
        """Windows over ascending `dates` [T]: the gate begins at `gate_from`, the vault at `vault_from` (ISO dates).

        Absent dates mean an empty window; with neither, all days are search.

        Raises:
            BadInput: for text that is no date, the wrong order, or dates that leave no day to search.
        """
        vault = _row(dates, vault_from, "vault_from")
        gate = vault if gate_from is None else _row(dates, gate_from, "gate_from")
        if gate > vault:
            raise BadInput(
                f"gate_from {gate_from} is after vault_from {vault_from}",
                "setting 'windows'",
                "let the gate come first",
            )
        return cls._cut(len(dates), gate, vault)

    @classmethod
    def _cut(cls, days: int, gate: int, vault: int) -> Windows:
        if gate < 1:
            raise BadInput(f"no day of {days} is left to search", "setting 'windows'", "let the gate begin later")
        return cls(slice(0, gate), slice(gate, vault), slice(vault, days))


def _row(dates: npt.NDArray[np.datetime64], text: str | None, name: str) -> int:
    if text is None:
        return len(dates)
    try:
        day = np.datetime64(text, "D")
    except ValueError as error:
        raise BadInput(f"{text!r} is not a date", f"setting '{name}'", "write it as 2020-12-31") from error
    if np.isnat(day):
        raise BadInput(f"{text!r} is not a date", f"setting '{name}'", "write it as 2020-12-31")
    return int(np.searchsorted(dates, day))
