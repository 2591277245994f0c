"""Traders: margin accounts from distributions of equity and leverage, in integers.

Computed once from a scenario and a seed with arithmetic that is the same on every machine; each
trader's direction, markets and answer to a margin call are drawn by its own key, so that they do
not depend on how many traders there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import portable, rng
from harness.accounts import account
from harness.errors import ScenarioError
from harness.population import Position
from harness.scenario import (
    BPS,
    PRICE_UNIT,
    WAD,
    BasisTrader,
    PerpExchange,
    PerpMarket,
    Scenario,
    Traders,
    base_units,
)

__all__ = [
    "Trader",
    "TraderAccount",
    "account_word",
    "build_traders",
    "lending_positions",
    "margin_up",
]

Array = NDArray[np.float64]
Answer = Literal["meet", "sell", "borrow", "reduce", "nothing"]
Amounts = tuple[tuple[str, int], ...]

_MICRO = 10**6


def account_word(owner: bytes, market: int | None = None, sub: int = 0) -> bytes:
    """The word of a margin account (IPerpTypes): its owner, the market it is isolated to or None,
    and the sub-account's number."""
    only = 0 if market is None else market + 1
    return owner + only.to_bytes(2, "big") + sub.to_bytes(10, "big")


@dataclass(frozen=True, slots=True)
class TraderAccount:
    """A margin account as it is set up.

    Attributes:
        sub: number of the sub-account.
        isolated: the only market it may trade, or empty.
        deposits: (symbol, base units).
        positions: (market's symbol, size in WAD, above zero when long).
    """

    sub: int
    isolated: str
    deposits: Amounts
    positions: Amounts


@dataclass(frozen=True, slots=True)
class Trader:
    """An owner of margin accounts, and what it does when one is called.

    Attributes:
        group: name of its population or agent; ``index`` counts from 0 within it.
        venue: name of the exchange.
        target: WAD; equity / call margin that an answer aims at.
        cash: settlement tokens in its wallet, base units.
        holding: (symbol, base units) it may sell, or borrow against at ``lender``.
        loan: settlement tokens it may borrow, base units.
    """

    group: str
    index: int
    venue: str
    accounts: tuple[TraderAccount, ...]
    answer: Answer = "nothing"
    latency_blocks: int = 0
    target: int = WAD
    cash: int = 0
    holding: Amounts = ()
    lender: str = ""
    loan: int = 0

    @property
    def owner(self) -> bytes:
        """The address that owns its accounts."""
        return account(self.group, self.index).address


def build_traders(
    scenario: Scenario, seed: int, start_prices: Mapping[str, int]
) -> dict[str, list[Trader]]:
    """The traders of each exchange, in the file's order; then its basis traders.

    start_prices: 8-decimal USD prices of block 0, by symbol

    Raises ScenarioError where an account could not open its positions, or open interest would be
    above a cap; it names the population.
    """
    found: dict[str, list[Trader]] = {spec.name: [] for spec in scenario.venues_of(PerpExchange)}
    for i, population in enumerate(scenario.populations):
        if isinstance(population, Traders):
            made = list(_population(scenario, population, f"population[{i}]", seed, start_prices))
            found[population.venue] += made
    for i, agent in enumerate(scenario.agents):
        if isinstance(agent, BasisTrader):
            found[agent.venue] += _basis(scenario, agent, f"agent[{i}]", start_prices)
    for spec in scenario.venues_of(PerpExchange):
        _check_caps(scenario, spec, found[spec.name])
    return found


def lending_positions(traders: Mapping[str, Sequence[Trader]]) -> list[Position]:
    """What traders have deposited with lending markets, to borrow against when they are called."""
    return [
        Position(
            population=trader.group,
            index=trader.index,
            account="",
            venue=trader.lender,
            supplied=trader.holding,
            borrowed=(),
            action="nothing",
            latency_blocks=0,
            call_health_factor=WAD,
            target_health_factor=WAD,
            cash=(),
        )
        for group in traders.values()
        for trader in group
        if trader.answer == "borrow"
    ]


