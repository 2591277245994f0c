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
    Liquidator,
    PooledLending,
    Population,
    Scenario,
    Vault,
    Venue,
)


def isolated_mode(scenario: Scenario) -> Scenario:
    """Every pooled market becomes one isolated market for each pair that is borrowed in it.

    The LLTV is the threshold, which keeps health factors at the start; supply is divided among the
    pairs of a debt asset as their debts are. Each liquidator goes to each of the new markets.
    Nobody can pause them or change their terms, so guardians and governors go. A market with
    positions that are not of one pair, to which a vault lends, or with participants of another kind
    (its suppliers, or those of a liquidation design), is left as it is.
    """
    for market in scenario.venues_of(PooledLending):
        scenario = _taken_apart(scenario, market)
    return scenario


def _taken_apart(scenario: Scenario, market: PooledLending) -> Scenario:
    held = [population for population in scenario.populations if population.venue == market.name]
    borrowers = [population for population in held if isinstance(population, Borrowers)]
    bound = [
        agent
        for agent in scenario.agents
        if getattr(agent, "venue", "") == market.name
        and not isinstance(agent, Liquidator | InventoryLiquidator | Guardian | Governor)
    ]
    lent = any(
        each.venue == market.name for vault in scenario.venues_of(Vault) for each in vault.markets
    )
    if not borrowers or len(borrowers) < len(held) or bound or lent:
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
