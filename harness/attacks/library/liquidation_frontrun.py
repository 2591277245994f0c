"""A liquidation that waits to be included is copied with a higher bid.

The bonus goes to the copy; the original finds a healthy account and pays its fee all the same.
Where what comes first is served first, the copy is the one that pays for nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import liquidate
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import InOrder, Stage
from harness.builder import FeeAuction

GWEI = 10**9
WAD = 10**18


@dataclass(frozen=True)
class Copy(Parameters):
    """Whole tokens; ETH falls from $2,000 to ``price_usd``.

    bid_gwei: the liquidator's, in ETH per gas; the attacker bids one more
    """

    collateral_eth: float = 100.0
    debt_usdc: float = 155_000.0
    bonus_bps: int = 500
    price_usd: float = 1_850.0
    bid_gwei: int = 50


def play(stage: Stage, p: Copy) -> Generator[int | None, None, None]:
    """The liquidator sends; the attacker sees it wait, and sends the same."""
    eth, usdc = stage.token("ETH", p.price_usd), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH", 2_000)
    stage.feed("USDC")
    terms = {"ltv": 8_000, "threshold": 8_300, "bonus": p.bonus_bps}
    market = stage.lending("market", {"ETH": terms, "USDC": {}}, rules=(5_000, 0, 0, 0))
    stage.supplier("supplier", market, role="bystander", USDC=p.debt_usdc)
    borrower = stage.supplier("borrower", market, role="bystander", ETH=p.collateral_eth)
    stage.position(borrower, market, borrowed={"USDC": p.debt_usdc})
    liquidator = stage.actor("liquidator", "victim", USDC=p.debt_usdc)
    attacker = stage.actor("attacker", USDC=p.debt_usdc)
    stage.charge_fees("ETH")
    for actor in (liquidator, attacker):
        stage.deposit_fees(actor, 1)
        stage.approve(actor, ["USDC"], market)
    stage.ordering = InOrder() if p.remedied else FeeAuction()
    yield None

    stage.push(feed, p.price_usd)
    yield None
    half = stage.units("USDC", p.debt_usdc / 2)
    for actor, label, bid in (
        (liquidator, "liquidate", p.bid_gwei),
        (attacker, "liquidate the same account", p.bid_gwei + 1),
    ):
        made = liquidate(market.market, borrower, eth, usdc, half, actor)
        stage.send(label, actor, made, bid=bid * GWEI)
    yield None


ATTACK = Attack(
    name="liquidation-frontrun",
    title="a liquidation is copied with a higher bid and comes first",
    sources=("Daian et al., Flash Boys 2.0, 2019: priority gas auctions",),
    play=play,
    parameters=Copy(),
    remedy="blocks in the order of arrival",
    stopped_by="Healthy",
    protocol=(Check("loss", at_most=0),),
    goal=lambda p: Check("profit", at_least=p.debt_usdc / 2 * p.bonus_bps / 10_000 * 0.98),
)
