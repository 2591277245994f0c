"""The crises an audit runs: drawn by seed, more of them where the tail is, and weighted for it.

A class of crises is split at probabilities into strata, the last of which is the tail beyond the
level. Each stratum gets a share of the runs, and every run carries its probability as weight, so
that expected shortfall at 99% need not rest on one run in a hundred (stratified sampling:
Glasserman, Monte Carlo Methods in Financial Engineering, 2003, section 4.3). The same run draws the
same crisis, prices and positions whatever parameters it is run with, and a small set of draws is
part of a larger one: candidates are compared by common random numbers.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from harness import portable, rng
from harness.errors import ScenarioError
from harness.scenario import (
    Borrowers,
    ConstantPrice,
    IsolatedLending,
    JumpDiffusionPrice,
    PerpExchange,
    PooledLending,
    Positions,
    ReplayPrice,
    Scenario,
    SchedulePrice,
    Shock,
    Stress,
)
from harness.scenario._decode import encode, inline_value

__all__ = ["Draw", "crisis", "draws", "overrides", "stresses"]

_SHARES = (0.25, 0.35, 0.40)
"""Of the runs, for the strata below, near and beyond the level."""
_LEAST = 1e-9
"""A stratum of less is none but for rounding, and would take its share of the runs."""
_SPACING = 1_000_003
"""Between the first seeds of strata."""
_SHOCKED = (ConstantPrice, JumpDiffusionPrice, ReplayPrice, SchedulePrice)


@dataclass(frozen=True, slots=True)
class Draw:
    """One run: its seed, and the shock of each asset that its crisis moves.

    weight: its probability within the class
    move: the log return of the crisis, 0 where there is none
    """

    stress: str
    seed: int
    stratum: int
    weight: float
    move: float
    shocks: tuple[tuple[str, Shock], ...]


def stresses(scenario: Scenario) -> tuple[Stress, ...]:
    """The classes of crises of a scenario with their assets named.

    Raises ScenarioError for an asset that is none or whose price process takes no shocks.
    """
    given = scenario.audit.stresses or _default(scenario)
    named: list[Stress] = []
    for place, stress in enumerate(given):
        path = f"audit.stress[{place}]"
        if stress.name in [other.name for other in named]:
            raise ScenarioError(f"{path}.name", stress.name, "each only once")
        if stress.ramp_s[1] < stress.ramp_s[0]:
            raise ScenarioError(f"{path}.ramp_s[1]", stress.ramp_s[1], f">= {stress.ramp_s[0]}")
        if stress.kind != "as-is":
            stress = dataclasses.replace(stress, assets=_assets(scenario, stress, path))
        named.append(stress)
    return tuple(named)


def _default(scenario: Scenario) -> tuple[Stress, ...]:
    """A replay is its own crisis; else both classes, as far as there are assets for them."""
    if any(isinstance(asset.price, ReplayPrice) for asset in scenario.assets):
        return (Stress("as-is", "as-is"),)
    both = (
        Stress("downturn", "downturn"),
        Stress(
            "broken-correlation",
            "broken-correlation",
            direction="either",
            threshold=0.01,
            mean_excess=0.02,
        ),
    )
    return tuple(stress for stress in both if _candidates(scenario, stress.kind))


def _candidates(scenario: Scenario, kind: str) -> tuple[str, ...]:
    listed = {asset.symbol for venue in scenario.venues_of(PooledLending) for asset in venue.assets}
    collateral, owed = set(), set()
    for population in scenario.populations:
        if isinstance(population, Borrowers):
            collateral.add(population.collateral)
            owed.add(population.debt)
        elif isinstance(population, Positions):
            collateral |= {
                s for row in population.positions for s, _ in row.supplied if row.borrowed
            }
            owed |= {s for row in population.positions for s, _ in row.borrowed}
    for pair in scenario.venues_of(IsolatedLending):
        listed |= {pair.collateral, pair.debt} & (collateral | owed)
    traded = {market.symbol for each in scenario.venues_of(PerpExchange) for market in each.markets}
    listed |= {s for each in scenario.venues_of(PerpExchange) for s in each.symbols}
    own = [asset for asset in scenario.assets if not asset.is_share]
    fall = [
        asset.symbol
        for asset in own
        if asset.symbol in collateral | traded and not 0.95 <= (asset.start_price_usd or 0) <= 1.05
    ]
    if kind == "downturn":
        return tuple(fall)
    return tuple(a.symbol for a in own if a.symbol in listed and a.symbol not in fall)


def _assets(scenario: Scenario, stress: Stress, path: str) -> tuple[str, ...]:
    symbols = [asset.symbol for asset in scenario.assets]
    chosen = stress.assets or _candidates(scenario, stress.kind)
    if not chosen:
        raise ScenarioError(f"{path}.assets", [], f"some of {', '.join(symbols)}: none is meant")
    for symbol in chosen:
        if symbol not in symbols:
            raise ScenarioError(f"{path}.assets", symbol, f"one of {', '.join(symbols)}")
        if not isinstance(scenario.asset(symbol).price, _SHOCKED):
            allowed = "an asset whose price process takes shocks"
            raise ScenarioError(f"{path}.assets", symbol, allowed)
    return tuple(chosen)


def draws(scenario: Scenario, stress: Stress, count: int, first_seed: int) -> tuple[Draw, ...]:
    """``count`` draws of a class; those of a smaller count are among those of a larger one."""
    if stress.kind == "as-is":
        return tuple(
            Draw(stress.name, first_seed + place, 0, 1 / count, 0.0, ()) for place in range(count)
        )
    level = scenario.audit.level
    near = 1 - 10 * (1 - level)
    edges = (0.0, near if near > _LEAST else level / 2, level, 1.0)
    made = []
    for stratum, share in enumerate(_SHARES):
        number = max(1, round(share * count))
        low, high = edges[stratum], edges[stratum + 1]
        name = f"audit/{stress.name}/shift"
        (shift,) = rng.uniforms(rng.stream(first_seed, name, stratum), 1).tolist()
        for place in range(number):
            seed = first_seed + stratum * _SPACING + place
            size = low + (high - low) * ((_halves(place) + shift) % 1.0)
            made.append(_draw(stress, stratum, seed, (high - low) / number, size))
    return tuple(made)


def _halves(place: int) -> float:
    """Van der Corput's sequence: 0, 1/2, 1/4, 3/4, ...: any first few are spread evenly, so that
    severities are, for every number of runs. Shifted at random, each is uniform (Cranley,
    Patterson, SIAM J. Numerical Analysis 13, 1976)."""
    share, part = 0.0, 0.5
    while place:
        share += part * (place & 1)
        place, part = place >> 1, part / 2
    return share


def _draw(stress: Stress, stratum: int, seed: int, weight: float, size: float) -> Draw:
    """One draw; ``size`` is the severity's place in its distribution, from 0 to 1."""
    which, way, how_long = rng.uniforms(rng.stream(seed, f"audit/{stress.name}"), 3).tolist()
    beyond = max(1 - size, 1e-12)
    excess = -stress.mean_excess * float(portable.log(np.array([beyond]))[0])
    move = stress.threshold + excess
    up = stress.direction == "up" or (stress.direction == "either" and way < 0.5)
    factor = round(float(portable.exp(np.array([move if up else -move]))[0]), 6)
    first, last = stress.ramp_s
    shock = Shock(stress.at_s, factor, first + int((last - first + 1) * how_long))
    moved = (
        stress.assets
        if stress.kind == "downturn"
        else (stress.assets[int(which * len(stress.assets))],)
    )
    return Draw(
        stress.name, seed, stratum, weight, move, tuple((symbol, shock) for symbol in moved)
    )


def crisis(scenario: Scenario, draw: Draw) -> Scenario:
    """The scenario in which the draw's crisis happens."""
    shocks = dict(draw.shocks)
    assets = []
    for asset in scenario.assets:
        price = asset.price
        if asset.symbol in shocks and isinstance(price, _SHOCKED):
            price = dataclasses.replace(price, shocks=(*price.shocks, shocks[asset.symbol]))
            asset = dataclasses.replace(asset, price=price)
        assets.append(asset)
    return dataclasses.replace(scenario, assets=tuple(assets))


def overrides(scenario: Scenario, draw: Draw) -> list[str]:
    """``--set`` arguments that make the scenario the draw's crisis."""
    found = []
    for symbol, _ in draw.shocks:
        price = crisis(scenario, draw).asset(symbol).price
        if isinstance(price, _SHOCKED):
            shocks = inline_value([encode(shock) for shock in price.shocks])
            found.append(f"asset.{symbol}.price.shock={shocks}")
    return found
