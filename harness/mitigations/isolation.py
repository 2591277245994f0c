"""The remedy that takes a market apart: an isolated market for each pair, with no common pot."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from harness.mitigations.base import Remedy, Stage
from harness.scenario import (
    Agent,
    Borrowers,
    Governor,
    Guardian,
    InventoryLiquidator,
    IsolatedLending,
    Lender,
    Liquidator,
    PooledLending,
    Population,
    Scenario,
    Traders,
    Vault,
    Venue,
)


def isolated_mode(scenario: Scenario) -> Scenario:
    """Every pooled market becomes one isolated market for each pair that is borrowed in it.

    The LLTV is the threshold, which keeps health factors at the start; supply is divided among the
    pairs of a debt asset as their debts are. Each liquidator goes to each of the new markets.
    Nobody can pause them or change their terms, so guardians and governors go. A market is left as
    it is that has positions not of one pair or participants of another kind (its suppliers, or
    those of a liquidation design), reads a source of an asset's feed, or is where a lender, a vault
    or traders who borrow have to find it.
    """
    for market in scenario.venues_of(PooledLending):
        scenario = _taken_apart(scenario, market)
    return scenario


def _is_bound(scenario: Scenario, market: PooledLending) -> bool:
    """Whether somebody deals with the market who could not with several in its place."""
    agents = any(
        market.name in agent.venues
        if isinstance(agent, Lender)
        else getattr(agent, "venue", "") == market.name
        and not isinstance(agent, Liquidator | InventoryLiquidator | Guardian | Governor)
        for agent in scenario.agents
    )
    vaults = any(
        each.venue == market.name for vault in scenario.venues_of(Vault) for each in vault.markets
    )
    traders = any(
        population.response.lender == market.name
        for population in scenario.populations
        if isinstance(population, Traders)
    )
    return agents or vaults or traders or any(listed.source for listed in market.assets)


def _taken_apart(scenario: Scenario, market: PooledLending) -> Scenario:
    held = [population for population in scenario.populations if population.venue == market.name]
    borrowers = [population for population in held if isinstance(population, Borrowers)]
    if not borrowers or len(borrowers) < len(held) or _is_bound(scenario, market):
        return scenario
    names = {
        pair: f"{market.name}-{pair[0]}-{pair[1]}"
        for pair in dict.fromkeys((each.collateral, each.debt) for each in borrowers)
    }
    venues: list[Venue] = []
    for venue in scenario.venues:
        if venue.name == market.name:
            venues += [_isolated(market, name, pair, borrowers) for pair, name in names.items()]
        else:
            venues.append(venue)
    populations: list[Population] = [
        replace(each, venue=names[each.collateral, each.debt])
        if isinstance(each, Borrowers) and each.venue == market.name
        else each
        for each in scenario.populations
    ]
    agents: list[Agent] = []
    for agent in scenario.agents:
        if isinstance(agent, Liquidator | InventoryLiquidator) and agent.venue == market.name:
            for (collateral, debt), name in names.items():
                own = agent.name if len(names) == 1 else f"{agent.name}-{collateral}-{debt}"
                agents.append(replace(agent, name=own, venue=name))
        elif isinstance(agent, Liquidator) and market.name in agent.further_venues:
            further = (
                new
                for name in agent.further_venues
                for new in (names.values() if name == market.name else (name,))
            )
            agents.append(replace(agent, further_venues=tuple(further)))
        elif not (isinstance(agent, Guardian | Governor) and agent.venue == market.name):
            agents.append(agent)
    return replace(
        scenario, venues=tuple(venues), populations=tuple(populations), agents=tuple(agents)
    )


def _isolated(
    market: PooledLending, name: str, pair: tuple[str, str], borrowers: list[Borrowers]
) -> IsolatedLending:
    """The market of one pair."""
    collateral, debt = pair
    listed = market.asset(debt)
    owed = {pair: Decimal(0)}
    for each in borrowers:
        if each.debt == debt:
            of = (each.collateral, each.debt)
            owed[of] = owed.get(of, Decimal(0)) + Decimal(repr(each.size.total_debt_usd))
    share = owed[pair] / sum(owed.values(), Decimal(0))
    return IsolatedLending(
        name=name,
        collateral=collateral,
        debt=debt,
        lltv_bps=market.asset(collateral).liquidation_threshold_bps,
        supplied=float(Decimal(repr(listed.supplied)) * share),
        fee_bps=min(2500, listed.reserve_factor_bps),
        base_rate=listed.base_rate,
        slope1=listed.slope1,
        slope2=listed.slope2,
        kink=listed.kink,
    )


REMEDIES = (
    Remedy(
        "isolated-mode",
        "an isolated market for each pair: incentives by formula, no common pot",
        Stage.ISOLATION,
        isolated_mode,
    ),
)
