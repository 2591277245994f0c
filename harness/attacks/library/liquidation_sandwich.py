"""A liquidator's sale of what it seized is sandwiched in the pool it goes through."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, all_of, call, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage
from harness.people import ADMIN


@dataclass(frozen=True)
class Sandwich(Parameters):
    """Whole tokens; ETH falls from $2,000 to ``price_usd``.

    collateral_eth, debt_usdc: of the account that becomes liquidatable
    bonus_bps: for liquidating it
    pool_eth, fee_pips: the pool that the seized collateral is sold into
    front_eth: what the attacker sells just before, and buys back just after
    least_profit_usdc: what the liquidator insists on when remedied; otherwise nothing
    """

    collateral_eth: float = 100.0
    debt_usdc: float = 155_000.0
    bonus_bps: int = 1_000
    price_usd: float = 1_850.0
    pool_eth: float = 10_000.0
    fee_pips: int = 500
    front_eth: float = 400.0
    least_profit_usdc: float = 12_000.0


def play(stage: Stage, p: Sandwich) -> Generator[int | None, None, None]:
    """The attacker sells first, the liquidator sells lower, the attacker buys back lower still."""
    eth, usdc = stage.token("ETH", p.price_usd), stage.token("USDC", 1, decimals=6)
    feed = stage.feed("ETH", 2_000)
    stage.feed("USDC")
    pool = stage.pool("ETH", "USDC", p.pool_eth, fee_pips=p.fee_pips)
    market = stage.lending(
        "market",
        {"ETH": {"ltv": 8_000, "threshold": 8_300, "bonus": p.bonus_bps}, "USDC": {}},
    )
    forced = stage.deploy("ForcedTradeRouter", ADMIN)
    stage.admin(forced, "setPool", eth, usdc, pool)
    executor = stage.deploy("LiquidationExecutor", forced)
    stage.supplier("supplier", market, role="bystander", USDC=p.debt_usdc)
    borrower = stage.actor("borrower", "bystander", ETH=p.collateral_eth)
    stage.position(
        borrower,
        market,
        supplied={"ETH": p.collateral_eth},
        borrowed={"USDC": p.debt_usdc},
    )
    liquidator = stage.actor("liquidator", "victim", USDC=2 * p.debt_usdc)
    attacker = stage.actor("attacker", ETH=p.front_eth)
    router = stage.router
    stage.approve(attacker, ["ETH", "USDC"], router)
    stage.approve(liquidator, ["USDC"], executor)
    yield None

    stage.push(feed, p.price_usd)
    yield None
    front = stage.units("ETH", p.front_eth)
    stage.send(
        "sell before the liquidator",
        attacker,
        swap(router, pool, eth, front, attacker),
        place="first",
    )
    least = stage.units("USDC", p.least_profit_usdc) if p.remedied else 0
    victim = stage.send(
        "liquidate and sell what is seized",
        liquidator,
        call(executor, "liquidate", market, borrower, eth, usdc, MAX, least),
    )
    stage.send(
        "buy back after it, with all that the sale brought",
        attacker,
        swap(router, pool, usdc, all_of(usdc, attacker), attacker),
        place="last",
    )
    yield None
    if victim.reason is not None:
        stage.guard(victim.reason)
        again = stage.send(
            "liquidate without the sandwich",
            liquidator,
            call(executor, "liquidate", market, borrower, eth, usdc, MAX, least),
        )
        yield None
        if again.done:
            stage.note("undisturbed, the same liquidation earned what the liquidator asked for")


ATTACK = Attack(
    name="liquidation-sandwich",
    title="a liquidator's sale is sandwiched, down to the last of its profit",
    sources=(
        "Zhou, Qin, Torres, Le, Gervais, High-frequency trading on decentralized on-chain "
        "exchanges, 2021",
    ),
    play=play,
    parameters=Sandwich(),
    remedy="the liquidator states the least profit it accepts",
    stopped_by="Unprofitable",
    protocol=(Check("profit", at_most=0),),
    goal=lambda _: Check("profit", at_least=10_000),
)
