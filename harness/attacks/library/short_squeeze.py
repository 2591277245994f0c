"""Aave and CRV, 22 November 2022: a large short is squeezed, and its liquidation feeds on itself.

Liquidators buy the CRV they repay with, so that each liquidation raises the price of the debt that
is left. Once the health factor is below threshold x (1 + bonus) every one makes it worse
(Warmuz, Chaudhary, Pinna 2022), until the collateral is gone and debt is left.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, borrow, liquidate, supply, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Lending, Stage
from harness.contracts import Contract


@dataclass(frozen=True)
class Squeeze(Parameters):
    """Whole tokens.

    usdc, crv: the short: collateral and debt
    threshold_bps, bonus_bps: USDC's
    start_usd: CRV's price before what is borrowed is sold
    squeeze_usd: where buyers from outside take it
    pool_crv: reserve of the market in which all buy and sell, at start_usd; not known for the day,
        so chosen such that about as much debt is left as was
    step_usdc: what one liquidator spends a block
    borrow_cap_crv: when remedied
    """

    usdc: float = 63_600_000.0
    crv: float = 92_000_000.0
    threshold_bps: int = 8_800
    bonus_bps: int = 450
    start_usd: float = 0.609
    squeeze_usd: float = 0.61
    pool_crv: float = 833_000_000.0
    step_usdc: float = 1_000_000.0
    borrow_cap_crv: float = 5_000_000.0


def play(stage: Stage, p: Squeeze) -> Generator[int | None, None, None]:
    """The short is opened; buyers raise the price; liquidators do the rest."""
    usdc, crv = stage.token("USDC", 1, decimals=6), stage.token("CRV", p.start_usd)
    stage.feed("USDC")
    feed = stage.feed("CRV", decimals=8)
    pool = stage.pool("CRV", "USDC", p.pool_crv, fee_pips=0)
    cap = {"borrow_cap": p.borrow_cap_crv} if p.remedied else {}
    market = stage.lending(
        "market",
        {
            "USDC": {"ltv": 8_600, "threshold": p.threshold_bps, "bonus": p.bonus_bps},
            "CRV": {**cap},
        },
        rules=(5_000, 0, 0, 0),
    )
    stage.supplier("supplier", market, role="bystander", CRV=p.crv * 1.2)
    short = stage.actor("attacker", USDC=p.usdc)
    buyers = stage.actor("buyers", "bystander", USDC=p.pool_crv * p.start_usd)
    liquidator = stage.actor("liquidator", "bystander", USDC=p.step_usdc)
    router = stage.router
    stage.approve(short, ["USDC"], market)
    stage.approve(short, ["CRV"], router)
    stage.approve(buyers, ["USDC"], router)
    stage.approve(liquidator, ["USDC"], router)
    stage.approve(liquidator, ["CRV"], market)
    yield None

    half = stage.units("CRV", p.crv / 2)
    for label, calls in (
        (
            "supply USDC, borrow half of the CRV, sell it",
            [supply(market.market, usdc, stage.units("USDC", p.usdc), short)],
        ),
        ("borrow the other half, sell it", []),
    ):
        sent = stage.send(
            label,
            short,
            *calls,
            borrow(market.market, crv, half, short),
            swap(router, pool, crv, all_of(crv, short), short),
        )
        yield None
        if not sent.done:
            return
        _report(stage, pool, feed)
    # y = y0 sqrt(p1 / p0) in a pool without a fee
    reserve = stage.read(pool, "getReserves")[1] / 10**6
    spent = round(reserve * ((p.squeeze_usd / stage.spot("CRV", "USDC")) ** 0.5 - 1), 6)
    stage.send(
        "buy CRV until the short can be liquidated",
        buyers,
        swap(router, pool, usdc, stage.units("USDC", spent), buyers),
    )
    yield None
    count = 0
    while count < 1_000:
        _report(stage, pool, feed)
        if not _collateral(stage, market, short):
            break
        stage.send(
            "buy CRV, liquidate with it",
            liquidator,
            swap(router, pool, usdc, stage.units("USDC", p.step_usdc), liquidator),
            liquidate(market.market, short, usdc, crv, all_of(crv, liquidator), liquidator),
        )
        count += 1
        yield None
    stage.measure("liquidations", count)
    stage.measure("last_price_usd", stage.spot("CRV", "USDC"))
    stage.measure("crv_left", stage.read(market.market, "assetState", crv)[0][2] / 10**18)


def _report(stage: Stage, pool: Contract, feed: Contract) -> None:
    """The feed says, and the outside market is at, what the pool is at."""
    crv, usdc, _ = stage.read(pool, "getReserves")
    price = int(usdc) * 10**20 // int(crv) / 10**8
    stage.push(feed, price)
    stage.price("CRV", price)


def _collateral(stage: Stage, market: Lending, short: object) -> int:
    claims: int = stage.read(market.market, "position", short)[0] >> 128
    return claims


ATTACK = Attack(
    name="short-squeeze",
    title="liquidators buying back a large short raise the price of what is left of it",
    sources=(
        "Aave and CRV, 22 November 2022",
        "Warmuz, Chaudhary, Pinna, Toxic liquidation spirals, arXiv 2212.07306",
    ),
    play=play,
    parameters=Squeeze(),
    remedy="a cap on what may be borrowed of CRV",
    stopped_by="BorrowCapExceeded",
    protocol=(Check("insolvency", at_most=0),),
    goal=lambda _: Check("insolvency", at_least=1_000_000),
    reported="2.64M CRV left, $1.6-1.8M",
)
