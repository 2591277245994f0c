"""Populations: integer positions from a joint distribution of health factor and size, or a table.

Positions are amounts in base units, computed once from a scenario and a seed with arithmetic that
is the same on every machine. Each account's response to a margin call is drawn by its own key, so
that it does not depend on how many accounts there are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import portable, rng
from harness.errors import ScenarioError
from harness.prices import build_paths
from harness.scenario.leavers import supplied_to
from harness.scenario.model import Scenario
from harness.scenario.populations import (
    Borrowers,
    HealthDistribution,
    Population,
    Positions,
    Response,
    SizeDistribution,
)
from harness.scenario.units import BPS, PRICE_UNIT, WAD, base_units
from harness.scenario.vaults import lent_by_vaults
from harness.scenario.venues import IsolatedLending, Lending

__all__ = ["Position", "build_population", "dropped"]

Array = NDArray[np.float64]
Action = Literal["top-up", "deleverage", "move", "nothing"]

_NANO = 10**9
_LEAST_HEALTH = 1 + 1e-6
"""Positions open at this health factor or above: prices may have left them anywhere above their
threshold, and a millionth more outlasts the interest and the rounding of set-up."""


@dataclass(frozen=True, slots=True)
class Position:
    """One account of a population as it is set up, and what it does when called.

    Attributes:
        population: name of its ``[[population]]``; ``index`` counts from 0 within it.
        account: the label of a position given in a table, else empty.
        venue: name of the market.
        supplied: (symbol, base units) of each collateral.
        borrowed: (symbol, base units) of each debt.
        action: what it does when its health factor falls below ``call_health_factor``.
        latency_blocks: blocks between that and its transaction.
        call_health_factor: WAD.
        target_health_factor: WAD; what a top-up or a sale aims at.
        cash: (symbol, base units) it has beside the position, for a top-up.
        holder: name of the accounts it belongs to, those of its own population if empty.
    """

    population: str
    index: int
    account: str
    venue: str
    supplied: tuple[tuple[str, int], ...]
    borrowed: tuple[tuple[str, int], ...]
    action: Action
    latency_blocks: int
    call_health_factor: int
    target_health_factor: int
    cash: tuple[tuple[str, int], ...]
    holder: str = ""


def build_population(
    scenario: Scenario, seed: int, start_prices: Mapping[str, int] | None = None
) -> tuple[Position, ...]:
    """Every position of every population, in the file's order.

    Args:
        scenario: the scenario.
        seed: with the scenario, fixes every position.
        start_prices: 8-decimal prices at set-up by symbol; by default those of block 0.

    Raises:
        ScenarioError: the positions exceed what is supplied or a cap, or one of a table cannot be
            opened at the start prices; names the population.
    """
    if start_prices is None:
        paths = build_paths(scenario, seed)
        start_prices = {symbol: int(path[0]) for symbol, path in paths.items()}
    positions: list[Position] = []
    for i, population in enumerate(scenario.populations):
        if isinstance(population, Borrowers):
            positions += _borrowers(scenario, population, seed, start_prices)
        elif isinstance(population, Positions):
            positions += _table(scenario, population, i, seed, start_prices)
        elif population.tag_value() not in Population.members:
            allowed = "borrowers or positions, or traders of an exchange"
            raise ScenarioError(f"population[{i}].kind", population.tag_value(), allowed)
    _check_liquidity(scenario, positions)
    return tuple(positions)


def dropped(scenario: Scenario, positions: Iterable[Position]) -> tuple[str, ...]:
    """Warnings that count the positions of tables that :func:`build_population` left out."""
    built = Counter(position.population for position in positions)
    warnings = []
    for i, population in enumerate(scenario.populations):
        if isinstance(population, Positions):
            rows, kept = len(population.positions), built[population.name]
            if kept < rows:
                warnings.append(
                    f"population[{i}]: {rows - kept} of {rows} positions are left out, their debt "
                    "above collateral x threshold at the start prices"
                )
    return tuple(warnings)


def _borrowers(
    scenario: Scenario, population: Borrowers, seed: int, prices: Mapping[str, int]
) -> Iterator[Position]:
    market = scenario.venue_as(Lending, population.venue)
    listed = market.asset(population.collateral)
    sizes_usd, health = _joint(population, seed)
    debt_decimals = scenario.asset(population.debt).decimals
    collateral_decimals = scenario.asset(population.collateral).decimals
    debt_price, collateral_price = prices[population.debt], prices[population.collateral]
    for i in range(population.count):
        debt = (
            int(float(sizes_usd[i]) * PRICE_UNIT * 10**6)
            * 10**debt_decimals
            // (debt_price * 10**6)
        )
        health_nano = int(np.rint(health[i] * _NANO))
        # collateral x threshold x collateral price = health x debt x debt price, rounded up
        above = debt * debt_price * health_nano * BPS * 10**collateral_decimals
        below = collateral_price * listed.liquidation_threshold_bps * _NANO * 10**debt_decimals
        collateral = -(-above // below)
        supplied, owed = (
            ((symbol, units),) if units else ()
            for symbol, units in ((population.collateral, collateral), (population.debt, debt))
        )
        yield _position(scenario, population, i, "", supplied, owed, seed, prices)


def _joint(population: Borrowers, seed: int) -> tuple[Array, Array]:
    """Debt sizes in USD and health factors, matched by a Gaussian copula."""
    count, size = population.count, population.size
    name = f"population/{population.name}"
    first = rng.normals(rng.stream(seed, f"{name}/size"), count)
    own = rng.normals(rng.stream(seed, f"{name}/health"), count)
    rho = size.correlation
    second = rho * first + float(np.sqrt(1.0 - rho * rho)) * own
    u, v = _shares(first, size.sampling), _shares(second, size.sampling)
    health = np.maximum(_health(population.health, v) * population.health.scale, _LEAST_HEALTH)
    return _sizes(size, u), health


def _shares(normal: Array, sampling: str) -> Array:
    """Normal numbers as they are, or replaced by the normal quantile of their rank."""
    if sampling == "random":
        return normal
    ranks = np.empty(len(normal), dtype=np.float64)
    ranks[np.argsort(normal, kind="stable")] = np.arange(len(normal), dtype=np.float64)
    return portable.normal_quantile((ranks + 0.5) / len(normal))


def _health(distribution: HealthDistribution, normal: Array) -> Array:
    """Truncated lognormal excess over the origin at the normal scores given."""
    origin, median, sigma = (
        distribution.origin,
        distribution.excess_median,
        distribution.excess_sigma,
    )
    ends = np.array([distribution.min - origin, distribution.max - origin])
    scores = portable.log(np.maximum(ends, 1e-12) / median) / sigma
    low, high = portable.normal_cdf(scores)
    share = low + portable.normal_cdf(normal) * (high - low)
    score = portable.normal_quantile(np.clip(share, 1e-16, 1 - 2.0**-53))
    health = origin + median * portable.exp(np.clip(sigma * score, -600.0, 600.0))
    return np.clip(health, distribution.min, distribution.max)


def _sizes(distribution: SizeDistribution, normal: Array) -> Array:
    """Lognormal sizes that add up to the total, none below the minimum."""
    raw = portable.exp(np.clip(distribution.sigma * normal, -600.0, 600.0))
    least, total = distribution.min_debt_usd, distribution.total_debt_usd
    at_least = np.zeros(len(raw), dtype=bool)
    while True:
        free = math.fsum(raw[~at_least])
        scale = (total - least * int(at_least.sum())) / free if free else 0.0
        below = ~at_least & (raw * scale < least)
        if not below.any():
            return np.where(at_least, least, raw * scale)
        at_least |= below


def _table(
    scenario: Scenario, population: Positions, index: int, seed: int, prices: Mapping[str, int]
) -> Iterator[Position]:
    market = scenario.venue_as(Lending, population.venue)
    for i, row in enumerate(population.positions):
        supplied = _units(scenario, row.supplied)
        borrowed = _units(scenario, row.borrowed)
        allowed_debt = sum(
            _value(scenario, symbol, units, prices) * market.asset(symbol).liquidation_threshold_bps
            for symbol, units in supplied
        )
        debt = sum(_value(scenario, symbol, units, prices) for symbol, units in borrowed)
        if debt * BPS > allowed_debt:
            if population.unhealthy == "drop":
                continue
            raise ScenarioError(
                f"population[{index}].position[{i}].borrowed",
                dict(row.borrowed),
                f"at most {allowed_debt / BPS / WAD:.2f} USD, its collateral x threshold, or "
                'unhealthy = "drop"',
            )
        yield _position(scenario, population, i, row.account, supplied, borrowed, seed, prices)


def _units(
    scenario: Scenario, amounts: tuple[tuple[str, float], ...]
) -> tuple[tuple[str, int], ...]:
    every = (
        (symbol, base_units(amount, scenario.asset(symbol).decimals)) for symbol, amount in amounts
    )
    return tuple((symbol, units) for symbol, units in every if units)


def _value(scenario: Scenario, symbol: str, units: int, prices: Mapping[str, int]) -> int:
    """USD value in WAD, rounded down."""
    decimals = scenario.asset(symbol).decimals
    worth: int = units * prices[symbol] * (WAD // PRICE_UNIT) // 10**decimals
    return worth


def _position(
    scenario: Scenario,
    population: Borrowers | Positions,
    index: int,
    account: str,
    supplied: tuple[tuple[str, int], ...],
    borrowed: tuple[tuple[str, int], ...],
    seed: int,
    prices: Mapping[str, int],
) -> Position:
    response, stream = population.response, f"population/{population.name}"
    action = _action(response, rng.below(rng.draw(seed, stream, str(index), 0, "action"), BPS))
    first, last = response.latency_blocks
    return Position(
        population=population.name,
        index=index,
        account=account,
        venue=population.venue,
        supplied=supplied,
        borrowed=borrowed,
        action=action,
        latency_blocks=rng.between(rng.draw(seed, stream, str(index), 0, "latency"), first, last),
        call_health_factor=base_units(response.call_health_factor, 18),
        target_health_factor=base_units(response.target_health_factor, 18),
        cash=_cash(scenario, response, action, supplied, borrowed, prices),
        holder=population.holders,
    )


def _action(response: Response, lot: int) -> Action:
    if lot < response.top_up_bps:
        return "top-up"
    if lot < response.top_up_bps + response.deleverage_bps:
        return "deleverage"
    moves = response.top_up_bps + response.deleverage_bps + response.move_bps
    return "move" if lot < moves else "nothing"


def _cash(
    scenario: Scenario,
    response: Response,
    action: Action,
    supplied: tuple[tuple[str, int], ...],
    borrowed: tuple[tuple[str, int], ...],
    prices: Mapping[str, int],
) -> tuple[tuple[str, int], ...]:
    """Cash of who tops up: a share of each debt, in that asset or in the first collateral."""
    if action != "top-up" or not response.cash_bps or not supplied:
        return ()
    if response.cash_in == "debt":
        return tuple((symbol, units * response.cash_bps // BPS) for symbol, units in borrowed)
    symbol = supplied[0][0]
    worth = sum(_value(scenario, owed, units, prices) for owed, units in borrowed)
    decimals = scenario.asset(symbol).decimals
    units = worth * response.cash_bps * 10**decimals // (prices[symbol] * (WAD // PRICE_UNIT) * BPS)
    return ((symbol, units),)


def _check_liquidity(scenario: Scenario, positions: list[Position]) -> None:
    """Debts within supply and caps, so that every position can be opened in any order."""
    supplied: dict[tuple[str, str], int] = {}
    borrowed: dict[tuple[str, str], int] = {}
    for position in positions:
        for books, amounts in ((supplied, position.supplied), (borrowed, position.borrowed)):
            for symbol, units in amounts:
                key = (position.venue, symbol)
                books[key] = books.get(key, 0) + units
    for i, venue in enumerate(scenario.venues):
        if not isinstance(venue, Lending):
            continue
        for j, listed in enumerate(venue.assets):
            key = (venue.name, listed.symbol)
            path = f"venue[{i}]"
            if not isinstance(venue, IsolatedLending):
                path += f".asset[{j}]"
            decimals = scenario.asset(listed.symbol).decimals
            unit = 10**decimals
            tokens = listed.supplied + supplied_to(scenario, venue.name, listed.symbol)
            tokens += lent_by_vaults(scenario, venue.name, listed.symbol)
            passive = base_units(tokens, decimals)
            held, owed = passive + supplied.get(key, 0), borrowed.get(key, 0)
            if owed > passive:
                allowed = f"at least the {-(-owed // unit)} that the populations borrow"
                raise ScenarioError(f"{path}.supplied", listed.supplied, allowed)
            for name, amount in (("supply_cap", held), ("borrow_cap", owed)):
                cap = getattr(listed, name)
                if cap is not None and amount > base_units(cap, decimals):
                    allowed = f"at least the {-(-amount // unit)} of the scenario at the start"
                    raise ScenarioError(f"{path}.{name}", cap, allowed)
