"""Remedies that have markets liquidate by another design, at its protocol's own parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.mitigations.base import Remedy, Stage
from harness.scenario import (
    GrowingDiscount,
    LiquidationDesign,
    PooledLending,
    Scenario,
)


def _with_design(
    scenario: Scenario, make: Callable[[PooledLending], LiquidationDesign | None]
) -> Scenario:
    """Gives every lending market the design made for it; None leaves a market as it is."""

    def changed(market: PooledLending) -> PooledLending:
        design = make(market)
        return market if design is None else replace(market, liquidation=design)

    venues = tuple(
        changed(venue) if isinstance(venue, PooledLending) else venue for venue in scenario.venues
    )
    return replace(scenario, venues=venues)


def growing_discount(scenario: Scenario) -> Scenario:
    """Collateral goes at a discount of 1 - health factor, 20% at most, as on Euler v2."""
    return _with_design(scenario, lambda _: GrowingDiscount())


REMEDIES = (
    Remedy(
        "growing-discount",
        "liquidation at a discount of 1 - health factor, at most 20%",
        Stage.DESIGN,
        growing_discount,
    ),
)
