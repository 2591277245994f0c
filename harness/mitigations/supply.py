"""What markets can lend at the start of a scenario and what is owed there, in tokens."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from harness.prices import build_paths
from harness.scenario import (
    PRICE_UNIT,
    Borrowers,
    Lending,
    Positions,
    Scenario,
    Vault,
)
from harness.scenario.leavers import supplied_to
from harness.scenario.vaults import lent_by_vaults

__all__ = [
    "exact",
    "lendable",
    "owed_by_borrowers",
    "owed_by_pair",
    "owed_by_positions",
    "redeemable",
    "start_usd",
]


def exact(amount: float) -> Decimal:
    """A number of a scenario in the digits it is written in."""
    return Decimal(repr(amount))


def start_usd(scenario: Scenario) -> dict[str, Decimal]:
    """The price of a whole token of each asset at the start, USD."""
    paths = build_paths(scenario, 0)
    return {symbol: Decimal(int(path[0])) / PRICE_UNIT for symbol, path in paths.items()}


def lendable(scenario: Scenario, market: str, symbol: str) -> Decimal:
    """What is supplied to a market to be lent, by whomever."""
    own = scenario.venue_as(Lending, market).asset(symbol).supplied
    others = supplied_to(scenario, market, symbol), lent_by_vaults(scenario, market, symbol)
    return exact(own) + sum(map(exact, others), Decimal(0))


def owed_by_borrowers(
    scenario: Scenario, market: str, symbol: str, prices: Mapping[str, Decimal]
) -> Decimal:
    """Debts of populations that are drawn, whose sum a remedy can scale."""
    owed = [
        exact(population.size.total_debt_usd)
        for population in scenario.populations
        if isinstance(population, Borrowers)
        and (population.venue, population.debt) == (market, symbol)
    ]
    return sum(owed, Decimal(0)) / prices[symbol]


def owed_by_positions(scenario: Scenario, market: str, symbol: str) -> Decimal:
    """Debts that the scenario states one by one."""
    owed = [
        exact(amount)
        for population in scenario.populations
        if isinstance(population, Positions) and population.venue == market
        for row in population.positions
        for borrowed, amount in row.borrowed
        if borrowed == symbol
    ]
    return sum(owed, Decimal(0))


def owed_by_pair(scenario: Scenario, market: str) -> dict[tuple[str, str], Decimal]:
    """Debts in a market at the start, USD, by collateral and debt asset; those of a stated position
    with several collaterals go with its first."""
    start = start_usd(scenario)
    owed: dict[tuple[str, str], Decimal] = {}
    for population in scenario.populations:
        if population.venue != market:
            continue
        if isinstance(population, Borrowers):
            pair = population.collateral, population.debt
            owed[pair] = owed.get(pair, Decimal(0)) + exact(population.size.total_debt_usd)
        if isinstance(population, Positions):
            for row in population.positions:
                for debt, amount in row.borrowed:
                    for collateral, _ in row.supplied[:1]:
                        worth = exact(amount) * start[debt]
                        owed[collateral, debt] = owed.get((collateral, debt), Decimal(0)) + worth
    return owed


def redeemable(scenario: Scenario, vault: Vault, prices: Mapping[str, Decimal]) -> Decimal:
    """What a vault could pay out at the start: what is idle, and its markets' cash."""
    total = exact(vault.idle)
    for each in vault.markets:
        owed = owed_by_borrowers(scenario, each.venue, vault.asset, prices)
        owed += owed_by_positions(scenario, each.venue, vault.asset)
        cash = lendable(scenario, each.venue, vault.asset) - owed
        total += max(Decimal(0), min(exact(each.supplied), cash))
    return total
