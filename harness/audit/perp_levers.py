"""The parameters of perpetual exchanges that an audit may change.

What traders do when a parameter changes, as in `harness.audit.levers`: with other margins they keep
the share they use of the leverage they may take; up to another open interest they grow or shrink
alike; the maintenance margin and the insurance fund change nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from harness.audit.lever import Lever
from harness.prices import build_paths
from harness.scenario import (
    BPS,
    WAD,
    BasisTrader,
    MarginTier,
    PerpExchange,
    PerpMarket,
    Population,
    Scenario,
    Traders,
)
from harness.traders import build_traders

__all__ = ["open_interest", "perp_levers", "scale_insurance", "scale_leverage", "scale_traders"]


def open_interest(scenario: Scenario, seed: int) -> dict[tuple[str, str], float]:
    """Tokens of the larger side of every market at the start, by exchange and symbol."""
    start = {symbol: int(path[0]) for symbol, path in build_paths(scenario, seed).items()}
    sides: dict[tuple[str, str, bool], float] = {}
    for venue, traders in build_traders(scenario, seed, start).items():
        for trader in traders:
            for account in trader.accounts:
                for symbol, size in account.positions:
                    key = (venue, symbol, size > 0)
                    sides[key] = sides.get(key, 0.0) + abs(size) / WAD
    found: dict[tuple[str, str], float] = {}
    for (venue, symbol, _), held in sides.items():
        found[venue, symbol] = max(held, found.get((venue, symbol), 0.0))
    return found


def perp_levers(scenario: Scenario, seed: int) -> Iterator[Lever]:
    """Margins and open interest of every market, and every insurance fund."""
    exchanges = scenario.venues_of(PerpExchange)
    used = open_interest(scenario, seed) if exchanges else {}
    for exchange in exchanges:
        for market in exchange.markets:
            if (exchange.name, market.symbol) in used:
                yield from _market(exchange, market, used[exchange.name, market.symbol])
        if exchange.insurance:
            yield Lever(
                kind="insurance",
                name=f"insurance fund of {exchange.name}",
                path=f"venue.{exchange.name}.insurance",
                unit=exchange.settlement,
                value=exchange.insurance,
                low=exchange.insurance / 10,
                high=exchange.insurance * 20,
                even=False,
                change=_insurance(exchange.name),
            )


def _insurance(name: str) -> Callable[[Scenario, float], Scenario]:
    return lambda scenario, value: _with_exchange(
        scenario, name, lambda each: replace(each, insurance=value)
    )


def _market(exchange: PerpExchange, market: PerpMarket, used: float) -> Iterator[Lever]:
    name, symbol = exchange.name, market.symbol
    first = market.tiers[0]
    at = f"venue.{name}.market.{symbol}"

    def set_initial(scenario: Scenario, value: float) -> Scenario:
        factor = value / first.initial_bps
        made = _with_tiers(scenario, name, symbol, lambda tier: _scaled(tier, factor))
        return scale_leverage(made, 1 / factor, name)

    def set_maintenance(scenario: Scenario, value: float) -> Scenario:
        factor = value / first.maintenance_bps

        def moved(tier: MarginTier) -> MarginTier:
            low = min(tier.initial_bps, max(1, round(tier.maintenance_bps * factor)))
            room = tier.initial_bps - tier.maintenance_bps
            share = (tier.call_bps - tier.maintenance_bps) / room if room else 0.0
            call = low + round(share * (tier.initial_bps - low))
            return replace(tier, maintenance_bps=low, call_bps=call)

        return _with_tiers(scenario, name, symbol, moved)

    def set_interest(scenario: Scenario, value: float) -> Scenario:
        def uncapped(each: PerpMarket) -> PerpMarket:
            return replace(each, long_cap=None, short_cap=None) if each.symbol == symbol else each

        made = _with_exchange(
            scenario,
            name,
            lambda each: replace(each, markets=tuple(uncapped(m) for m in each.markets)),
        )
        return scale_traders(made, value / used, name, symbol)

    yield Lever(
        "initial-margin",
        f"initial margin of {symbol}",
        f"{at}.tier[0].initial_bps",
        "bps",
        first.initial_bps,
        max(50, first.initial_bps // 4),
        min(5000, first.initial_bps * 6),
        False,
        set_initial,
    )
    yield Lever(
        "maintenance-margin",
        f"maintenance margin of {symbol}",
        f"{at}.tier[0].maintenance_bps",
        "bps",
        first.maintenance_bps,
        max(10, first.maintenance_bps // 4),
        first.initial_bps * 9 // 10,
        False,
        set_maintenance,
    )
    value = float(f"{used:.6g}")
    yield Lever(
        "open-interest",
        f"open interest of {symbol}",
        f"{at}.long_cap",
        symbol,
        value,
        value / 50,
        value * 8,
        False,
        set_interest,
    )


def _scaled(tier: MarginTier, factor: float) -> MarginTier:
    def bps(value: int) -> int:
        return min(BPS, max(1, round(value * factor)))

    return replace(
        tier,
        initial_bps=bps(tier.initial_bps),
        call_bps=bps(tier.call_bps),
        maintenance_bps=bps(tier.maintenance_bps),
    )


def _with_exchange(
    scenario: Scenario, name: str, change: Callable[[PerpExchange], PerpExchange]
) -> Scenario:
    venues = tuple(
        change(venue) if isinstance(venue, PerpExchange) and venue.name == name else venue
        for venue in scenario.venues
    )
    return replace(scenario, venues=venues)


def _with_tiers(
    scenario: Scenario, name: str, symbol: str, change: Callable[[MarginTier], MarginTier]
) -> Scenario:
    def market(each: PerpMarket) -> PerpMarket:
        if each.symbol != symbol:
            return each
        return replace(each, tiers=tuple(change(tier) for tier in each.tiers))

    return _with_exchange(
        scenario,
        name,
        lambda each: replace(each, markets=tuple(market(m) for m in each.markets)),
    )


def _with_traders(
    scenario: Scenario, venue: str | None, change: Callable[[Traders], Traders]
) -> Scenario:
    def population(each: Population) -> Population:
        if not isinstance(each, Traders) or venue not in (None, each.venue):
            return each
        return change(each)

    return replace(scenario, populations=tuple(population(p) for p in scenario.populations))


def scale_leverage(scenario: Scenario, factor: float, venue: str | None = None) -> Scenario:
    """Traders' leverage times a factor, their equity unchanged."""

    def changed(traders: Traders) -> Traders:
        leverage = traders.leverage
        return replace(
            traders,
            leverage=replace(
                leverage,
                median=leverage.median * factor,
                min=leverage.min * factor,
                max=leverage.max * factor,
            ),
        )

    return _with_traders(scenario, venue, changed)


def scale_traders(scenario: Scenario, factor: float, venue: str, symbol: str) -> Scenario:
    """Traders of a market, basis traders included, larger or smaller by a factor."""
    made = _with_traders(
        scenario,
        venue,
        lambda traders: (
            replace(traders, margin_usd=traders.margin_usd * factor)
            if symbol in dict(traders.markets)
            else traders
        ),
    )
    agents = tuple(
        replace(agent, position=agent.position * factor)
        if isinstance(agent, BasisTrader) and (agent.venue, agent.market) == (venue, symbol)
        else agent
        for agent in made.agents
    )
    return replace(made, agents=agents)


def scale_insurance(scenario: Scenario, factor: float) -> Scenario:
    """Every insurance fund times a factor."""
    for exchange in scenario.venues_of(PerpExchange):
        scenario = _insurance(exchange.name)(scenario, exchange.insurance * factor)
    return scenario
