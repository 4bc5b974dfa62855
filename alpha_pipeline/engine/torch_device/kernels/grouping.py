"""Which instruments belong together, and what they add up to.

Columns are put in the order of their group; totals then grow by doubling: each place takes the total of the place
1, 2, 4 … before it, as long as that is of the same group. So sums are made in the same order in every run, which adding
into a table from many threads at once is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

NOBODY = 2**31 - 1  # the label of who is in no group; behind all others


class Groups:
    """Labels of instruments, by day or for all days.

    Args:
        codes: [calls or 1, dates or 1, instruments], whole numbers from 0, NaN for no group; or int labels.
    """

    def __init__(self, codes: Tensor) -> None:
        if codes.is_floating_point():
            self.known = ~torch.isnan(codes)
            codes = torch.where(self.known, codes, 0.0).long()
        else:
            self.known = torch.ones_like(codes, dtype=torch.bool)
            codes = codes.long()
        self.labels = torch.where(self.known, codes, NOBODY).contiguous()

    @cached_property
    def _ordered(self) -> tuple[Tensor, Tensor]:
        """Labels in order, and which column each is from."""
        ordered = self.labels.sort(dim=-1, stable=True)
        return ordered.values, ordered.indices

    @cached_property
    def _last(self) -> Tensor:
        """For each column, where its group's run of ordered columns ends."""
        return torch.searchsorted(self._ordered[0], self.labels, right=True) - 1

    @cached_property
    def _largest(self) -> int:
        """Members of the largest group."""
        first = torch.searchsorted(self._ordered[0], self.labels)
        return int((self._last - first).max()) + 1 if self.labels.numel() else 0

    def total(self, values: Tensor) -> Tensor:
        """The sum over its group, for each cell."""
        return self._together(values, torch.add)

    def largest(self, values: Tensor) -> Tensor:
        """The largest value of its group, for each cell; zeros are +0, as in `windows.largest`."""
        return self._together(values + 0.0, torch.maximum)

    def _together(self, values: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        ordered, order = self._ordered
        held = values.gather(-1, order.expand_as(values))
        step = 1
        while step < self._largest:
            same = ordered[..., step:] == ordered[..., :-step]
            grown = torch.where(same, combine(held[..., step:], held[..., :-step]), held[..., step:])
            held = torch.cat((held[..., :step], grown), dim=-1)
            step *= 2
        return held.gather(-1, self._last.expand_as(held))
