"""Moonwell, 15 February 2026: cbETH is priced by its exchange rate to ETH, $1.12 instead of $2,200.

A new feed went live that left out the price of ETH. All that was borrowed against cbETH could be
liquidated, and its collateral cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, liquidate
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Listing(Parameters):
    """Whole tokens.

    cbeth, debt_usd: collateral and debt of all borrowers together
    rate: ETH for a cbETH; price_usd: of a cbETH
    bound_bps: how far a feed may be from the market, when remedied
    """

    cbeth: float = 1_096.0
    debt_usd: float = 1_780_000.0
    rate: float = 1.12
    price_usd: float = 2_200.0
    borrowers: int = 4
    bonus_bps: int = 1_000
    bound_bps: int = 1_000


def play(stage: Stage, p: Listing) -> Generator[int | None, None, None]:
    """The feed is replaced; everybody is liquidated in the next block."""
    cbeth, usdc = stage.token("cbETH", p.price_usd), stage.token("USDC", 1, decimals=6)
    stage.feed("USDC")
    right = stage.feed("cbETH")
    rate = stage.feed("cbETH", p.rate)
    terms = {"ltv": 8_000, "threshold": 8_300, "bonus": p.bonus_bps}
    market = stage.lending("market", {"cbETH": {"feed": right, **terms}, "USDC": {}})
    new = rate
    if p.remedied:
        new = stage.deploy("BoundedFeed", rate, right, p.bound_bps, False, "cbETH, bounded")
    stage.supplier("supplier", market, role="bystander", USDC=p.debt_usd)
    borrowers = []
    for number in range(p.borrowers):
        name = f"borrower-{number + 1}"
        borrower = stage.supplier(name, market, cbETH=p.cbeth / p.borrowers)
        stage.position(borrower, market, borrowed={"USDC": p.debt_usd / p.borrowers})
        borrowers.append(borrower)
    attacker = stage.actor("attacker", USDC=10_000)
    stage.approve(attacker, ["USDC"], market)
    yield None

    stage.admin(
        market.market, "setAssetConfig", stage.asset_config("cbETH", {"feed": new, **terms})
    )
    yield None
    stage.send(
        "liquidate everybody who borrowed against cbETH",
        attacker,
        *(liquidate(market.market, who, cbeth, usdc, MAX, attacker) for who in borrowers),
    )
    yield None
    stage.measure("cbeth_seized", stage.balance("cbETH", attacker) / 10**18)


ATTACK = Attack(
    name="mispriced-listing",
    title="a new feed prices the collateral at a two-thousandth",
    sources=("Moonwell and cbETH, 15 February 2026",),
    play=play,
    parameters=Listing(),
    remedy="a feed that refuses to be far from the market's",
    stopped_by="DeviationTooLarge",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=p.cbeth * p.price_usd * 0.99),
    reported="1,096 cbETH seized, $1.78M of bad debt",
)
