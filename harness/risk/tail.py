"""The tail of a distribution of losses: value at risk, expected shortfall, and how sure they are.

    VaR_a = inf {x : F(x) >= a}
    ES_a  = 1 / (1 - a) x integral of VaR_u from a to 1

computed exactly for the empirical distribution, with or without weights: the run that straddles
the level counts with the part of its weight that lies beyond it (Acerbi, Tasche 2002), so that
ES is the mean of the worst 1 - a of the probability, no more and no less.

Intervals are percentile bootstraps (Efron, Tibshirani 1993, chapter 13). A bootstrap cannot see
beyond the worst run there is: the number of runs in the tail is part of every figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import rng

__all__ = [
    "Estimate",
    "Tail",
    "bootstrap",
    "expected_shortfall",
    "proportion",
    "tail",
    "value_at_risk",
]

RESAMPLES = 2_000
_EDGE = 1e-12
"""Cumulated weights are sums of floats: a level within this of a step lies on it."""

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]
"""Values and weights, one resample a row, sorted by value; the statistic of each row."""


class Estimate(NamedTuple):
    """A figure with the bounds of its 95% interval, None where one value says nothing of spread."""

    value: float
    low: float | None
    high: float | None


class Tail(NamedTuple):
    """The tail of a loss at one level.

    runs: how many runs lie in it, in whole or in part: what the figures rest on
    """

    level: float
    value_at_risk: Estimate
    expected_shortfall: Estimate
    runs: int


def _weights(count: int, weights: Sequence[float] | None) -> Array:
    """Weights that add up to 1. Raises ValueError for none, negative ones, or a wrong number."""
    if count == 0:
        raise ValueError("no values")
    if weights is None:
        return np.full(count, 1 / count)
    given = np.asarray(weights, dtype=np.float64)
    if len(given) != count or (given < 0).any() or not given.sum() > 0:
        raise ValueError("one weight of 0 or more for each value, not all 0")
    return np.asarray(given / given.sum(), dtype=np.float64)


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level}: between 0 and 1")
    return level


def _var_rows(values: Array, weights: Array, level: float) -> Array:
    reached = np.cumsum(weights, axis=1) >= level - _EDGE
    reached[:, -1] = True
    first = np.argmax(reached, axis=1)
    return np.asarray(values[np.arange(len(values)), first])


def _es_rows(values: Array, weights: Array, level: float) -> Array:
    upper = np.minimum(np.cumsum(weights, axis=1), 1.0)
    upper[:, -1] = 1.0
    lower = np.concatenate([np.zeros((len(upper), 1)), upper[:, :-1]], axis=1)
    beyond = np.clip(upper - np.maximum(lower, level), 0.0, None)
    return np.asarray((values * beyond).sum(axis=1) / beyond.sum(axis=1))


def _sorted(losses: Sequence[float], weights: Sequence[float] | None) -> tuple[Array, Array]:
    values = np.asarray(losses, dtype=np.float64)
    shares = _weights(len(values), weights)
    order = np.argsort(values, kind="stable")
    return values[order][None, :], shares[order][None, :]


def value_at_risk(
    losses: Sequence[float], level: float, weights: Sequence[float] | None = None
) -> float:
    """The smallest loss that is not exceeded with a probability of at least ``level``.

    Raises ValueError if there is no loss or the level is not between 0 and 1.
    """
    return float(_var_rows(*_sorted(losses, weights), _level(level))[0])


def expected_shortfall(
    losses: Sequence[float], level: float, weights: Sequence[float] | None = None
) -> float:
    """The mean loss in the worst ``1 - level`` of the probability.

    Raises ValueError if there is no loss or the level is not between 0 and 1.
    """
    return float(_es_rows(*_sorted(losses, weights), _level(level))[0])


def tail(
    losses: Sequence[float],
    level: float,
    weights: Sequence[float] | None = None,
    strata: Sequence[int] | None = None,
    *,
    name: str = "",
) -> Tail:
    """Value at risk and expected shortfall at a level, each with its 95% interval.

    losses: one for each run
    weights: their probabilities up to a factor; by default all the same
    strata: the stratum each run was drawn from, resampled apart; by default all one
    name: keys the resampling, which is the same every time
    """
    _, shares = _sorted(losses, weights)
    level = _level(level)
    upper = np.cumsum(shares[0])
    runs = int((upper > level + _EDGE).sum())

    def estimate(rows: Callable[[Array, Array, float], Array], label: str) -> Estimate:
        return bootstrap(
            lambda v, w: rows(v, w, level), losses, weights, strata, name=f"{label}/{name}"
        )

    return Tail(
        level=level,
        value_at_risk=estimate(_var_rows, "var"),
        expected_shortfall=estimate(_es_rows, "es"),
        runs=max(runs, 1),
    )


def bootstrap(
    statistic: Statistic,
    losses: Sequence[float],
    weights: Sequence[float] | None = None,
    strata: Sequence[int] | None = None,
    *,
    name: str = "",
) -> Estimate:
    """A statistic with its percentile bootstrap interval of 95%, resampled within strata."""
    values = np.asarray(losses, dtype=np.float64)
    shares = _weights(len(values), weights)
    value = float(statistic(*_sorted(losses, weights))[0])
    if len(values) < 2:
        return Estimate(value, None, None)
    groups = np.zeros(len(values), dtype=np.int64) if strata is None else np.asarray(strata)
    picks = []
    for place, stratum in enumerate(np.unique(groups)):
        members = np.flatnonzero(groups == stratum)
        draws = rng.uniforms(
            rng.stream(0, f"bootstrap/{name}", place), RESAMPLES * len(members)
        ).reshape(RESAMPLES, len(members))
        picks.append(members[(draws * len(members)).astype(np.intp)])
    chosen = np.concatenate(picks, axis=1)
    drawn, heavy = values[chosen], shares[chosen]
    heavy = heavy / heavy.sum(axis=1, keepdims=True)
    order = np.argsort(drawn, axis=1, kind="stable")
    found = np.sort(
        statistic(np.take_along_axis(drawn, order, 1), np.take_along_axis(heavy, order, 1))
    )
    low = found[math.floor(0.025 * RESAMPLES)]
    high = found[math.ceil(0.975 * RESAMPLES) - 1]
    return Estimate(value, float(low), float(high))


def proportion(happened: Sequence[bool], weights: Sequence[float] | None = None) -> Estimate:
    """A probability with its 95% Wilson interval, which says something even if it never happened.

    With weights, on Kish's effective number of runs, 1 / sum of squares.
    Source: Wilson, J. Am. Stat. Assoc. 22 (1927); Kish, Survey Sampling (1965).
    """
    shares = _weights(len(happened), weights)
    share = float(shares[np.asarray(happened, dtype=bool)].sum())
    number = 1 / float((shares * shares).sum())
    z = 1.959963984540054
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    spread = share * (1 - share) / number + z * z / (4 * number * number)
    half = z / (1 + z * z / number) * math.sqrt(spread)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))
