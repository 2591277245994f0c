"""Liquidators are made to pay for block space and get nothing for it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, allowed_to_fail, liquidate, repay
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import GAS, Stage


@dataclass(frozen=True)
class Griefing(Parameters):
    """Whole tokens; ETH starts at $2,000 and falls by ``step_bps`` each block.

    collateral_eth, debt_usdc: the attacker's position, at the edge
    blocks: for how long the attacker goes on
    fee_usdc: what the liquidator bids for each attempt, paid whether it succeeds or not
    """

    collateral_eth: float = 100.0
    debt_usdc: float = 159_000.0
    step_bps: int = 100
    blocks: int = 10
    fee_usdc: float = 45.0


def play(stage: Stage, p: Griefing) -> Generator[int | None, None, None]:
    """Each block the attacker, who is let in first, repays just enough; the liquidator finds a
    healthy account and pays for it."""
    eth, usdc = stage.token("ETH", 2_000), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH")
    stage.feed("USDC")
    market = stage.lending(
        "market", {"ETH": {"ltv": 8_000, "threshold": 8_000, "bonus": 500}, "USDC": {}}
    )
    stage.supplier("supplier", market, role="bystander", USDC=p.debt_usdc)
    stage.charge_fees("USDC")
    attacker = stage.actor("attacker", ETH=p.collateral_eth)
    stage.position(
        attacker, market, supplied={"ETH": p.collateral_eth}, borrowed={"USDC": p.debt_usdc}
    )
    liquidator = stage.actor("liquidator", "victim", USDC=2 * p.debt_usdc)
    stage.deposit_fees(liquidator, p.fee_usdc * p.blocks)
    stage.deposit_fees(attacker, p.fee_usdc)
    stage.approve(attacker, ["USDC"], market)
    stage.approve(liquidator, ["USDC"], market)
    yield None

    price = 2_000.0
    attempts = 0
    bid = stage.units("USDC", p.fee_usdc) // GAS
    for _ in range(p.blocks):
        price = round(price * (10_000 - p.step_bps) / 10_000, 8)
        stage.push(feed, price)
        stage.price("ETH", price)
        yield None
        debt = stage.read(market.market, "position", attacker)[1] & ((1 << 128) - 1)
        # a dollar more than what makes the health factor 1, for rounding
        allowed = int(p.collateral_eth * price * 0.8 * 10**6) - 10**6
        attempts += 1
        found = stage.send(
            "liquidate",
            liquidator,
            liquidate(market.market, attacker, eth, usdc, MAX, liquidator),
            bid=bid,
        )
        if debt > allowed:
            stage.send(
                "repay just enough",
                attacker,
                allowed_to_fail(repay(market.market, usdc, debt - allowed, attacker)),
                place="last" if p.remedied else "first",
                bid=1,
            )
        yield None
        if found.done:
            stage.guard("a liquidation that nobody sees before it is in its block")
            break
    stage.note(
        f"{attempts} attempts cost the liquidator ${attempts * bid * GAS / 10**6:,.0f} in fees"
    )


ATTACK = Attack(
    name="fee-griefing",
    title="a borrower lets liquidators pay for attempts that fail, block after block",
    sources=(
        "Qin, Zhou, Gamito, Jovanovic, Gervais, An empirical study of DeFi liquidations, 2021",
    ),
    play=play,
    parameters=Griefing(),
    remedy="transactions that are not seen before they are in a block",
    stopped_by="a liquidation that nobody sees",
    protocol=(Check("loss", at_most=0, of="liquidator"),),
    goal=lambda p: Check("loss", at_least=p.blocks * p.fee_usdc, of="liquidator"),
)
