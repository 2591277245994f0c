"""Venus, 18-19 May 2021: a thinly traded token, pumped, is supplied without limit and borrowed on.

The way down is the market's own: what liquidators seize they sell into the pool that prices it. Its
depth is not assumed: it is the one in which selling the two million XVS moves the price from
where liquidation starts to the low of the day.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, all_of, borrow, liquidate, supply, swap
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Actor, Lending, Stage


@dataclass(frozen=True)
class Xvs(Parameters):
    """Whole tokens; prices in USD.

    xvs: supplied, what the pump buys included
    ltv_bps, bonus_bps: the market's
    start_usd, peak_usd, low_usd: XVS before, at the top, and at the end
    btc, eth: borrowed
    step_btc: repaid by one liquidation
    cap_xvs: of supply, when remedied
    """

    xvs: float = 2_000_000.0
    ltv_bps: int = 8_000
    bonus_bps: int = 1_000
    start_usd: float = 76.0
    peak_usd: float = 144.0
    low_usd: float = 32.0
    btc: float = 4_100.0
    btc_usd: float = 40_000.0
    eth: float = 9_600.0
    eth_usd: float = 3_000.0
    step_btc: float = 50.0
    cap_xvs: float = 200_000.0


def pool_at(p: Xvs, price: float) -> float:
    """XVS in the pool at a price, such that selling all the XVS moves it from where health is 1 to
    the low: x = X / (sqrt(p1 / p2) - 1) at p1, and x sqrt(p) is constant."""
    liquidation = debt_usd(p) / (p.xvs * p.ltv_bps / 10_000)
    reserve: float = p.xvs / ((liquidation / p.low_usd) ** 0.5 - 1)
    return round(float(reserve * (liquidation / price) ** 0.5), 6)


def debt_usd(p: Xvs) -> float:
    """What is borrowed."""
    return p.btc * p.btc_usd + p.eth * p.eth_usd


def play(stage: Stage, p: Xvs) -> Generator[int | None, None, None]:
    """Pumps, supplies, borrows; then others sell, and liquidators the rest."""
    xvs, usdc = stage.token("XVS", p.start_usd), stage.token("USDC", 1, decimals=6)
    btc, eth = stage.token("BTC", p.btc_usd), stage.token("ETH", p.eth_usd)
    dollar = stage.feed("USDC")
    for symbol in ("BTC", "ETH"):
        stage.feed(symbol)
    pool = stage.pool("XVS", "USDC", pool_at(p, p.start_usd), fee_pips=0)
    feed = stage.deploy("PoolSpotFeed", pool, xvs, dollar, 8, "XVS / USD")
    terms = {"feed": feed, "ltv": p.ltv_bps, "threshold": p.ltv_bps, "bonus": p.bonus_bps}
    if p.remedied:
        terms["supply_cap"] = p.cap_xvs
    market = stage.lending("market", {"XVS": terms, "BTC": {}, "ETH": {}}, rules=(5_000, 0, 0, 0))
    stage.supplier("supplier", market, role="bystander", BTC=p.btc, ETH=p.eth)
    pump = pool_at(p, p.start_usd) * p.start_usd * ((p.peak_usd / p.start_usd) ** 0.5 - 1)
    bought = pool_at(p, p.start_usd) - pool_at(p, p.peak_usd)
    attacker = stage.actor("attacker", USDC=round(pump, 6), XVS=round(p.xvs - bought, 6))
    others = stage.actor("sellers", "bystander", XVS=p.xvs)
    liquidator = stage.actor("liquidator", "bystander", BTC=p.btc, ETH=p.eth)
    router = stage.router
    stage.approve(attacker, ["USDC"], router)
    stage.approve(attacker, ["XVS"], market)
    stage.approve(others, ["XVS"], router)
    stage.approve(liquidator, ["XVS"], router)
    stage.approve(liquidator, ["BTC", "ETH"], market)
    yield None

    stage.send("buy XVS up", attacker, swap(router, pool, usdc, all_of(usdc, attacker), attacker))
    yield None
    stage.measure("peak_price_usd", stage.spot("XVS", "USDC"))
    taken = stage.send(
        "supply all XVS, borrow BTC and ETH",
        attacker,
        supply(market.market, xvs, all_of(xvs, attacker), attacker),
        borrow(market.market, btc, stage.units("BTC", p.btc), attacker),
        borrow(market.market, eth, stage.units("ETH", p.eth), attacker),
    )
    yield None
    if not taken.done:
        stage.price("XVS", p.start_usd)  # nothing holds it up
        return
    liquidation = debt_usd(p) / (p.xvs * p.ltv_bps / 10_000)
    sold = pool_at(p, liquidation * 0.9999) - pool_at(p, p.peak_usd)
    stage.send(
        "sell until the position can be liquidated",
        others,
        swap(router, pool, xvs, stage.units("XVS", round(sold, 6)), others),
    )
    yield None
    repay = {"BTC": btc, "ETH": eth}
    step = stage.units("BTC", p.step_btc)
    while _collateral(stage, market, attacker):
        symbol = "BTC" if _debt(stage, market, attacker, 1) > step else "ETH"
        sent = stage.send(
            "liquidate, sell what was seized",
            liquidator,
            liquidate(
                market.market,
                attacker,
                xvs,
                repay[symbol],
                step if symbol == "BTC" else MAX,
                liquidator,
            ),
            swap(router, pool, xvs, all_of(xvs, liquidator), liquidator),
        )
        yield None
        if not sent.done:  # and nobody else is there to change that
            break
    last = stage.spot("XVS", "USDC")
    stage.price("XVS", last)
    stage.measure("last_price_usd", last)


def _collateral(stage: Stage, market: Lending, who: Actor) -> int:
    claims: int = stage.read(market.market, "position", who)[0] >> 128
    return claims


def _debt(stage: Stage, market: Lending, who: Actor, place: int) -> int:
    debt: int = stage.read(market.market, "position", who)[place] & ((1 << 128) - 1)
    return debt


ATTACK = Attack(
    name="supply-cap",
    title="a pumped, thinly traded token is supplied without limit and borrowed against",
    sources=("Venus and XVS, 18-19 May 2021",),
    play=play,
    parameters=Xvs(),
    remedy="a cap on what may be supplied",
    stopped_by="SupplyCapExceeded",
    protocol=(Check("insolvency", at_most=0),),
    goal=lambda _: Check("insolvency", at_least=10_000_000),
    reported="$77M of bad debt",
)
