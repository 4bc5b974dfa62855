"""Blends: two known expressions added, chosen by what their profits say the sum would earn.

Books of ranked signals add up nearly linearly, so the daily profit of `rank(a) + rank(b)` is close to that of the two
books together: (p_a + p_b) / √(2 + 2ρ), where ρ, the correlation of the profits, stands in for the overlap of the
books (the sum is scaled to one book again). Two weak, unrelated signals of Sharpe 0.9 make one of 1.27. The forecast
costs no proposal and decides only what is proposed; what counts is the evaluation that follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Call, Node, canonical
from alpha_pipeline.generate.archive import Archive
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.reward import DAYS_PER_YEAR, Thresholds, correlation_penalty

IndexArray = npt.NDArray[np.intp]

_COMPARABLE = frozenset({"rank", "zscore", "group_rank", "ts_rank"})
"""Operators whose results add up as they are: their spread across instruments is alike."""

BONUS = 0.5
"""What a forecast that meets all thresholds, uncorrelated with the elite, is worth beyond its reward."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a sum of two members is expected to earn."""

    first: int
    second: int
    value: float


def forecasts(archive: Archive, candidates: int, chosen: FloatArray) -> list[Forecast]:
    """All pairs of the best `candidates` members by reward, the most promising first.

    Args:
        archive: evaluated expressions with their profits.
        candidates: how many members to pair.
        chosen: profits that the blend should not resemble, [k, days]: what is or will be exported.
    """
    limits = archive.limits
    best = np.argsort(-archive.rewards, kind="stable")[:candidates]
    if len(best) < 2:
        return []
    pnl = np.nan_to_num(archive.pnl[best], nan=0.0)
    days = pnl.shape[1]
    mean, covariance = pnl.mean(axis=1), np.atleast_2d(np.cov(pnl, bias=True))
    spread = np.sqrt(np.diag(covariance))
    rho = covariance / np.outer(spread, spread)
    book = np.sqrt(np.maximum(2 + 2 * rho, 1e-9))
    first, second = np.triu_indices(len(best), 1)
    pair_spread = np.sqrt(covariance[first, first] + covariance[second, second] + 2 * covariance[first, second])
    sharpe = np.sqrt(DAYS_PER_YEAR) * (mean[first] + mean[second]) / np.maximum(pair_spread, 1e-12)
    turnover_each = np.array([archive.members[i].turnover for i in best])
    turnover = (
        np.sqrt(
            turnover_each[first] ** 2
            + turnover_each[second] ** 2
            + 2 * rho[first, second] * turnover_each[first] * turnover_each[second]
        )
        / book[first, second]
    )
    returns = 2 * DAYS_PER_YEAR * (mean[first] + mean[second]) / book[first, second]
    fitness = sharpe * np.sqrt(np.abs(returns) / np.maximum(turnover, 0.125))
    resembles = _resemblance(pnl, chosen, pair_spread, first, second)
    error = np.sqrt((1 + 0.5 * sharpe**2 / DAYS_PER_YEAR) / max(days - 1, 1) * DAYS_PER_YEAR)
    value = 0.5 * np.tanh((sharpe - error) / 2) + 0.25 * np.tanh(fitness / 1.5) - correlation_penalty(resembles)
    value = value + BONUS * _promising(sharpe, fitness, turnover, resembles, limits)
    order = np.argsort(-value, kind="stable")
    return [Forecast(int(best[first[k]]), int(best[second[k]]), float(value[k])) for k in order]


def blended_pnl(archive: Archive, forecast: Forecast) -> FloatArray:
    """The profit that the forecast stands on, [days], up to scale."""
    return np.asarray(np.nan_to_num(archive.pnl[forecast.first] + archive.pnl[forecast.second], nan=0.0))


def blend(random: np.random.Generator, first: Node, second: Node) -> Node:
    """The sum of two expressions, each brought to a comparable spread (rank or zscore) unless it is already."""
    name = "rank" if random.random() < 0.7 else "zscore"
    (one, one_sign), (other, other_sign) = _comparable(first, name), _comparable(second, name)
    if one_sign == other_sign:
        total = Call("add", (one, other))
        return canonical(total if one_sign > 0 else Call("reverse", (total,)))
    return canonical(Call("subtract", (one, other) if one_sign > 0 else (other, one)))


def _comparable(node: Node, name: str) -> tuple[Node, int]:
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


def _resemblance(
    pnl: FloatArray, chosen: FloatArray, pair_spread: FloatArray, first: IndexArray, second: IndexArray
) -> FloatArray:
    if len(chosen) == 0:
        return np.zeros(len(first))
    other = np.nan_to_num(chosen, nan=0.0)
    other = other - other.mean(axis=1, keepdims=True)
    cross = (pnl - pnl.mean(axis=1, keepdims=True)) @ other.T / pnl.shape[1]  # [members, chosen]
    scale = np.outer(np.maximum(pair_spread, 1e-12), np.maximum(other.std(axis=1), 1e-12))
    return np.asarray(np.abs((cross[first] + cross[second]) / scale).max(axis=1))


def _promising(
    sharpe: FloatArray, fitness: FloatArray, turnover: FloatArray, resembles: FloatArray, limits: Thresholds
) -> FloatArray:
    fits = (turnover >= limits.lowest_turnover) & (turnover <= limits.highest_turnover)
    meets = (sharpe >= 1.05 * limits.sharpe) & (fitness >= 1.05 * limits.fitness) & fits
    return np.asarray(meets & (resembles <= 0.93 * limits.correlation), dtype=np.float64)
