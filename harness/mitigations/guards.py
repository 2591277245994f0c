"""Remedies that act while a market runs: circuit breakers, grace, dynamic thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from harness.mitigations.base import Remedy, Stage
from harness.mitigations.supply import owed_by_pair
from harness.scenario import (
    Agent,
    Bid,
    Governor,
    Guardian,
    LendingAsset,
    PooledLending,
    Scenario,
)

#: Guards outbid any liquidator: they pay for one transaction a day.
GUARD_BID = Bid(base_gwei=50, follow_bps=30_000, max_gwei=2_000)

HOUR = 3600


def _for_each_collateral(
    scenario: Scenario, make: Callable[[PooledLending, LendingAsset], Agent]
) -> Scenario:
    """Adds an agent for every collateral of every lending market."""
    added = [
        make(market, asset)
        for market in scenario.venues_of(PooledLending)
        for asset in market.assets
        if asset.liquidation_threshold_bps
    ]
    return replace(scenario, agents=(*scenario.agents, *added))


def price_breaker(scenario: Scenario) -> Scenario:
    """Pauses the market for an hour when its price has fallen 15% within an hour."""
    return _for_each_collateral(
        scenario,
        lambda market, asset: Guardian(
            name=f"price-breaker-{market.name}-{asset.symbol}",
            venue=market.name,
            asset=asset.symbol,
            fall_bps=1500,
            window_s=HOUR,
            pause_s=HOUR,
            bid=GUARD_BID,
        ),
    )


def volume_breaker(scenario: Scenario) -> Scenario:
    """Pauses the market for an hour when 5% of its loans have been liquidated within an hour."""
    lent = {
        market.name: sum(owed_by_pair(scenario, market.name).values(), Decimal(0))
        for market in scenario.venues_of(PooledLending)
    }

    def guardian(market: PooledLending, asset: LendingAsset) -> Agent:
        return Guardian(
            name=f"volume-breaker-{market.name}-{asset.symbol}",
            venue=market.name,
            asset=asset.symbol,
            liquidated_usd=max(1.0, float(round(lent[market.name] / 20, 2))),
            window_s=HOUR,
            pause_s=HOUR,
            bid=GUARD_BID,
        )

    return _for_each_collateral(scenario, guardian)


def grace(scenario: Scenario) -> Scenario:
    """Adds two hours of grace to every breaker: borrowers may act, liquidators not yet."""
    agents = tuple(
        replace(agent, grace_s=2 * HOUR) if isinstance(agent, Guardian) else agent
        for agent in scenario.agents
    )
    return replace(scenario, agents=agents)


def _dynamic(scenario: Scenario, change_bps: int) -> Scenario:
    """A governor that moves the threshold by this much for each 10% of fall within a day."""

    def governor(market: PooledLending, asset: LendingAsset) -> Agent:
        listed = asset.liquidation_threshold_bps
        steps = tuple((1000 * k, min(9_800, max(1, listed + change_bps * k))) for k in range(1, 5))
        return Governor(
            name=f"governor-{market.name}-{asset.symbol}",
            venue=market.name,
            asset=asset.symbol,
            steps=steps,
            bid=GUARD_BID,
        )

    return _for_each_collateral(scenario, governor)


def yielding_threshold(scenario: Scenario) -> Scenario:
    """The threshold rises by two points for each 10% the price has fallen within a day."""
    return _dynamic(scenario, 200)


def tightening_threshold(scenario: Scenario) -> Scenario:
    """The threshold is lowered by two points for each 10% of fall: an amplifier."""
    return _dynamic(scenario, -200)


REMEDIES = (
    Remedy(
        "price-breaker", "pause for an hour after a fall of 15% in one", Stage.GUARD, price_breaker
    ),
    Remedy(
        "volume-breaker",
        "pause for an hour after liquidations of 5% of the loans in one",
        Stage.GUARD,
        volume_breaker,
    ),
    Remedy("grace", "two hours of grace after each pause", Stage.GRACE, grace),
    Remedy(
        "yielding-threshold",
        "threshold raised by 2 points for each 10% of fall in a day",
        Stage.GUARD,
        yielding_threshold,
    ),
    Remedy(
        "tightening-threshold",
        "threshold lowered by 2 points for each 10% of fall (an amplifier)",
        Stage.GUARD,
        tightening_threshold,
    ),
)
