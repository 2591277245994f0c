"""A run on the collateral: with all of it lent out, nobody can be paid for liquidating."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, call, withdraw
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Run(Parameters):
    """Whole tokens; ETH at $2,000.

    whale_eth: what the one who runs had supplied
    collateral_eth, debt_usdc: of the borrower who is to be liquidated
    lent_eth: ETH that others have borrowed; what the run leaves is lent out if it is as much as
        the collateral
    first_usd, last_usd: prices ETH falls to: where the borrower is liquidatable, and where its
        debt is more than its collateral
    """

    whale_eth: float = 1_000.0
    collateral_eth: float = 500.0
    debt_usdc: float = 700_000.0
    lent_eth: float = 500.0
    first_usd: float = 1_600.0
    last_usd: float = 1_200.0


def play(stage: Stage, p: Run) -> Generator[int | None, None, None]:
    """The whale withdraws all the ETH there is; then ETH falls, and goes on falling."""
    eth, usdc = stage.token("ETH", 2_000), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH")
    stage.feed("USDC")
    terms = {"ltv": 8_000, "threshold": 8_300, "bonus": 500}
    market = stage.lending("market", {"ETH": terms, "USDC": terms})
    stage.supplier("lender", market, USDC=2 * p.debt_usdc)
    whale = stage.supplier("whale", market, role="attacker", ETH=p.whale_eth)
    backing = p.lent_eth * 4_000
    shorts = stage.actor("shorts", "bystander", USDC=backing)
    stage.position(shorts, market, supplied={"USDC": backing}, borrowed={"ETH": p.lent_eth})
    borrower = stage.actor("borrower", "bystander", ETH=p.collateral_eth)
    stage.position(
        borrower, market, supplied={"ETH": p.collateral_eth}, borrowed={"USDC": p.debt_usdc}
    )
    liquidator = stage.actor("liquidator", "bystander", USDC=2 * p.debt_usdc)
    stage.approve(liquidator, ["USDC"], market)
    yield None

    stage.send(
        "withdraw everything",
        whale,
        withdraw(market.market, eth, stage.units("ETH", p.whale_eth), whale),
    )
    yield None
    stage.push(feed, p.first_usd)
    stage.price("ETH", p.first_usd)
    yield None
    sent = stage.send(
        "liquidate, for claims on what is lent out" if p.remedied else "liquidate",
        liquidator,
        call(
            market.market,
            "liquidate",
            borrower,
            eth,
            usdc,
            MAX,
            p.remedied,
            liquidator,
        ),
    )
    yield None
    if sent.done:
        stage.guard("the liquidator took claims where there was no cash")
    else:
        stage.note(f"the liquidator was refused: {sent.reason}")
    stage.push(feed, p.last_usd)
    stage.price("ETH", p.last_usd)
    yield None


ATTACK = Attack(
    name="bank-run",
    title="a run to full utilisation leaves no collateral to pay liquidators with",
    sources=("Gudgeon, Werner, Perez, Knottenbelt, DeFi protocols for loanable funds, 2020",),
    play=play,
    parameters=Run(),
    remedy="liquidators who take claims on the lent-out collateral",
    stopped_by="the liquidator took claims",
    protocol=(Check("insolvency", at_most=0),),
    goal=lambda p: Check("insolvency", at_least=p.debt_usdc - p.collateral_eth * p.last_usd),
)
