"""Two liquidations in one transaction, the first small enough to leave the position liquidatable.

A close factor is meant to limit what one liquidation takes. If the first repays just less than
(D - LT C) / (1 - LT (1 + LS)), the position stays unhealthy, and the close factor applies anew to
what is left (Qin, Zhou, Gamito, Jovanovic, Gervais, 2021).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from harness.attacks.calls import MAX, liquidate
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class TwoSteps(Parameters):
    """Whole tokens; DAI at $1, ETH at price_usd after the fall.

    threshold_bps (LT), spread_bps (LS), close_bps: the market's
    """

    eth: float = 1_000.0
    dai: float = 1_450_000.0
    price_usd: float = 1_900.0
    threshold_bps: int = 7_500
    spread_bps: int = 800
    close_bps: int = 5_000


def play(stage: Stage, p: TwoSteps) -> Generator[int | None, None, None]:
    """Liquidates twice in the block in which the price has fallen."""
    eth, dai = stage.token("ETH", 2_100), stage.token("DAI", 1)
    feed = stage.feed("ETH")
    stage.feed("DAI")
    market = stage.lending(
        "market",
        {
            "ETH": {"ltv": 7_000, "threshold": p.threshold_bps, "bonus": p.spread_bps},
            "DAI": {},
        },
        rules=(p.close_bps, 0, 0, 0),
        contract="OneLiquidationPerBlock" if p.remedied else "PooledMarket",
    )
    stage.supplier("supplier", market, role="bystander", DAI=p.dai * 2)
    borrower = stage.supplier("borrower", market, ETH=p.eth)
    stage.position(borrower, market, borrowed={"DAI": p.dai})
    attacker = stage.actor("attacker", DAI=p.dai)
    stage.approve(attacker, ["DAI"], market)
    stage.price("ETH", p.price_usd)
    yield None

    stage.push(feed, p.price_usd)
    yield None
    first = stage.units("DAI", first_repayment(p)) - 1
    stage.send(
        "liquidate a little less than would heal the position, then as much as the close factor "
        "allows",
        attacker,
        liquidate(market.market, borrower, eth, dai, first, attacker),
        liquidate(market.market, borrower, eth, dai, MAX, attacker),
    )
    yield None


def first_repayment(p: TwoSteps) -> float:
    """What would bring the health factor to 1: (D - LT C) / (1 - LT (1 + LS)), in whole DAI."""
    threshold, spread = p.threshold_bps / 10_000, p.spread_bps / 10_000
    need = p.dai - threshold * p.eth * p.price_usd
    return round(need / (1 - threshold * (1 + spread)), 6)


def _promise(p: TwoSteps) -> Sequence[Check]:
    """One liquidation's worth."""
    once = p.dai * p.close_bps / 10_000 * p.spread_bps / 10_000
    return (Check("profit", at_most=once),)


def _goal(p: TwoSteps) -> Check:
    close, spread = p.close_bps / 10_000, p.spread_bps / 10_000
    first = first_repayment(p)
    return Check("profit", at_least=spread * (first + close * (p.dai - first)) - 1)


ATTACK = Attack(
    name="two-step-liquidation",
    title="two liquidations in one transaction take more than the close factor allows",
    sources=(
        "Qin, Zhou, Gamito, Jovanovic, Gervais, An empirical study of DeFi liquidations, IMC 2021",
    ),
    play=play,
    parameters=TwoSteps(),
    remedy="a position is liquidated at most once a block",
    stopped_by="AlreadyLiquidated",
    protocol=_promise,
    goal=_goal,
)
