"""One debt split over accounts that are too small to be worth liquidating.

Each would earn a liquidator less than the fee of its liquidation, so that all of them stay where
they are while the market falls past their collateral. The same debt in one account is liquidated
in time.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from harness.attacks.calls import MAX, borrow, liquidate, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Actor, Lending, Stage
from harness.errors import Reverted

GWEI = 10**9
WAD = 10**18
#: declared gas of a liquidation
LIQUIDATE_GAS = 440_000


@dataclass(frozen=True)
class Dust(Parameters):
    """Whole tokens; ETH falls from $2,000 to fall_usd in equal steps.

    debt_usdc, accounts: in all, and over how many; each with an LTV of 80%
    bid_gwei: what a liquidator pays for block space, in ETH
    floor_usdc: least debt of an account, when remedied
    """

    debt_usdc: float = 9_600.0
    accounts: int = 16
    fall_usd: float = 1_200.0
    steps: int = 8
    bid_gwei: int = 100
    floor_usdc: float = 2_000.0


def play(stage: Stage, p: Dust) -> Generator[int | None, None, None]:
    """Opens the accounts; as the price falls, a liquidator liquidates what is worth its fee."""
    eth, usdc = stage.token("ETH", 2_000), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH")
    stage.feed("USDC")
    terms = {"ltv": 8_000, "threshold": 8_300, "bonus": 500}
    market = stage.lending(
        "market",
        {"ETH": terms, "USDC": {}},
        contract="BorrowFloor" if p.remedied else "PooledMarket",
        further=(int(p.floor_usdc) * WAD,) if p.remedied else (),
    )
    stage.supplier("supplier", market, USDC=p.debt_usdc * 2)
    each = round(p.debt_usdc / p.accounts, 6)
    collateral = round(each / 0.8 / 2_000 * 1.0001, 12)
    mine = [
        stage.actor("attacker" if number == 0 else f"account-{number + 1}", ETH=collateral)
        for number in range(p.accounts)
    ]
    stage.charge_fees("ETH")
    liquidator = stage.actor("liquidator", "bystander", USDC=p.debt_usdc)
    stage.deposit_fees(liquidator, 10)
    for account in mine:
        stage.approve(account, ["ETH"], market)
    stage.approve(liquidator, ["USDC"], market)
    yield None

    for account in mine:
        stage.send(
            "supply ETH, borrow to the limit",
            account,
            supply(market.market, eth, stage.units("ETH", collateral), account),
            borrow(market.market, usdc, stage.units("USDC", each), account),
        )
    yield None
    done, fee = 0, 0.0
    for step in range(1, p.steps + 1):
        price = round(2_000 - (2_000 - p.fall_usd) * step / p.steps, 8)
        stage.price("ETH", price)
        stage.push(feed, price)
        yield None
        fee = LIQUIDATE_GAS * p.bid_gwei * GWEI * price / WAD
        for account in _worth(stage, market, mine, fee):
            stage.send(
                "liquidate what is worth its fee",
                liquidator,
                liquidate(market.market, account, eth, usdc, MAX, liquidator),
                bid=p.bid_gwei * GWEI,
                gas=LIQUIDATE_GAS,
            )
            done += 1
        yield None
    stage.measure("liquidations", done)
    stage.measure("fee_of_one_usd", fee)


def _worth(stage: Stage, market: Lending, accounts: Sequence[Actor], fee: float) -> list[Actor]:
    """Those whose liquidation brings more than its fee."""
    eth, usdc = market.tokens["ETH"], market.tokens["USDC"]
    found = []
    for account in accounts:
        try:
            quote = stage.read(market.market, "quoteLiquidation", account, eth, usdc, MAX)
        except Reverted:
            continue  # healthy, or without debt
        if (quote[4] - quote[3]) / WAD > fee:
            found.append(account)
    return found


ATTACK = Attack(
    name="dust-positions",
    title="a debt split over accounts none of which is worth its liquidation",
    sources=("Maker's dust parameter; Aave v3.3's minimum leftover",),
    play=play,
    parameters=Dust(),
    remedy="a least debt for every account",
    stopped_by="DebtBelowFloor",
    protocol=(Check("insolvency", at_most=0),),
    goal=lambda p: Check("insolvency", at_least=p.debt_usdc * 0.2),
)
