"""Blends: two known expressions added, chosen by what their profits say the sum would earn.

Books of ranked signals add up nearly linearly, so the daily profit of `rank(a) + rank(b)` is close to that of the two
books together: (p_a + p_b) / √(2 + 2ρ), where ρ, the correlation of the profits, stands in for the overlap of the
books (the sum is scaled to one book again). Two weak, unrelated signals of Sharpe 0.9 make one of 1.27. The forecast
costs no proposal and decides only what is proposed; what counts is the evaluation that follows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.metrics import DAYS_PER_YEAR, LEVERAGE, TURNOVER_FLOOR
from alpha_pipeline.expression import Call, Node, canonical, depth, operator_count
from alpha_pipeline.generate.base import FloatArray, SearchSettings
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.reward import correlation_penalty, earning_reward

MOST_PAIRED = 120
"""Members that are paired at most; pairs grow with the square."""

BONUS = 0.5
"""What a forecast that meets all thresholds, uncorrelated with the elite, is worth beyond its reward."""

MARGIN = 1.05
"""By how much a forecast must beat Sharpe and fitness to be counted on; correlation must be 7 % below its limit."""

_COMPARABLE = frozenset({"rank", "zscore", "group_rank", "ts_rank"})
"""Operators whose results add up as they are: their spread across instruments is alike."""


class Blends:
    """The pairs of an archive's best members, by forecast; each one taken makes similar ones less wanted.

    Args:
        archive: evaluated expressions with their profits.
        candidates: how many members to pair, best rewards first.
        settings: bounds that a sum must keep.
        exportable: whether two members that meet the thresholds by themselves are paired with each other.
    """

    def __init__(self, archive: Archive, candidates: int, settings: SearchSettings, exportable: bool = True) -> None:
        best = archive.by_reward()
        strong = np.array([archive.members[i].meets for i in best], bool)
        most = min(candidates, MOST_PAIRED)
        if not exportable:  # room for both kinds, or the exportable would leave no others to pair with
            some = best[strong][: most // 2]
            best = np.concatenate([best[~strong][: most - len(some)], some])
        best = best[:most]
        self._members = [archive.members[i] for i in best]
        self.first, self.second = np.triu_indices(len(best), 1)
        self._used = self._too_large(settings)
        if not exportable:
            meets = np.array([member.meets for member in self._members], bool)
            self._used |= meets[self.first] & meets[self.second]
        if len(best) < 2:
            return
        pnl = np.nan_to_num(archive.pnl(best), nan=0.0)
        self._mean = pnl.mean(axis=1)
        self._centred = pnl - self._mean[:, None]
        self._resembles = np.zeros(len(self.first))
        self._forecast(archive)
        for profit in np.nan_to_num(archive.pnl(archive.elite), nan=0.0) if archive.elite else ():
            self._avoid(profit)

    def next(self, random: np.random.Generator, accept: Callable[[Node], bool]) -> Node | None:
        """The most promising sum that is acceptable and not taken yet; None when no pair is left."""
        if len(self._used) == 0:
            return None
        promising = self._meets & (self._resembles <= 0.93 * self._limit)
        value = self._value - correlation_penalty(self._resembles) + BONUS * promising
        value = np.where(self._used, -np.inf, value)
        while True:
            pair = int(value.argmax())  # of equal ones the first
            if self._used[pair]:
                return None
            self._used[pair], value[pair] = True, -np.inf
            one, other = int(self.first[pair]), int(self.second[pair])
            node = blend(random, self._members[one].node, self._members[other].node)
            if accept(node):
                self._avoid(self._centred[one] + self._centred[other])
                return node

    def _too_large(self, settings: SearchSettings) -> npt.NDArray[np.bool_]:
        """Pairs whose sum would break the bounds on depth or operators."""
        parts = [_comparable(member.node, "rank")[0] for member in self._members]
        depths = np.array([depth(part) for part in parts], dtype=np.int64)
        operators = np.array([operator_count(part) for part in parts], dtype=np.int64)
        deep = np.maximum(depths[self.first], depths[self.second]) + 1 > settings.deepest
        return np.asarray(deep | (operators[self.first] + operators[self.second] + 1 > settings.most_operators))

    def _forecast(self, archive: Archive) -> None:
        """Value of each pair but for its resemblance to what is taken; see the module for the arithmetic."""
        a, b, limits, days = self.first, self.second, archive.limits, self._centred.shape[1]
        covariance = self._centred @ self._centred.T / days
        deviation = np.sqrt(np.diag(covariance))
        rho = np.clip(covariance[a, b] / (deviation[a] * deviation[b]), -1.0, 1.0)
        book = np.sqrt(np.maximum(2 + 2 * rho, 1e-6))
        variance = covariance[a, a] + covariance[b, b] + 2 * covariance[a, b]
        self._spread = np.sqrt(np.maximum(variance, 1e-18))
        mean = self._mean[a] + self._mean[b]
        sharpe = np.sqrt(DAYS_PER_YEAR) * mean / self._spread
        returns = LEVERAGE * DAYS_PER_YEAR * mean / book
        each = np.array([member.turnover for member in self._members])
        turnover = np.sqrt(each[a] ** 2 + each[b] ** 2 + 2 * rho * each[a] * each[b]) / book
        fitness = sharpe * np.sqrt(np.abs(returns) / np.maximum(turnover, TURNOVER_FLOOR))
        error = np.sqrt((1 + 0.5 * sharpe**2 / DAYS_PER_YEAR) / max(days - 1, 1) * DAYS_PER_YEAR)
        self._value = earning_reward(sharpe - error, fitness)
        fits = (turnover >= limits.turnover_low) & (turnover <= limits.turnover_high)
        self._meets = (sharpe >= MARGIN * limits.sharpe) & (fitness >= MARGIN * limits.fitness) & fits
        self._limit = limits.correlation

    def _avoid(self, profit: FloatArray) -> None:
        """Note a daily profit, [days], that further blends should not resemble."""
        centred = profit - profit.mean()
        deviation = float(np.sqrt((centred**2).mean()))
        if deviation == 0.0:
            return
        cross = self._centred @ centred / len(centred) / deviation
        alike = np.abs(cross[self.first] + cross[self.second]) / self._spread
        self._resembles = np.maximum(self._resembles, alike)


def blend(random: np.random.Generator, first: Node, second: Node) -> Node:
    """The sum of two expressions, each brought to a comparable spread (rank or zscore) unless it is already."""
    name = "rank" if random.random() < 0.7 else "zscore"
    (one, one_sign), (other, other_sign) = _comparable(first, name), _comparable(second, name)
    if one_sign == other_sign:
        total = Call("add", (one, other))
        return canonical(total if one_sign > 0 else Call("reverse", (total,)))
    return canonical(Call("subtract", (one, other) if one_sign > 0 else (other, one)))


def _comparable(node: Node, name: str) -> tuple[Node, int]:
    """The expression without a leading minus and with a comparable spread, and its sign."""
    sign = 1
    if isinstance(node, Call) and node.operator == "reverse":
        node, sign = node.arguments[0], -1
    if _is_comparable(node):
        return node, sign
    if isinstance(node, Call) and node.operator in ("add", "subtract") and all(map(_is_comparable, node.arguments)):
        return node, sign
    if isinstance(node, Call) and node.operator in ("scale", "signed_power"):
        return Call("rank", (node.arguments[0],)), sign  # the same order within a day
    return Call(name, (node,)), sign


def _is_comparable(node: Node) -> bool:
    return isinstance(node, Call) and node.operator in _COMPARABLE
