"""Remedies that have markets liquidate by another design, at its protocol's own parameters.

The same people with the same purses take part: who liquidated buys, and starts what has to be
started; where capital has to stand ready in advance, it is deposited instead. What differs is the
rule by which collateral changes hands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from harness.mitigations.base import Remedy, Stage
from harness.mitigations.supply import owed_by_pair, start_usd
from harness.prices import build_paths
from harness.risk.tail import value_at_risk
from harness.scenario import (
    BPS,
    AbsorbAndSell,
    Agent,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    FixedBonus,
    GrowingDiscount,
    InventoryLiquidator,
    LiquidationDesign,
    Liquidator,
    PooledLending,
    Scenario,
    StabilityDeposits,
    Trigger,
)

#: What a Dutch auction pays for being started where markets have smaller debts than Maker's: a
#: tenth of its flat incentive, above a dust limit of 1,000 dollars.
SMALL_DUST_USD, SMALL_INCENTIVE_USD = 1_000.0, 30.0

#: Share of the debts that may be in auction at once under the tighter throttle.
THROTTLE_BPS = 500

Make = Callable[[Scenario, PooledLending], LiquidationDesign | None]


def _with_design(scenario: Scenario, make: Make) -> Scenario:
    """Gives every pooled market the design made for it, with its participants; None leaves a
    market as it is."""
    designs = {
        market.name: design
        for market in scenario.venues_of(PooledLending)
        if (design := make(scenario, market)) is not None and design != market.liquidation
    }
    venues = tuple(
        replace(venue, liquidation=designs[venue.name])
        if isinstance(venue, PooledLending) and venue.name in designs
        else venue
        for venue in scenario.venues
    )
    agents = tuple(part for agent in scenario.agents for part in _parts(agent, designs))
    return replace(scenario, venues=venues, agents=agents)


def _parts(agent: Agent, designs: Mapping[str, LiquidationDesign]) -> Iterator[Agent]:
    """What becomes of a participant of a market whose design has changed."""
    if isinstance(agent, InventoryLiquidator) and agent.venue in designs:
        # what it seizes it could keep only where the market itself liquidates
        agent = _with_purse(Liquidator, agent)
    if isinstance(agent, Liquidator):
        yield from _divided(agent, designs)
    elif isinstance(agent, Trigger | Buyer | Depositor) and agent.venue in designs:
        yield from _moved(agent, designs[agent.venue])
    else:
        yield agent


def _divided(agent: Liquidator, designs: Mapping[str, LiquidationDesign]) -> Iterator[Agent]:
    """A liquidator of several venues goes on where nothing is started or bought, and has successors
    in every other: its capital is divided equally among the venues."""
    left = [
        venue
        for venue in agent.serves
        if isinstance(designs.get(venue, FixedBonus()), FixedBonus | GrowingDiscount)
    ]
    whole = len(agent.serves)

    def share(venues: int) -> tuple[tuple[str, float], ...]:
        return tuple((symbol, amount * venues / whole) for symbol, amount in agent.capital)

    if left:
        venue, *further = left
        yield replace(agent, venue=venue, further_venues=tuple(further), capital=share(len(left)))
    for venue in agent.serves:
        if venue not in left:
            name = agent.name if whole == 1 else f"{agent.name}-{venue}"
            own = replace(agent, name=name, venue=venue, further_venues=(), capital=share(1))
            yield from _started(own, designs[venue])


def _started(agent: Liquidator, design: LiquidationDesign) -> Iterator[Agent]:
    """A liquidator as one who starts liquidations, and one who pays for them from its purse."""
    yield Trigger(
        name=f"{agent.name}-starts",
        venue=agent.venue,
        count=agent.count,
        latency_blocks=agent.latency_blocks,
        max_transactions=agent.max_transactions,
        fee_deposit=agent.fee_deposit,
        bid=agent.bid,
        outages=agent.outages,
    )
    if isinstance(design, StabilityDeposits):
        yield _depositor(agent, design)
    else:
        yield _with_purse(Buyer, agent)


def _moved(agent: Trigger | Buyer | Depositor, design: LiquidationDesign) -> Iterator[Agent]:
    """A participant of one module as that of another."""
    if isinstance(design, GrowingDiscount):
        if isinstance(agent, Buyer):
            yield _with_purse(Liquidator, agent)
    elif isinstance(design, StabilityDeposits) and isinstance(agent, Buyer):
        yield _depositor(agent, design)
    elif not isinstance(agent, Depositor) or isinstance(design, StabilityDeposits):
        yield agent


def _with_purse(
    kind: type[Buyer] | type[Liquidator], agent: Buyer | Liquidator | InventoryLiquidator
) -> Agent:
    """One of another kind with the same capital, terms and fees."""
    return kind(
        name=agent.name,
        venue=agent.venue,
        capital=agent.capital,
        count=agent.count,
        latency_blocks=agent.latency_blocks,
        min_profit_usd=getattr(agent, "min_profit_usd", 0.0),
        max_transactions=agent.max_transactions,
        fee_deposit=agent.fee_deposit,
        bid=agent.bid,
        outages=agent.outages,
    )


def _depositor(agent: Buyer | Liquidator, design: StabilityDeposits) -> Depositor:
    """One who has its capital in the debt asset stand ready in the pool."""
    return Depositor(
        name=agent.name,
        venue=agent.venue,
        deposit=dict(agent.capital).get(design.debt, 0.0),
        count=agent.count,
        latency_blocks=agent.latency_blocks,
        fee_deposit=agent.fee_deposit,
        bid=agent.bid,
        outages=agent.outages,
    )


def growing_discount(scenario: Scenario) -> Scenario:
    """Collateral goes at a discount of 1 - health factor, 20% at most, as on Euler v2."""
    return _with_design(scenario, lambda _, __: GrowingDiscount())


def _dutch(_: Scenario, __: PooledLending) -> DutchAuctions:
    return DutchAuctions(dust_usd=SMALL_DUST_USD, flat_incentive_usd=SMALL_INCENTIVE_USD)


def dutch_auctions(scenario: Scenario) -> Scenario:
    """Auctions at a falling price, as Maker's since 2021."""
    return _with_design(scenario, _dutch)


