"""Remedies that change who pays when the funds behind an exchange are spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.mitigations.base import Remedy, Stage
from harness.scenario import ClearingHouse, Scenario


def _with_house(scenario: Scenario, change: Callable[[ClearingHouse], ClearingHouse]) -> Scenario:
    venues = tuple(
        change(venue) if isinstance(venue, ClearingHouse) else venue for venue in scenario.venues
    )
    return replace(scenario, venues=venues)


def _policy(policy: str) -> Callable[[Scenario], Scenario]:
    return lambda scenario: _with_house(scenario, lambda house: replace(house, policy=policy))


def all_winners(scenario: Scenario) -> Scenario:
    """What deleveraging leaves unpaid is shared among all winners before the vault's holders."""
    return _with_house(scenario, lambda house: replace(house, all_winners=True))


def default_fund(scenario: Scenario) -> Scenario:
    """Five times the contributions and the house's stake."""
    return _with_house(
        scenario,
        lambda house: replace(house, contribution=5 * house.contribution, stake=5 * house.stake),
    )


REMEDIES = (
    Remedy(
        "adl-hyperliquid",
        "winners pay in a queue by price gain x leverage",
        Stage.DESIGN,
        _policy("hyperliquid-queue"),
    ),
    Remedy(
        "adl-bitmex",
        "winners pay in a queue by profit x leverage",
        Stage.DESIGN,
        _policy("bitmex-queue"),
    ),
    Remedy(
        "adl-bankruptcy",
        "those opposite are closed at the bankruptcy price",
        Stage.DESIGN,
        _policy("bankruptcy-price"),
    ),
    Remedy(
        "adl-pro-rata",
        "winners pay in proportion to their profit",
        Stage.DESIGN,
        _policy("pro-rata"),
    ),
    Remedy(
        "adl-pro-rata-notional",
        "winners pay in proportion to their notional, at most their profit",
        Stage.DESIGN,
        _policy("pro-rata-notional"),
    ),
    Remedy(
        "adl-all-winners",
        "winners on every side pay before the vault's holders",
        Stage.DESIGN,
        all_winners,
    ),
    Remedy(
        "larger-default-fund",
        "five times the members' contributions and the house's stake",
        Stage.PARAMETERS,
        default_fund,
    ),
)
