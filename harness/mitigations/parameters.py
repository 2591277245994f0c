"""Remedies in what a lending market allows: thresholds, bonus, close factor, caps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from harness.mitigations.base import Remedy, Stage
from harness.mitigations.supply import exact, owed_by_pair, redeemable, start_usd
from harness.scenario import (
    BPS,
    Borrowers,
    Lending,
    LendingAsset,
    Pool,
    PooledLending,
    Scenario,
    Vault,
    Venue,
)

#: Points taken off loan-to-value and liquidation threshold.
THRESHOLD_CUT_BPS = 500

#: Largest threshold x (1 + bonus) that is left: below 1, so that liquidation heals.
TOXIC_LIMIT_BPS = 9_500


def _with_markets(scenario: Scenario, change: Callable[[PooledLending], PooledLending]) -> Scenario:
    def changed(venue: Venue) -> Venue:
        return change(venue) if isinstance(venue, PooledLending) else venue

    return replace(scenario, venues=tuple(changed(venue) for venue in scenario.venues))


def _with_listings(scenario: Scenario, change: Callable[[LendingAsset], LendingAsset]) -> Scenario:
    return _with_markets(
        scenario,
        lambda market: replace(market, assets=tuple(change(asset) for asset in market.assets)),
    )


def full_close(scenario: Scenario) -> Scenario:
    """A liquidation may repay all of a debt."""
    return _with_markets(scenario, lambda market: replace(market, close_factor_bps=BPS))


def bounded_bonus(scenario: Scenario) -> Scenario:
    """No bonus past the frontier: threshold x (1 + bonus) stays at .95 or below (Warmuz et al.,
    arXiv 2212.07306: at 1 every liquidation is toxic)."""

    def bounded(asset: LendingAsset) -> LendingAsset:
        threshold = asset.liquidation_threshold_bps
        if not threshold:
            return asset
        most = max(0, TOXIC_LIMIT_BPS * BPS // threshold - BPS)
        return replace(asset, liquidation_bonus_bps=min(asset.liquidation_bonus_bps, most))

    return _with_listings(scenario, bounded)


def earlier_threshold(scenario: Scenario) -> Scenario:
    """Liquidation starts where the threshold is lower by five points; nobody may borrow beyond.

    The same debts then stand against more collateral: health factors at the start are kept, as
    holders keep their distance from liquidation, not their leverage.
    """

    def cut(asset: LendingAsset) -> LendingAsset:
        threshold = max(0, asset.liquidation_threshold_bps - THRESHOLD_CUT_BPS)
        return replace(
            asset,
            liquidation_threshold_bps=threshold,
            ltv_bps=max(0, min(asset.ltv_bps - THRESHOLD_CUT_BPS, threshold)),
        )

    return _with_listings(scenario, cut)


def depth_cap(scenario: Scenario) -> Scenario:
    """Debts are capped at what pool and outside market together take within the bonus.

    Selling a share s of a constant product's base takes its price down to 1 / (1 + s)^2; within a
    bonus b that is s = sqrt(1 + b) - 1. The outside depth is stated at 2%. Shares of a vault are
    redeemed: what it could pay out at the start is their depth, and what their pool takes, if they
    have one. Markets that take the same
    collateral sell into the same depth, and share it in proportion to their debts. A collateral
    for whose sale the scenario has no place is left alone, and so are debts that the scenario
    states one by one, which have their part of the depth.
    """
    start = start_usd(scenario)
    owed: dict[str, Decimal] = {}
    for market in scenario.venues_of(Lending):
        for (collateral, _), worth in owed_by_pair(scenario, market.name).items():
            owed[collateral] = owed.get(collateral, Decimal(0)) + worth

    def depth(symbol: str, bonus: Decimal) -> Decimal | None:
        """What can be sold, USD; None where nothing says so."""
        share = (1 + bonus).sqrt() - 1
        external, parts = scenario.asset(symbol).external, []
        if external is not None:
            parts.append(exact(external.depth_2pct_usd) / (1 / Decimal("0.98").sqrt() - 1) * share)
        parts += [
            exact(pool.base_reserve) * start[symbol] * share
            for pool in scenario.venues_of(Pool)
            if symbol == pool.base
        ]
        parts += [
            redeemable(scenario, vault, start) * start[vault.asset]
            for vault in scenario.venues_of(Vault)
            if symbol == vault.share
        ]
        return sum(parts, Decimal(0)) if parts else None

    def capped(population: Borrowers) -> Borrowers:
        market = scenario.venue_as(Lending, population.venue)
        bonus = Decimal(market.asset(population.collateral).liquidation_bonus_bps) / BPS
        worth = depth(population.collateral, bonus)
        total = exact(population.size.total_debt_usd)
        whole = owed[population.collateral]
        if worth is None or worth >= whole:
            return population
        fits = float(round(total * worth / whole, 2))
        size = replace(
            population.size,
            total_debt_usd=fits,
            min_debt_usd=min(population.size.min_debt_usd, fits / population.count),
        )
        return replace(population, size=size)

    populations = tuple(
        capped(population) if isinstance(population, Borrowers) else population
        for population in scenario.populations
    )
    return replace(scenario, populations=populations)


REMEDIES = (
    Remedy("full-close", "close factor 100%", Stage.PARAMETERS, full_close),
    Remedy(
        "bounded-bonus",
        "bonus cut until threshold x (1 + bonus) is at most 0.95",
        Stage.PARAMETERS,
        bounded_bonus,
    ),
    Remedy(
        "earlier-threshold",
        "threshold and LTV five points lower, same health factors",
        Stage.PARAMETERS,
        earlier_threshold,
    ),
    Remedy(
        "depth-cap",
        "debts capped at what can be sold within the bonus",
        Stage.PARAMETERS,
        depth_cap,
    ),
)
