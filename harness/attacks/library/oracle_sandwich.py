"""A borrower comes before the report that would have refused it the loan."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import borrow, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Late(Parameters):
    """Whole tokens.

    stale_usd: what the feed still says
    price_usd: what ETH is worth outside
    ltv_bps: of ETH; the gain per ETH is LTV x stale - price
    collateral_eth: what the attacker buys outside and pledges
    supplied_usdc: what there is to borrow
    """

    stale_usd: float = 2_000.0
    price_usd: float = 1_840.0
    ltv_bps: int = 9_300
    collateral_eth: float = 1_000.0
    supplied_usdc: float = 5_000_000.0


def play(stage: Stage, p: Late) -> Generator[int | None, None, None]:
    """The outside price has fallen; whoever sees the report coming borrows against the old one."""
    eth, usdc = stage.token("ETH", p.price_usd), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH", p.stale_usd)
    stage.feed("USDC")
    market = stage.lending(
        "market", {"ETH": {"ltv": p.ltv_bps, "threshold": 9_500, "bonus": 100}, "USDC": {}}
    )
    stage.supplier("supplier", market, USDC=p.supplied_usdc)
    attacker = stage.actor("attacker", ETH=p.collateral_eth)
    stage.approve(attacker, ["ETH"], market)
    yield None

    if p.remedied:
        stage.push(feed, p.price_usd)
    pledged = stage.units("ETH", p.collateral_eth)
    lent = stage.units("USDC", p.collateral_eth * p.stale_usd * p.ltv_bps / 10_000)
    sent = stage.send(
        "pledge ETH at the old price, borrow all it allows",
        attacker,
        supply(market.market, eth, pledged, attacker),
        borrow(market.market, usdc, lent, attacker),
        place="first",
    )
    yield None
    if sent.done:
        stage.push(feed, p.price_usd)
        yield None
        health = stage.read(market.market, "healthFactor", attacker) / 10**18
        stage.note(f"the report came a block later; the account's health factor is {health:.4f}")


ATTACK = Attack(
    name="oracle-sandwich",
    title="a loan taken just before the report that would have refused it",
    sources=(
        "Eskandari, Salehi, Gu, Clark, SoK: Oracles from the ground truth to market manipulation, "
        "2021",
    ),
    play=play,
    parameters=Late(),
    remedy="the report comes at the top of the block that it is due in",
    stopped_by="BorrowLimitExceeded",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check(
        "profit", at_least=p.collateral_eth * (p.stale_usd * p.ltv_bps / 10_000 - p.price_usd)
    ),
)
