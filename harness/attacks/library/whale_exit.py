"""Hyperliquid, 12 March 2025: profit is withdrawn until liquidation is near; the vault inherits.

A large long takes its unrealised profit out as cash, down to the initial margin. The next fall
takes it below maintenance, and the vault has 160,234 ETH, which it cannot sell where it got them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.perps import SHARE_PRICE_USD, open_exchange
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class Whale(Parameters):
    """ETH and USD.

    size: of the position
    entry_usd, high_usd: opened at, profit of $8M withdrawn at
    takeover_usd: where the vault takes over
    exit_usd: where it has sold all; the day's depth is not known: the fall of 1.6% while it sells
        is chosen for the loss reported
    initial_bps, maintenance_bps: margins
    floor_bps: what must stay behind of the notional, when remedied
    """

    size: float = 160_234.0
    entry_usd: float = 1_884.0
    high_usd: float = 1_934.0
    takeover_usd: float = 1_914.0
    exit_usd: float = 1_870.0
    initial_bps: int = 200
    maintenance_bps: int = 100
    floor_bps: int = 1_000
    vault_usd: float = 200_000_000.0


def play(stage: Stage, p: Whale) -> Generator[int | None, None, None]:
    """Opens, withdraws at the high, is taken over at the fall."""
    stage.token("USD", 1)
    stage.token("ETH", p.entry_usd)
    feed = stage.feed("ETH")
    lps = stage.actor("vault-depositors", "victim", USD=p.vault_usd)
    perp = open_exchange(
        stage,
        "exchange",
        "USD",
        feed,
        provider=lps,
        vault=p.vault_usd,
        initial_bps=p.initial_bps,
        maintenance_bps=p.maintenance_bps,
        risk={
            "backstop_bps": 9_999,
            "withdraw_floor_bps": p.floor_bps if p.remedied else 0,
        },
    )
    margin = round(p.size * p.entry_usd * p.initial_bps / 10_000 + 1, 2)
    attacker = stage.actor("attacker", USD=margin)
    makers = stage.actor("market-makers", "bystander", USD=p.vault_usd)
    keeper = stage.actor("keeper", "bystander")
    for account in (attacker, makers):
        stage.approve(account, ["USD"], perp)
    stage.prepare(makers, perp.deposit(makers, p.vault_usd), perp.trade(makers, -p.size))
    yield None

    stage.send(
        "buy 160,234 ETH", attacker, perp.deposit(attacker, margin), perp.trade(attacker, p.size)
    )
    yield None
    _move(stage, p.high_usd)
    yield None
    free = perp.equity(stage, attacker) - perp.initial_margin(stage, attacker)
    realise = perp.trade(attacker, -p.size), perp.trade(attacker, p.size)
    taken = stage.send(
        "realise the profit, withdraw all but the initial margin",
        attacker,
        *realise,
        perp.withdraw(attacker, free - 10**12),  # closing and opening again rounds
    )
    yield None
    _move(stage, p.takeover_usd)
    yield None
    if taken.done:
        stage.send("have the account taken over", keeper, perp.liquidate(attacker))
        yield None
    _move(stage, p.exit_usd)
    yield None
    if taken.done:
        stage.send("sell the vault what it inherited", makers, perp.trade(makers, p.size))
        yield None
    else:
        closed = perp.trade(attacker, -p.size)
        stage.send("close", attacker, closed)
        yield None


def _move(stage: Stage, price_usd: float) -> None:
    stage.price("ETH", price_usd)
    stage.push(stage.feeds["ETH"], price_usd)


ATTACK = Attack(
    name="whale-exit",
    title="profit is withdrawn until the vault has to take the position over",
    sources=("Hyperliquid, 12 March 2025",),
    play=play,
    parameters=Whale(),
    remedy="a tenth of the notional must stay behind",
    stopped_by="InsufficientMargin",
    protocol=(Check("loss", at_most=SHARE_PRICE_USD),),
    goal=lambda _: Check("loss", at_least=1_000_000),
    reported="160,234 ETH inherited at $1,915, $1.8M kept, the vault lost $4M",
)
