"""Price paths: one integer price for each asset and block, from a scenario and a seed.

Prices are USD per whole token with 8 decimals. They are quantised here, once; agents, feeds and
the result use these integers.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness import portable, rng
from harness.errors import ScenarioError, plugin
from harness.prices.copula import tail_scale, with_tails
from harness.scenario._check import cholesky
from harness.scenario.assets import Asset
from harness.scenario.blocks import Clock
from harness.scenario.model import Scenario
from harness.scenario.prices import (
    ConstantPrice,
    JumpDiffusionPrice,
    ReplayPrice,
    SchedulePrice,
    Shock,
)
from harness.scenario.units import PRICE_UNIT
from harness.scenario.vaults import vault_of

__all__ = ["OutsideProcess", "build_paths"]

YEAR_SECONDS = 365 * 86_400
_MAX_PRICE_UNITS = 10**18

Array = NDArray[np.float64]
Path = NDArray[np.int64]


@runtime_checkable
class OutsideProcess(Protocol):
    """Plug point: a price process of one's own, named as ``module:Class`` in a scenario.

    The class is a frozen dataclass that derives from ``PriceProcess``. Its prices must not depend
    on anything but the arguments; use :mod:`harness.rng` and :mod:`harness.portable` for what is
    random and for functions that must give the same bits on every machine.
    """

    def path(self, clock: Clock, start_price_usd: float, seed: int, symbol: str) -> Array:
        """Prices in USD, one for each block of the clock."""
        ...


def build_paths(scenario: Scenario, seed: int) -> dict[str, Path]:
    """The fundamental price of every asset in every block, 8 decimals, by symbol.

    Element i belongs to block i of the run at ``clock.time(i)``; element 0 is also the price at
    which the markets are set up. Each asset's randomness is keyed by (seed, its symbol), so that
    adding an asset changes no other asset's path, unless they are correlated: those share the
    draws named by their own symbols through the correlation matrix.

    Raises:
        ScenarioError: a price that leaves the range an 8-decimal integer below 10^18 can hold, or
            an outside process that gives the wrong number of prices.
    """
    diffusions = _diffusions(scenario, seed)
    found = {
        asset.symbol: _quantise(scenario, i, _float_path(scenario, asset, i, seed, diffusions))
        for i, asset in enumerate(scenario.assets)
        if not asset.is_share
    }
    # what a share is worth while its vault has lost and earned nothing
    return {
        asset.symbol: found[vault_of(scenario, asset.symbol).asset]
        if asset.is_share
        else found[asset.symbol]
        for asset in scenario.assets
    }


def _float_path(
    scenario: Scenario, asset: Asset, index: int, seed: int, diffusions: dict[str, Array]
) -> Array:
    clock, process = scenario.clock, asset.price
    seconds = np.arange(clock.blocks, dtype=np.int64) * clock.seconds_per_block
    start = asset.start_price_usd
    match process:
        case ReplayPrice():
            stamps = np.array([stamp for stamp, _ in process.points], dtype=np.int64)
            prices = np.array([price for _, price in process.points], dtype=np.float64)
            linear = process.interpolation == "log-linear"
            path = _interpolate(stamps, prices, seconds + clock.start, linear) * process.scale
            return path * _shock_factors(process.shocks, seconds)
        case _ if start is None:
            raise ScenarioError(f"asset[{index}].start_price_usd", None, "required")
        case ConstantPrice():
            return start * _shock_factors(process.shocks, seconds)
        case SchedulePrice():
            unit = start if process.values == "factor" else 1.0
            points = [(at, value * unit) for at, value in process.points]
            if points[0][0] > 0:
                points.insert(0, (0, start))
            stamps = np.array([at for at, _ in points], dtype=np.int64)
            prices = np.array([price for _, price in points], dtype=np.float64)
            linear = process.interpolation == "log-linear"
            path = _interpolate(stamps, prices, seconds, linear)
            return path * _shock_factors(process.shocks, seconds)
        case JumpDiffusionPrice():
            drift = (process.mu - process.sigma * process.sigma / 2) * (seconds / YEAR_SECONDS)
            path = start * portable.exp(_clip(drift + diffusions[asset.symbol]))
            return path * _shock_factors(process.shocks, seconds)
        case OutsideProcess():
            with plugin(f"the price process of {asset.symbol}"):
                outside = process.path(clock, start, seed, asset.symbol)
                path = np.asarray(outside, dtype=np.float64)
            if path.shape != (clock.blocks,):
                allowed = f"{clock.blocks} prices, one for each block"
                raise ScenarioError(f"asset[{index}].price", path.shape, allowed)
            return path
    allowed = "a process with a method path(clock, start_price_usd, seed, symbol)"
    raise ScenarioError(f"asset[{index}].price.process", process.tag_value(), allowed)


def _interpolate(stamps: Path, prices: Array, times: Path, linear: bool) -> Array:
    """Prices at times: the last one at or before, or log-linear between the two around."""
    before = np.maximum(np.searchsorted(stamps, times, side="right") - 1, 0)
    if not linear:
        return prices[before]
    after = np.minimum(before + 1, len(stamps) - 1)
    width = np.maximum(stamps[after] - stamps[before], 1)
    share = np.clip((times - stamps[before]) / width, 0.0, 1.0)
    return prices[before] * portable.exp(share * portable.log(prices[after] / prices[before]))


def _shock_factors(shocks: tuple[Shock, ...], seconds: Path) -> Array:
    factors = np.ones(len(seconds), dtype=np.float64)
    for shock in shocks:
        since = seconds - shock.at_s
        if shock.ramp_s == 0:
            factors = np.where(since >= 0, factors * shock.factor, factors)
        else:
            share = np.clip(since / shock.ramp_s, 0.0, 1.0)
            factors = factors * portable.exp(share * portable.log(np.array([shock.factor])))
    return factors


def _clip(log_move: Array) -> Array:
    """Keep exponents in the range of ``portable.exp``; what leaves it fails when quantised."""
    return np.clip(log_move, -600.0, 600.0)


def _diffusions(scenario: Scenario, seed: int) -> dict[str, Array]:
    """Cumulated random part of the log price of every jump-diffusion asset."""
    blocks = scenario.clock.blocks
    dt = scenario.clock.seconds_per_block / YEAR_SECONDS
    processes = {
        asset.symbol: asset.price
        for asset in scenario.assets
        if isinstance(asset.price, JumpDiffusionPrice)
    }
    moving = list(processes)
    shocks = {name: rng.normals(rng.stream(seed, f"diffusion/{name}"), blocks) for name in moving}
    sizes = {name: rng.normals(rng.stream(seed, f"jump-size/{name}"), blocks) for name in moving}
    arrivals = {name: rng.uniforms(rng.stream(seed, f"jumps/{name}"), blocks) for name in moving}
    leader_of = {name: name for name in moving}
    for correlation in scenario.correlations:
        names = correlation.assets
        lower = cholesky(correlation.rows())
        if lower is None:
            raise ScenarioError("correlation", list(names), "a positive semi-definite matrix")
        shocks |= _mix(lower, names, shocks)
        degrees = correlation.tail_degrees
        if degrees:
            scale = tail_scale(seed, "+".join(names), blocks, degrees)
            shocks |= {name: with_tails(shocks[name], scale, degrees) for name in names}
        if correlation.jumps == "common":
            sizes |= _mix(lower, names, sizes)
            leader_of |= dict.fromkeys(names, names[0])
    result = {}
    for name, process in processes.items():
        leader = leader_of[name]
        counts = _poisson(arrivals[leader], processes[leader].jumps_per_year * dt)
        jumps = counts * process.jump_mean + np.sqrt(counts) * process.jump_sd * sizes[name]
        moves = process.sigma * float(np.sqrt(dt)) * shocks[name] + jumps
        moves[0] = 0.0
        result[name] = np.cumsum(moves)
    return result


def _mix(
    lower: list[list[float]], names: tuple[str, ...], independent: dict[str, Array]
) -> dict[str, Array]:
    mixed = {}
    for i, name in enumerate(names):
        total = np.zeros_like(independent[name])
        for j in range(i + 1):
            total = total + lower[i][j] * independent[names[j]]
        mixed[name] = total
    return mixed


def _poisson(uniform: Array, mean: float) -> Array:
    """Poisson numbers by inversion of the distribution function."""
    probability = float(portable.exp(np.array([-min(mean, 600.0)]))[0])
    cumulated = probability
    counts = np.zeros_like(uniform)
    k = 0
    limit = int(mean + 20 * mean**0.5 + 40)
    while k < limit and bool((uniform > cumulated).any()):
        counts = np.where(uniform > cumulated, k + 1.0, counts)
        k += 1
        probability *= mean / k
        cumulated += probability
    return counts


def _quantise(scenario: Scenario, index: int, path: Array) -> Path:
    scaled = np.rint(path * PRICE_UNIT)
    bad = ~((scaled >= 1) & (scaled <= _MAX_PRICE_UNITS))
    if bad.any():
        block = int(np.argmax(bad))
        raise ScenarioError(
            f"asset[{index}].price",
            float(path[block]),
            f"prices between 1e-8 and 1e10 USD; {scenario.assets[index].symbol} leaves that in "
            f"block {block}",
        )
    units: Path = scaled.astype(np.int64)
    return units