def throttle(scenario: Scenario) -> Scenario:
    """No more than 5% of a market's debts in auction at once; makes markets auction first."""

    def held_back(scenario: Scenario, market: PooledLending) -> DutchAuctions:
        design = market.liquidation
        base = design if isinstance(design, DutchAuctions) else _dutch(scenario, market)
        owed = sum(owed_by_pair(scenario, market.name).values(), Decimal(0))
        limit = max(base.dust_usd, float(round(owed * THROTTLE_BPS / BPS, 2)))
        return replace(base, limit_usd=limit, limit_per_collateral_usd=limit)

    return _with_design(scenario, held_back)


def english_auctions(scenario: Scenario) -> Scenario:
    """Auctions to the highest bidder, as Maker's in March 2020; lots of 1% of the debts."""

    def english(scenario: Scenario, market: PooledLending) -> EnglishAuctions | None:
        owed = owed_by_pair(scenario, market.name)
        if not owed:
            return None
        collateral = max(owed, key=lambda pair: (owed[pair], pair))[0]
        lot = sum(owed.values(), Decimal(0)) / 100 / start_usd(scenario)[collateral]
        return EnglishAuctions(largest_lot=float(round(lot, 6)))

    return _with_design(scenario, english)


def stability_pool(scenario: Scenario) -> Scenario:
    """Liquidators' capital stands ready in a pool instead, as on Liquity."""

    def pool(scenario: Scenario, market: PooledLending) -> StabilityDeposits | None:
        owed = owed_by_pair(scenario, market.name)
        if not owed:
            return None
        collateral, debt = max(owed, key=lambda pair: (owed[pair], pair))
        return StabilityDeposits(collateral, debt)

    return _with_design(scenario, pool)


def worst_gap(scenario: Scenario, market: PooledLending, collateral: str, seeds: int = 5) -> float:
    """VaR (99%) of what is lost on a dollar of debt that is liquidated at its threshold and sold an
    hour later: max(0, 1 - threshold^-1 x price after an hour / price), over the paths of the first
    seeds."""
    blocks = max(1, 3600 // scenario.clock.seconds_per_block)
    threshold = market.asset(collateral).liquidation_threshold_bps / 10_000
    losses = []
    for seed in range(seeds):
        path = [int(price) for price in build_paths(scenario, seed)[collateral]]
        losses += [
            max(0.0, 1 - path[at + blocks] / path[at] / threshold)
            for at in range(len(path) - blocks)
        ]
    return value_at_risk(losses, 0.99) if losses else 0.0


def _absorbing(scenario: Scenario, market: PooledLending, *, covered: bool) -> AbsorbAndSell | None:
    owed = owed_by_pair(scenario, market.name)
    bases = {debt for _, debt in owed if not market.asset(debt).liquidation_threshold_bps}
    if len(bases) != 1:
        return None
    (base,) = bases
    reserves = 0.0
    if covered:
        lost = sum(
            float(amount) * worst_gap(scenario, market, collateral)
            for (collateral, _), amount in owed.items()
        )
        reserves = round(lost / float(start_usd(scenario)[base]), 2)
    return AbsorbAndSell(base, reserves=reserves)


def absorption(scenario: Scenario) -> Scenario:
    """Accounts are absorbed whole and sold from reserves, as on Compound III."""
    return _with_design(scenario, lambda s, m: _absorbing(s, m, covered=False))


def reserves_by_rule(scenario: Scenario) -> Scenario:
    """Absorption with reserves sized by rule: debts x the 99% VaR of the loss on a dollar of them
    that is absorbed at its threshold and sold an hour later."""
    return _with_design(scenario, lambda s, m: _absorbing(s, m, covered=True))


REMEDIES = (
    Remedy(
        "growing-discount",
        "liquidation at a discount of 1 - health factor, at most 20%",
        Stage.DESIGN,
        growing_discount,
    ),
    Remedy(
        "dutch-auctions",
        "auctions at a price that falls 1% a minute from 1.2 x the oracle's",
        Stage.DESIGN,
        dutch_auctions,
    ),
    Remedy(
        "english-auctions",
        "auctions to the highest bidder of ten minutes, no reserve price",
        Stage.DESIGN,
        english_auctions,
    ),
    Remedy(
        "absorption",
        "accounts absorbed whole, collateral sold from reserves at a discount",
        Stage.DESIGN,
        absorption,
    ),
    Remedy(
        "reserves-by-rule",
        "absorption with reserves of the 99% VaR of an hour's loss",
        Stage.DESIGN,
        reserves_by_rule,
    ),
    Remedy(
        "stability-pool",
        "liquidators' capital deposited in advance; the rest is spread",
        Stage.DESIGN,
        stability_pool,
    ),
    Remedy(
        "throttle",
        "Dutch auctions of no more than 5% of the debts at once",
        Stage.THROTTLE,
        throttle,
    ),
)