def margin_up(market: PerpMarket, notional: int, unit: int, ratio: str) -> int:
    """A margin of a notional in settlement units, tier by tier, rounded up; ``ratio`` names the
    tier's field, ``unit`` is a whole settlement token."""
    weighted = start = 0
    for tier in market.tiers:
        end = tier.end(unit)
        weighted += max(0, min(notional, end) - start) * int(getattr(tier, ratio))
        start = end
    return -(-weighted // BPS)


# --- populations ----------------------------------------------------------------------------


def _population(
    scenario: Scenario,
    population: Traders,
    path: str,
    seed: int,
    prices: Mapping[str, int],
) -> Iterator[Trader]:
    spec = scenario.venue_as(PerpExchange, population.venue)
    equities = _equities(population, seed)
    leverages = _leverages(population, seed)
    for i in range(population.count):
        equity = int(float(equities[i]) * _MICRO) * PRICE_UNIT // _MICRO
        leverage = int(np.rint(leverages[i] * _MICRO))
        accounts = tuple(_accounts(scenario, spec, population, i, seed, equity, leverage, prices))
        for held in accounts:
            _check_margin(scenario, spec, held, f"{path}.leverage", prices)
        yield _answering(scenario, spec, population, i, accounts, equity, seed, prices)


def _equities(population: Traders, seed: int) -> Array:
    """Equities in USD, lognormal, that add up to the total."""
    generator = rng.stream(seed, f"{population.stream}/margin")
    normal = rng.normals(generator, population.count)
    raw = portable.exp(np.clip(population.margin_sigma * normal, -600.0, 600.0))
    scaled: Array = raw * (population.margin_usd / math.fsum(raw))
    return scaled


def _leverages(population: Traders, seed: int) -> Array:
    """Truncated lognormal leverages."""
    spread = population.leverage
    if spread.sigma == 0:
        return np.full(population.count, min(max(spread.median, spread.min), spread.max))
    generator = rng.stream(seed, f"{population.stream}/leverage")
    normal = rng.normals(generator, population.count)
    ends = portable.log(np.array([spread.min, spread.max]) / spread.median) / spread.sigma
    low, high = portable.normal_cdf(ends)
    share = low + portable.normal_cdf(normal) * (high - low)
    score = portable.normal_quantile(np.clip(share, 1e-16, 1 - 2.0**-53))
    leverage = spread.median * portable.exp(np.clip(spread.sigma * score, -600.0, 600.0))
    return np.clip(leverage, spread.min, spread.max)


def _accounts(
    scenario: Scenario,
    spec: PerpExchange,
    population: Traders,
    index: int,
    seed: int,
    equity: int,
    leverage: int,
    prices: Mapping[str, int],
) -> Iterator[TraderAccount]:
    """A trader's accounts: equity is USD of 8 decimals, leverage millionths."""
    chosen = _markets(population, index, seed)
    lot = rng.draw(seed, population.stream, str(index), 0, "direction")
    direction = 1 if rng.chance(lot, population.long_bps) else -1
    lot = rng.draw(seed, population.stream, str(index), 0, "isolated")
    isolated = rng.chance(lot, population.isolated_bps)
    parts = population.sub_accounts * len(chosen)
    positions = []
    for place, symbol in enumerate(chosen):
        sign = -direction if population.alternate and place % 2 else direction
        size = equity * leverage * WAD // (_MICRO * prices[symbol] * parts)
        positions.append((symbol, sign * size))
    for sub in range(population.sub_accounts):
        if isolated:
            for position in positions:
                deposits = _deposits(scenario, spec, population, equity // parts, prices)
                yield TraderAccount(sub, position[0], deposits, (position,))
        else:
            part = equity // population.sub_accounts
            deposits = _deposits(scenario, spec, population, part, prices)
            yield TraderAccount(sub, "", deposits, tuple(positions))


def _markets(population: Traders, index: int, seed: int) -> list[str]:
    """The trader's markets, drawn by weight without repetition, in the file's order of symbols."""
    left = {symbol: round(weight * _MICRO) for symbol, weight in population.markets if weight > 0}
    chosen = []
    for place in range(population.markets_each):
        purpose = f"market-{place}"
        lot = rng.draw(seed, population.stream, str(index), 0, purpose)
        at = rng.below(lot, sum(left.values()))
        symbol = _weighted(left, at)
        chosen.append(symbol)
        del left[symbol]
    return chosen


def _weighted(weights: Mapping[str, int], at: int) -> str:
    """The symbol whose weights cover a number below their sum."""
    for symbol, weight in weights.items():
        at -= weight
        if at < 0:
            return symbol
    raise ValueError(f"{at}: the weights do not cover it")


def _deposits(
    scenario: Scenario,
    spec: PerpExchange,
    population: Traders,
    equity: int,
    prices: Mapping[str, int],
) -> Amounts:
    weights = [(s, round(w * _MICRO)) for s, w in population.collateral if w > 0]
    weights = weights or [(spec.settlement, 1)]
    total = sum(weight for _, weight in weights)
    return tuple(
        (
            symbol,
            equity * weight * 10 ** scenario.asset(symbol).decimals // (total * prices[symbol]),
        )
        for symbol, weight in weights
    )


def _answering(
    scenario: Scenario,
    spec: PerpExchange,
    population: Traders,
    index: int,
    accounts: tuple[TraderAccount, ...],
    equity: int,
    seed: int,
    prices: Mapping[str, int],
) -> Trader:
    response, stream = population.response, population.stream
    answer = _answer(population, rng.below(rng.draw(seed, stream, str(index), 0, "answer"), BPS))
    first, last = response.latency_blocks
    worth = equity * response.cash_bps // BPS

    def units(symbol: str, usd: int) -> int:
        unit: int = 10 ** scenario.asset(symbol).decimals
        return usd * unit // prices[symbol]

    owns = answer in ("sell", "borrow")
    holding = ((response.holding, units(response.holding, worth)),) if owns else ()
    return Trader(
        group=population.name,
        index=index,
        venue=spec.name,
        accounts=accounts,
        answer=answer,
        latency_blocks=rng.between(rng.draw(seed, stream, str(index), 0, "latency"), first, last),
        target=base_units(response.target, 18),
        cash=units(spec.settlement, worth) if answer == "meet" else 0,
        holding=holding,
        lender=response.lender if answer == "borrow" else "",
        loan=units(spec.settlement, worth * response.borrow_ltv_bps // BPS)
        if answer == "borrow"
        else 0,
    )


def _answer(population: Traders, lot: int) -> Answer:
    response = population.response
    shares: tuple[tuple[Answer, int], ...] = (
        ("meet", response.meet_bps),
        ("sell", response.sell_bps),
        ("borrow", response.borrow_bps),
        ("reduce", response.reduce_bps),
    )
    for answer, share in shares:
        lot -= share
        if lot < 0:
            return answer
    return "nothing"


# --- basis traders --------------------------------------------------------------------------


def _basis(
    scenario: Scenario, agent: BasisTrader, path: str, prices: Mapping[str, int]
) -> Iterator[Trader]:
    spec = scenario.venue_as(PerpExchange, agent.venue)
    size = base_units(agent.position, 18)
    leverage = round(agent.leverage * _MICRO)
    unit: int = 10 ** scenario.asset(spec.settlement).decimals
    notional = size * prices[agent.market] * unit // (WAD * prices[spec.settlement])
    held = TraderAccount(
        sub=0,
        isolated="",
        deposits=((spec.settlement, -(-notional * _MICRO // leverage)),),
        positions=((agent.market, -size),),
    )
    _check_margin(scenario, spec, held, f"{path}.leverage", prices)
    for index in range(agent.count):
        yield Trader(group=agent.name, index=index, venue=spec.name, accounts=(held,))


# --- what must be possible ------------------------------------------------------------------


def _check_margin(
    scenario: Scenario,
    spec: PerpExchange,
    held: TraderAccount,
    path: str,
    prices: Mapping[str, int],
) -> None:
    """Equity after haircuts covers the initial margins."""
    unit: int = 10 ** scenario.asset(spec.settlement).decimals
    haircuts = {collateral.symbol: collateral.haircut_bps for collateral in spec.collaterals}

    def worth(symbol: str, amount: int, one: int) -> int:
        return amount * prices[symbol] * unit // (one * prices[spec.settlement])

    equity = sum(
        worth(symbol, amount, 10 ** scenario.asset(symbol).decimals)
        * (BPS - haircuts.get(symbol, 0))
        // BPS
        for symbol, amount in held.deposits
    )
    needed = sum(
        margin_up(spec.market(symbol), worth(symbol, abs(size), WAD) + 1, unit, "initial_bps")
        for symbol, size in held.positions
    )
    if any(size == 0 for _, size in held.positions):
        raise ScenarioError(path, "a position of 0", "enough margin for a position each")
    if equity <= needed:
        allowed = f"above the initial margin of {needed / unit:.2f} {spec.settlement} on it"
        text = f"an equity of {equity / unit:.2f} after haircuts"
        raise ScenarioError(path, text, allowed)


def _check_caps(scenario: Scenario, spec: PerpExchange, traders: Sequence[Trader]) -> None:
    sides: dict[tuple[str, bool], int] = {}
    for trader in traders:
        for held in trader.accounts:
            for symbol, size in held.positions:
                key = (symbol, size > 0)
                sides[key] = sides.get(key, 0) + abs(size)
    place = list(scenario.venues).index(spec)
    for j, market in enumerate(spec.markets):
        for name, long in (("long_cap", True), ("short_cap", False)):
            cap, held_size = getattr(market, name), sides.get((market.symbol, long), 0)
            if cap is not None and held_size > base_units(cap, 18):
                allowed = f"at least the {-(-held_size // WAD)} of the scenario at the start"
                raise ScenarioError(f"venue[{place}].market[{j}].{name}", cap, allowed)
