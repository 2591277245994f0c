"""Compound, 26 November 2020: DAI trades at $1.30 on the venue that the oracle follows.

Whoever owes DAI against other stable coins can be liquidated for as long as the price stands. Here
the venue is a pool, and who moves its price is the liquidator.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, all_of, liquidate, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Spike(Parameters):
    """Whole tokens.

    debt_dai: of all borrowers together; half of it can be liquidated, about what was that day
    collateral_ratio: their USDC for a dollar of debt
    borrowers: how many
    spike_usd: where DAI is bought to
    pool_dai: reserve of the venue
    bonus_bps: of the market
    """

    debt_dai: float = 180_000_000.0
    collateral_ratio: float = 1.45
    borrowers: int = 4
    spike_usd: float = 1.3
    pool_dai: float = 10_000_000.0
    bonus_bps: int = 800


def play(stage: Stage, p: Spike) -> Generator[int | None, None, None]:
    """Buys DAI up, liquidates with borrowed DAI, sells the DAI bought."""
    dai, usdc = stage.token("DAI", 1), stage.token("USDC", 1, decimals=6)
    dollar = stage.feed("USDC")
    pool = stage.pool("DAI", "USDC", p.pool_dai)
    feed = stage.deploy("PoolSpotFeed", pool, dai, dollar, 8, "DAI on one venue")
    if p.remedied:
        others = [stage.feed("DAI"), stage.feed("DAI")]
        sources = [source.address for source in (feed, *others)]
        feed = stage.deploy("MedianFeed", sources, 3_600, 2, 8, "DAI, median of three")
    market = stage.lending(
        "market",
        {
            "USDC": {"ltv": 7_500, "threshold": 7_500, "bonus": p.bonus_bps},
            "DAI": {"feed": feed},
        },
        rules=(5_000, 0, 0, 0),
    )
    each = p.debt_dai / p.borrowers
    stage.supplier("supplier", market, role="bystander", DAI=p.debt_dai)
    borrowers = []
    for number in range(p.borrowers):
        name = f"borrower-{number + 1}"
        borrower = stage.supplier(name, market, USDC=each * p.collateral_ratio)
        stage.position(borrower, market, borrowed={"DAI": each})
        borrowers.append(borrower)
    # y = y0 sqrt(p1 / p0), and a little for the fee
    spend = round(p.pool_dai * (p.spike_usd**0.5 - 1) * 1.0016, 6)
    attacker = stage.actor("attacker", DAI=p.debt_dai / 2, USDC=spend)
    router = stage.router
    stage.approve(attacker, ["DAI", "USDC"], market, router)
    yield None

    sent = stage.send(
        "buy DAI up on the venue, liquidate everybody, sell what was bought",
        attacker,
        swap(router, pool, usdc, stage.units("USDC", spend), attacker),
        *(liquidate(market.market, who, usdc, dai, MAX, attacker) for who in borrowers),
        swap(router, pool, dai, all_of(dai, attacker), attacker),
    )
    yield None
    if sent.done:
        events = market.market.events(sent.logs, "Liquidate")
        stage.measure("liquidated_usd", sum(each["repaid"] for each in events) / 10**18)


ATTACK = Attack(
    name="single-venue-spike",
    title="a stable coin is bought up on the one venue that the oracle follows",
    sources=("Compound and DAI, 26 November 2020",),
    play=play,
    parameters=Spike(),
    remedy="the median of three sources",
    stopped_by="Healthy",
    protocol=(Check("loss", at_most=0),),
    goal=lambda _: Check("profit", at_least=1_000_000),
    reported="$85-103M liquidated",
)
