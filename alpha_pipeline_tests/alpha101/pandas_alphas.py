"""Alphas of "101 Formulaic Alphas" in pandas, written by hand from the paper; `ALPHAS` holds them by number.

Together they use every function and every infix operator of the paper. Each is checked against the engine's value of
the paper's own text (cases/alpha101.txt), so nothing here may be made from that text by a program.

96 and 98 are not among them: they take the day of an extreme among correlations of a few ranks, which are often equal
but for rounding, and build further on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline_tests.alpha101.paper_functions import (
    Frame,
    Paper,
    choose,
    either,
    equal,
    larger,
    less,
    log,
    power,
    signedpower,
    smaller,
)

Alpha = Callable[[Paper], Frame]
ALPHAS: dict[int, Alpha] = {}

TIED = (13, 15, 88)
"""Alphas that rank what is made of ranks: equal values abound, and rounding alone decides which comes first."""


def numbered(number: int) -> Callable[[Alpha], Alpha]:
    def keep(alpha: Alpha) -> Alpha:
        assert number not in ALPHAS
        ALPHAS[number] = alpha
        return alpha

    return keep


@numbered(1)
def _(p: Paper) -> Frame:
    level = choose(less(p.returns, 0), p.stddev(p.returns, 20), p.close)
    return p.rank(p.ts_argmax(signedpower(level, 2.0), 5)) - 0.5


@numbered(2)
def _(p: Paper) -> Frame:
    return -p.correlation(p.rank(p.delta(log(p.volume), 2)), p.rank((p.close - p.open) / p.open), 6)


@numbered(3)
def _(p: Paper) -> Frame:
    return -p.correlation(p.rank(p.open), p.rank(p.volume), 10)


@numbered(4)
def _(p: Paper) -> Frame:
    return -p.ts_rank(p.rank(p.low), 9)


@numbered(5)
def _(p: Paper) -> Frame:
    return p.rank(p.open - p.sum(p.vwap, 10) / 10) * -p.rank(p.close - p.vwap).abs()


@numbered(6)
def _(p: Paper) -> Frame:
    return -p.correlation(p.open, p.volume, 10)


@numbered(7)
def _(p: Paper) -> Frame:
    week = p.delta(p.close, 7)
    return choose(less(p.adv(20), p.volume), -p.ts_rank(week.abs(), 60) * np.sign(week), -1.0)


@numbered(8)
def _(p: Paper) -> Frame:
    product = p.sum(p.open, 5) * p.sum(p.returns, 5)
    return -p.rank(product - p.delay(product, 10))


@numbered(9)
def _(p: Paper) -> Frame:
    step = p.delta(p.close, 1)
    return choose(less(0, p.ts_min(step, 5)), step, choose(less(p.ts_max(step, 5), 0), step, -step))


@numbered(11)
def _(p: Paper) -> Frame:
    gap = p.vwap - p.close
    return (p.rank(p.ts_max(gap, 3)) + p.rank(p.ts_min(gap, 3))) * p.rank(p.delta(p.volume, 3))


@numbered(12)
def _(p: Paper) -> Frame:
    return np.sign(p.delta(p.volume, 1)) * -p.delta(p.close, 1)


@numbered(13)
def _(p: Paper) -> Frame:
    return -p.rank(p.covariance(p.rank(p.close), p.rank(p.volume), 5), tied=True)


@numbered(15)
def _(p: Paper) -> Frame:
    return -p.sum(p.rank(p.correlation(p.rank(p.high), p.rank(p.volume), 3), tied=True), 3)


@numbered(17)
def _(p: Paper) -> Frame:
    bend = p.delta(p.delta(p.close, 1), 1)
    return -p.rank(p.ts_rank(p.close, 10)) * p.rank(bend) * p.rank(p.ts_rank(p.volume / p.adv(20), 5))


@numbered(18)
def _(p: Paper) -> Frame:
    body = p.close - p.open
    return -p.rank(p.stddev(body.abs(), 5) + body + p.correlation(p.close, p.open, 10))


@numbered(19)
def _(p: Paper) -> Frame:
    week = (p.close - p.delay(p.close, 7)) + p.delta(p.close, 7)
    return -np.sign(week) * (1 + p.rank(1 + p.sum(p.returns, 250)))


@numbered(20)
def _(p: Paper) -> Frame:
    high, close, low = (p.rank(p.open - p.delay(price, 1)) for price in (p.high, p.close, p.low))
    return -high * close * low


@numbered(21)
def _(p: Paper) -> Frame:
    mean, spread, short = p.sum(p.close, 8) / 8, p.stddev(p.close, 8), p.sum(p.close, 2) / 2
    busy = p.volume / p.adv(20)
    by_volume = choose(either(less(1, busy), equal(busy, 1)), 1.0, -1.0)
    return choose(less(mean + spread, short), -1.0, choose(less(short, mean - spread), 1.0, by_volume))


@numbered(22)
def _(p: Paper) -> Frame:
    return -p.delta(p.correlation(p.high, p.volume, 5), 5) * p.rank(p.stddev(p.close, 20))


@numbered(23)
def _(p: Paper) -> Frame:
    return choose(less(p.sum(p.high, 20) / 20, p.high), -p.delta(p.high, 2), 0.0)


@numbered(24)
def _(p: Paper) -> Frame:
    drift = p.delta(p.sum(p.close, 100) / 100, 100) / p.delay(p.close, 100)
    flat = either(less(drift, 0.05), equal(drift, 0.05))
    return choose(flat, -(p.close - p.ts_min(p.close, 100)), -p.delta(p.close, 3))


@numbered(26)
def _(p: Paper) -> Frame:
    return -p.ts_max(p.correlation(p.ts_rank(p.volume, 5), p.ts_rank(p.high, 5), 5), 3)


@numbered(28)
def _(p: Paper) -> Frame:
    return p.scale(p.correlation(p.adv(20), p.low, 5) + (p.high + p.low) / 2 - p.close)


@numbered(29)
def _(p: Paper) -> Frame:
    fallen = p.rank(p.rank(-p.rank(p.delta(p.close - 1, 5))))
    inner = p.rank(p.rank(p.scale(log(p.sum(p.ts_min(fallen, 2), 1)))))
    return p.ts_min(p.product(inner, 1), 5) + p.ts_rank(p.delay(-p.returns, 6), 5)


@numbered(30)
def _(p: Paper) -> Frame:
    yesterday, before, earlier = (p.delay(p.close, days) for days in (1, 2, 3))
    signs = np.sign(p.close - yesterday) + np.sign(yesterday - before) + np.sign(before - earlier)
    return (1 - p.rank(signs)) * p.sum(p.volume, 5) / p.sum(p.volume, 20)


@numbered(31)
def _(p: Paper) -> Frame:
    slow = p.rank(p.rank(p.rank(p.decay_linear(-p.rank(p.rank(p.delta(p.close, 10))), 10))))
    turn = np.sign(p.scale(p.correlation(p.adv(20), p.low, 12)))
    return slow + p.rank(-p.delta(p.close, 3)) + turn


@numbered(32)
def _(p: Paper) -> Frame:
    year = p.scale(p.correlation(p.vwap, p.delay(p.close, 5), 230))
    return p.scale(p.sum(p.close, 7) / 7 - p.close) + 20 * year


@numbered(33)
def _(p: Paper) -> Frame:
    return p.rank(-power(1 - p.open / p.close, 1.0))


@numbered(35)
def _(p: Paper) -> Frame:
    price = 1 - p.ts_rank(p.close + p.high - p.low, 16)
    return p.ts_rank(p.volume, 32) * price * (1 - p.ts_rank(p.returns, 32))


@numbered(36)
def _(p: Paper) -> Frame:
    body = p.close - p.open
    first = 2.21 * p.rank(p.correlation(body, p.delay(p.volume, 1), 15))
    second = 0.7 * p.rank(p.open - p.close) + 0.73 * p.rank(p.ts_rank(p.delay(-p.returns, 6), 5))
    third = p.rank(p.correlation(p.vwap, p.adv(20), 6).abs())
    return first + second + third + 0.6 * p.rank((p.sum(p.close, 200) / 200 - p.open) * body)


@numbered(39)
def _(p: Paper) -> Frame:
    calm = 1 - p.rank(p.decay_linear(p.volume / p.adv(20), 9))
    return -p.rank(p.delta(p.close, 7) * calm) * (1 + p.rank(p.sum(p.returns, 250)))


@numbered(41)
def _(p: Paper) -> Frame:
    return power(p.high * p.low, 0.5) - p.vwap


@numbered(42)
def _(p: Paper) -> Frame:
    return p.rank(p.vwap - p.close) / p.rank(p.vwap + p.close)


@numbered(43)
def _(p: Paper) -> Frame:
    return p.ts_rank(p.volume / p.adv(20), 20) * p.ts_rank(-p.delta(p.close, 7), 8)


@numbered(46)
def _(p: Paper) -> Frame:
    month, half = p.delay(p.close, 20), p.delay(p.close, 10)
    bend = (month - half) / 10 - (half - p.close) / 10
    return choose(less(0.25, bend), -1.0, choose(less(bend, 0), 1.0, -(p.close - p.delay(p.close, 1))))


@numbered(47)
def _(p: Paper) -> Frame:
    cheap = p.rank(1 / p.close) * p.volume / p.adv(20)
    below = p.high * p.rank(p.high - p.close) / (p.sum(p.high, 5) / 5)
    return cheap * below - p.rank(p.vwap - p.delay(p.vwap, 5))


@numbered(48)
def _(p: Paper) -> Frame:
    step = p.delta(p.close, 1)
    trend = p.correlation(step, p.delta(p.delay(p.close, 1), 1), 250) * step / p.close
    return p.indneutralize(trend, "subindustry") / p.sum(power(step / p.delay(p.close, 1), 2.0), 250)


@numbered(52)
def _(p: Paper) -> Frame:
    bottom = p.ts_min(p.low, 5)
    year = p.rank((p.sum(p.returns, 240) - p.sum(p.returns, 20)) / 220)
    return (-bottom + p.delay(bottom, 5)) * year * p.ts_rank(p.volume, 5)


@numbered(53)
def _(p: Paper) -> Frame:
    return -p.delta(((p.close - p.low) - (p.high - p.close)) / (p.close - p.low), 9)


@numbered(54)
def _(p: Paper) -> Frame:
    return -((p.low - p.close) * power(p.open, 5.0)) / ((p.low - p.high) * power(p.close, 5.0))


@numbered(55)
def _(p: Paper) -> Frame:
    bottom = p.ts_min(p.low, 12)
    place = (p.close - bottom) / (p.ts_max(p.high, 12) - bottom)
    return -p.correlation(p.rank(place), p.rank(p.volume), 6)


@numbered(56)
def _(p: Paper) -> Frame:
    recent = p.sum(p.returns, 10) / p.sum(p.sum(p.returns, 2), 3)
    return 0 - 1 * (p.rank(recent) * p.rank(p.returns * p.cap))


@numbered(57)
def _(p: Paper) -> Frame:
    return 0 - 1 * ((p.close - p.vwap) / p.decay_linear(p.rank(p.ts_argmax(p.close, 30)), 2))


@numbered(58)
def _(p: Paper) -> Frame:
    together = p.correlation(p.indneutralize(p.vwap, "sector"), p.volume, 3.92795)
    return -p.ts_rank(p.decay_linear(together, 7.89291), 5.50322)


@numbered(60)
def _(p: Paper) -> Frame:
    place = ((p.close - p.low) - (p.high - p.close)) / (p.high - p.low) * p.volume
    return 0 - 1 * (2 * p.scale(p.rank(place)) - p.scale(p.rank(p.ts_argmax(p.close, 10))))


@numbered(61)
def _(p: Paper) -> Frame:
    return less(p.rank(p.vwap - p.ts_min(p.vwap, 16.1219)), p.rank(p.correlation(p.vwap, p.adv(180), 17.9282)))


@numbered(62)
def _(p: Paper) -> Frame:
    together = p.rank(p.correlation(p.vwap, p.sum(p.adv(20), 22.4101), 9.91009))
    lower = less(p.rank(p.open) + p.rank(p.open), p.rank((p.high + p.low) / 2) + p.rank(p.high))
    return less(together, p.rank(lower)) * -1


@numbered(63)
def _(p: Paper) -> Frame:
    price = p.vwap * 0.318108 + p.open * (1 - 0.318108)
    first = p.rank(p.decay_linear(p.delta(p.indneutralize(p.close, "industry"), 2.25164), 8.22237))
    together = p.correlation(price, p.sum(p.adv(180), 37.2467), 13.557)
    return (first - p.rank(p.decay_linear(together, 12.2883))) * -1


@numbered(66)
def _(p: Paper) -> Frame:
    low = p.low * 0.96633 + p.low * (1 - 0.96633)
    share = (low - p.vwap) / (p.open - (p.high + p.low) / 2)
    first = p.rank(p.decay_linear(p.delta(p.vwap, 3.51013), 7.23052))
    return (first + p.ts_rank(p.decay_linear(share, 11.4157), 6.72611)) * -1


@numbered(67)
def _(p: Paper) -> Frame:
    above = p.rank(p.high - p.ts_min(p.high, 2.14593))
    price, shares = p.indneutralize(p.vwap, "sector"), p.indneutralize(p.adv(20), "subindustry")
    return power(above, p.rank(p.correlation(price, shares, 6.02936))) * -1


@numbered(70)
def _(p: Paper) -> Frame:
    together = p.correlation(p.indneutralize(p.close, "industry"), p.adv(50), 17.8256)
    return power(p.rank(p.delta(p.vwap, 1.29456)), p.ts_rank(together, 17.9171)) * -1


@numbered(71)
def _(p: Paper) -> Frame:
    together = p.correlation(p.ts_rank(p.close, 3.43976), p.ts_rank(p.adv(180), 12.0647), 18.0175)
    apart = power(p.rank((p.low + p.open) - (p.vwap + p.vwap)), 2.0)
    first = p.ts_rank(p.decay_linear(together, 4.20501), 15.6948)
    return larger(first, p.ts_rank(p.decay_linear(apart, 16.4662), 4.4388))


@numbered(73)
def _(p: Paper) -> Frame:
    price = p.open * 0.147155 + p.low * (1 - 0.147155)
    first = p.rank(p.decay_linear(p.delta(p.vwap, 4.72775), 2.91864))
    fall = p.delta(price, 2.03608) / price * -1
    return larger(first, p.ts_rank(p.decay_linear(fall, 3.33829), 16.7411)) * -1


@numbered(77)
def _(p: Paper) -> Frame:
    middle = (p.high + p.low) / 2
    first = p.rank(p.decay_linear((middle + p.high) - (p.vwap + p.high), 20.0451))
    return smaller(first, p.rank(p.decay_linear(p.correlation(middle, p.adv(40), 3.1614), 5.64125)))


@numbered(80)
def _(p: Paper) -> Frame:
    price = p.indneutralize(p.open * 0.868128 + p.high * (1 - 0.868128), "industry")
    turn = p.rank(np.sign(p.delta(price, 4.04545)))
    return power(turn, p.ts_rank(p.correlation(p.high, p.adv(10), 5.11456), 5.53756)) * -1


@numbered(81)
def _(p: Paper) -> Frame:
    fourth = power(p.rank(p.correlation(p.vwap, p.sum(p.adv(10), 49.6054), 8.47743)), 4.0)
    first = p.rank(log(p.product(p.rank(fourth), 14.9655)))
    return less(first, p.rank(p.correlation(p.rank(p.vwap), p.rank(p.volume), 5.07914))) * -1


@numbered(84)
def _(p: Paper) -> Frame:
    return signedpower(p.ts_rank(p.vwap - p.ts_max(p.vwap, 15.3217), 20.7127), p.delta(p.close, 4.96796))


@numbered(88)
def _(p: Paper) -> Frame:
    ranks = (p.rank(p.open) + p.rank(p.low)) - (p.rank(p.high) + p.rank(p.close))
    together = p.correlation(p.ts_rank(p.close, 8.44728), p.ts_rank(p.adv(60), 20.6966), 8.01266)
    first = p.rank(p.decay_linear(ranks, 8.06882), tied=True)
    return smaller(first, p.ts_rank(p.decay_linear(together, 6.65053), 2.61957))


@numbered(92)
def _(p: Paper) -> Frame:
    below = less((p.high + p.low) / 2 + p.close, p.low + p.open)
    together = p.correlation(p.rank(p.low), p.rank(p.adv(30)), 7.58555)
    first = p.ts_rank(p.decay_linear(below, 14.7221), 18.8683)
    return smaller(first, p.ts_rank(p.decay_linear(together, 6.94024), 6.80584))


@numbered(100)
def _(p: Paper) -> Frame:
    place = p.rank(((p.close - p.low) - (p.high - p.close)) / (p.high - p.low) * p.volume)
    first = 1.5 * p.scale(p.indneutralize(p.indneutralize(place, "subindustry"), "subindustry"))
    inner = p.correlation(p.close, p.rank(p.adv(20)), 5) - p.rank(p.ts_argmin(p.close, 30))
    second = p.scale(p.indneutralize(inner, "subindustry"))
    return 0 - 1 * ((first - second) * (p.volume / p.adv(20)))


@numbered(101)
def _(p: Paper) -> Frame:
    return (p.close - p.open) / (p.high - p.low + 0.001)
