"""Volatility, jumps and correlation from price histories, with their uncertainty.

Returns are those of the file's most common spacing; longer gaps are left out. A return holds one
jump or none: it is normal with the diffusion's variance, or, with a small probability, normal with
the jumps' mean and variance added (Ball, Torous, J. Financial and Quantitative Analysis 18, 1983).
The parameters are those of maximum likelihood, by expectation and maximisation; jumps are only
taken to exist where they raise the likelihood by more than the Bayesian information criterion asks
of three parameters. Intervals are 95% percentiles of a moving-block bootstrap, which keeps the
clustering of volatility within blocks (Kuensch, Annals of Statistics 17, 1989).

Volatility that comes and goes, as in real crises, is fitted as many small jumps in this model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import portable, rng
from harness.errors import ScenarioError
from harness.prices.paths import YEAR_SECONDS
from harness.risk.tail import Estimate
from harness.scenario._check import cholesky
from harness.scenario.prices import JumpDiffusionPrice

__all__ = ["Correlated", "PriceEstimate", "correlate", "estimate_jump_diffusion"]

Points = Sequence[tuple[int, float]]
Array = NDArray[np.float64]

_FEWEST = 50
"""Returns below which nothing is estimated."""
_RESAMPLES = 200
_MOST_CORRELATED = 0.999999
_ROUNDS, _ROUNDS_AGAIN = 200, 25
"""Rounds of a fit, and of one on a resample, which starts where the fit ended."""


@dataclass(frozen=True)
class PriceEstimate:
    """A jump-diffusion and how sure it is; all per year of 365 days.

    returns, spacing_s: how many returns, and how far apart
    jumps: how many returns count as jumps
    """

    sigma: Estimate
    jumps_per_year: Estimate
    jump_mean: Estimate
    jump_sd: Estimate
    returns: int
    spacing_s: int
    jumps: int
    last_price: float

    def process(self) -> JumpDiffusionPrice:
        """The price process at the estimates, without drift."""
        return self._process(
            self.sigma.value, self.jumps_per_year.value, self.jump_mean.value, self.jump_sd.value
        )

    def severe(self) -> JumpDiffusionPrice:
        """The process at the unfavourable ends of the intervals: more volatile, more jumps, lower
        and wider ones."""
        return self._process(
            self.sigma.high or self.sigma.value,
            self.jumps_per_year.high or self.jumps_per_year.value,
            self.jump_mean.value if self.jump_mean.low is None else self.jump_mean.low,
            self.jump_sd.high or self.jump_sd.value,
        )

    @staticmethod
    def _process(sigma: float, rate: float, mean: float, sd: float) -> JumpDiffusionPrice:
        rounded = [float(f"{x:.6g}") for x in (sigma, rate, mean, sd)]
        return JumpDiffusionPrice(
            sigma=rounded[0], jumps_per_year=rounded[1], jump_mean=rounded[2], jump_sd=rounded[3]
        )


@dataclass(frozen=True)
class Correlated:
    """Correlations of the diffusions: a matrix of estimates in the order of the assets."""

    assets: tuple[str, ...]
    matrix: tuple[tuple[Estimate, ...], ...]
    returns: int


def _returns(points: Points, what: str) -> tuple[dict[int, float], int]:
    """Log returns by the time they end, and the spacing.

    Raises ScenarioError if there are too few.
    """
    steps = Counter(after[0] - before[0] for before, after in pairwise(points))
    spacing = steps.most_common(1)[0][0] if steps else 0
    found = {
        after[0]: math.log(after[1] / before[1])
        for before, after in pairwise(points)
        if after[0] - before[0] == spacing
    }
    if len(found) < _FEWEST:
        allowed = f"a history with at least {_FEWEST} returns of one spacing"
        raise ScenarioError("--prices", f"{what}: {len(found)} returns", allowed)
    if not any(found.values()):
        raise ScenarioError("--prices", f"{what}: a price that never moves", "a price that moves")
    return found, spacing


class _Fit(NamedTuple):
    """A return is normal(0, calm), or with the probability ``chance`` normal(mean, calm + far);
    ``odds``: of each return, that it holds a jump."""

    calm: float
    chance: float
    mean: float
    far: float
    odds: Array


def _density(returns: Array, mean: float, variance: float) -> Array:
    exponent = np.clip((returns - mean) ** 2 / (2 * variance), 0.0, 600.0)
    scale = math.sqrt(2 * math.pi * variance)
    return np.asarray(portable.exp(-exponent) / scale)


def _floor(returns: Array) -> float:
    """The least variance of a diffusion: that of one return of the usual size among as many that
    are still. Where most prices stand still the likelihood is without bound as it goes to 0."""
    return float(np.mean(returns * returns)) / len(returns)


def _iterate(returns: Array, fit: _Fit, rounds: int, least: float) -> _Fit:
    """Rounds of expectation and maximisation; ``least`` is the least variance of the diffusion."""
    calm, chance, mean, far, odds = fit
    for _ in range(rounds):
        jumped = chance * _density(returns, mean, calm + far)
        odds = jumped / (jumped + (1 - chance) * _density(returns, 0.0, calm) + 1e-300)
        weight = float(odds.sum())
        if weight < 1e-9:
            break
        chance = weight / len(returns)
        mean = float((odds * returns).sum()) / weight
        whole = float((odds * (returns - mean) ** 2).sum()) / weight
        still = max(len(returns) - weight, 1e-9)
        calm = max(float(((1 - odds) * returns * returns).sum()) / still, least)
        far = max(whole - calm, calm * 1e-3)
    return _Fit(calm, chance, mean, far, odds)


def _fit(returns: Array) -> _Fit:
    """Maximum likelihood, without jumps if they are not worth their parameters."""
    count = len(returns)
    variance = float(np.mean(returns * returns))
    none = _Fit(variance, 0.0, 0.0, 0.0, np.zeros(count))
    order = np.sort(np.abs(returns))
    least = _floor(returns)
    calm = max(float(np.mean(order[: -max(1, count // 50)] ** 2)), least)
    beyond = returns[np.abs(returns) > 3 * math.sqrt(calm)]
    if len(beyond) == 0:
        return none
    start = _Fit(
        calm, len(beyond) / count, float(beyond.mean()), float(np.mean(beyond**2)), none.odds
    )
    found = _iterate(returns, start, _ROUNDS, least)
    with_jumps = (1 - found.chance) * _density(returns, 0.0, found.calm) + found.chance * _density(
        returns, found.mean, found.calm + found.far
    )
    gain = float(np.sum(_logs(with_jumps) - _logs(_density(returns, 0.0, variance))))
    return found if 2 * gain > 3 * math.log(count) else none


def _logs(densities: Array) -> Array:
    return np.asarray(portable.log(np.maximum(densities, 1e-300)))


def estimate_jump_diffusion(points: Points, what: str = "prices") -> PriceEstimate:
    """The jump-diffusion of a history.

    points: (epoch seconds, price), times increasing, as `harness.prices.series` loads them
    what: names the history in errors

    Raises ScenarioError if it is too short or never moves.
    """
    by_time, spacing = _returns(points, what)
    returns = np.array([by_time[time] for time in sorted(by_time)])
    count = len(returns)
    dt = spacing / YEAR_SECONDS
    fit, least = _fit(returns), _floor(returns)

    def figures(found: _Fit) -> tuple[float, float, float, float]:
        return (
            math.sqrt(found.calm / dt),
            found.chance / dt,
            found.mean,
            math.sqrt(found.far),
        )

    fitted = figures(fit)
    again = np.array(
        [
            figures(_iterate(chosen, fit, _ROUNDS_AGAIN, least) if fit.chance else _still(chosen))
            for chosen in _resampled(returns)
        ]
    )
    ordered = np.sort(again, axis=0)
    low = ordered[math.floor(0.025 * _RESAMPLES)]
    high = ordered[math.ceil(0.975 * _RESAMPLES) - 1]
    rarely = -math.log(0.05) / (count * dt)  # no jump seen: this rate shows one 19 times in 20

    def interval(place: int) -> Estimate:
        return Estimate(float(fitted[place]), float(low[place]), float(high[place]))

    some = fit.chance > 0
    return PriceEstimate(
        sigma=interval(0),
        jumps_per_year=interval(1) if some else Estimate(0.0, 0.0, rarely),
        jump_mean=interval(2) if some else Estimate(0.0, None, None),
        jump_sd=interval(3) if some else Estimate(0.0, None, None),
        returns=count,
        spacing_s=spacing,
        jumps=int((fit.odds > 0.5).sum()),
        last_price=points[-1][1],
    )


def _still(returns: Array) -> _Fit:
    return _Fit(float(np.mean(returns * returns)), 0.0, 0.0, 0.0, returns[:0])


def _resampled(returns: Array) -> Iterator[Array]:
    """Moving blocks of about the cube root of the length, put one after the other."""
    count = len(returns)
    block = max(1, round(count ** (1 / 3)))
    starts = -(-count // block)
    uniform = rng.uniforms(rng.stream(0, f"estimate/{count}"), _RESAMPLES * starts)
    first = (uniform * (count - block + 1)).astype(np.intp).reshape(_RESAMPLES, starts)
    for row in first:
        yield returns[(row[:, None] + np.arange(block)).ravel()[:count]]


def correlate(histories: Sequence[tuple[str, Points]]) -> Correlated:
    """Correlations of the diffusions, from returns at times that all histories have.

    Intervals by Fisher's transformation.

    Raises ScenarioError if there are too few common times or spacings differ.
    """
    found = [_returns(points, symbol) for symbol, points in histories]
    symbols = tuple(symbol for symbol, _ in histories)
    if len({spacing for _, spacing in found}) > 1:
        told = ", ".join(f"{s}: {x[1]} s" for s, x in zip(symbols, found, strict=True))
        raise ScenarioError("--prices", told, "histories of one spacing, for correlations")
    times = sorted(set.intersection(*(set(returns) for returns, _ in found)))
    if len(times) < _FEWEST:
        allowed = f"histories with at least {_FEWEST} returns at common times"
        raise ScenarioError("--prices", f"{', '.join(symbols)}: {len(times)}", allowed)
    rows = np.array([[returns[time] for time in times] for returns, _ in found])
    fits = [_fit(row) for row in rows]
    count = len(times)
    size = range(len(symbols))
    found_matrix: Array = np.eye(len(symbols))
    for i in size:
        for j in range(i):
            found_matrix[i, j] = found_matrix[j, i] = _pair(rows[[j, i]], (fits[j], fits[i]))
    while cholesky(found_matrix.tolist()) is None:  # pairs need not fit together exactly
        found_matrix = np.asarray(0.99 * found_matrix + 0.01 * np.eye(len(symbols)))
    half = 1.959963984540054 / math.sqrt(count - 3)

    def cell(i: int, j: int) -> Estimate:
        if i == j:
            return Estimate(1.0, 1.0, 1.0)
        value = float(np.clip(found_matrix[i, j], -1, 1))
        z = math.atanh(min(max(value, -_MOST_CORRELATED), _MOST_CORRELATED))
        return Estimate(value, math.tanh(z - half), math.tanh(z + half))

    return Correlated(symbols, tuple(tuple(cell(i, j) for j in size) for i in size), count)


def _regular(joint: Array) -> Array:
    """A covariance matrix of two whose correlation is within `_MOST_CORRELATED`: the same history
    twice has none that could be inverted."""
    most = _MOST_CORRELATED * math.sqrt(joint[0, 0] * joint[1, 1])
    cross = float(np.clip(joint[0, 1], -most, most))
    return np.array([[joint[0, 0], cross], [cross, joint[1, 1]]])


def _pair(rows: Array, fits: tuple[_Fit, _Fit]) -> float:
    """The correlation of two diffusions of maximum likelihood, their jumps as fitted apart.

    By expectation and maximisation over which of the two jumped: what a return says of the
    diffusion is its conditional mean and variance given that. A mere correlation of returns, or of
    those that are surely no jumps, is nearer to 0 than that of the diffusions.
    """
    cases = [(bool(case & 1), bool(case & 2)) for case in range(4)]
    cross = float(np.mean(rows[0] * rows[1]) / np.sqrt(np.prod(np.mean(rows * rows, axis=1))))
    cross *= math.sqrt(fits[0].calm * fits[1].calm)
    joint = _regular(np.array([[fits[0].calm, cross], [cross, fits[1].calm]]))
    for _ in range(_ROUNDS_AGAIN):
        densities, gains, offsets = [], [], []
        for jumped in cases:
            chance = math.prod(
                fit.chance if here else 1 - fit.chance
                for fit, here in zip(fits, jumped, strict=True)
            )
            added = [fit.far if here else 0.0 for fit, here in zip(fits, jumped, strict=True)]
            mean = np.array([f.mean if here else 0.0 for f, here in zip(fits, jumped, strict=True)])
            whole = joint + np.diag(added)
            inverse = np.linalg.inv(whole)
            off = rows - mean[:, None]
            exponent = np.clip(((inverse @ off) * off).sum(axis=0) / 2, 0.0, 600.0)
            scale = 2 * math.pi * math.sqrt(float(np.linalg.det(whole)))
            densities.append(chance * np.asarray(portable.exp(-exponent)) / scale)
            gains.append(joint @ inverse)
            offsets.append(off)
        total = np.sum(densities, axis=0) + 1e-300
        new = np.zeros((2, 2))
        for density, gain, off in zip(densities, gains, offsets, strict=True):
            weight = density / total
            moved = gain @ off
            new += (moved * weight) @ moved.T + weight.sum() * (joint - gain @ joint)
        joint = _regular(new / rows.shape[1])
    return float(joint[0, 1] / math.sqrt(joint[0, 0] * joint[1, 1]))
