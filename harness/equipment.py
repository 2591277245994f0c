"""What participants of `harness.scenario.leavers` are given before a run starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from harness.accounts import account
from harness.contracts import Contract
from harness.scenario import (
    BPS,
    LiquidityProvider,
    Scenario,
    StalePriceBorrower,
    base_units,
)
from harness.setup import Setup


class Executors(NamedTuple):
    """Contracts that only some scenarios need."""

    leverage: Contract | None
    liquidity: Contract | None


class Purse(NamedTuple):
    """The USD token: its symbol, and the decimals of its base unit."""

    symbol: str
    decimals: int


class Holding(NamedTuple):
    """A pool, and the liquidity (LP wei) that its first provider has in it."""

    pool: Contract
    liquidity: int


def equip(
    setup: Setup,
    scenario: Scenario,
    *,
    usd: Purse,
    provider: bytes,
    pools: Mapping[str, Holding],
    markets: Mapping[str, Contract],
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    unlimited: int,
) -> Executors:
    """Deploys the executors that a scenario's participants need, and hands out what is theirs.

    provider: who has all the pools' liquidity so far
    mint, approve: of a token by its symbol
    """
    leverage = liquidity = None
    for borrower in scenario.agents_of(StalePriceBorrower):
        leverage = leverage or setup.deploy("LeverageExecutor")
        for index in range(borrower.count):
            owner = account(borrower.name, index).address
            mint(usd.symbol, owner, base_units(borrower.capital_usd, usd.decimals))
            approve(usd.symbol, owner, leverage)
            setup.send(owner, markets[borrower.venue], "setOperator", leverage.address, True)
    for spec in scenario.agents_of(LiquidityProvider):
        liquidity = liquidity or setup.deploy("LiquidityExecutor")
        pool, whole = pools[spec.pool]
        for index in range(spec.count):
            owner = account(spec.name, index).address
            share = whole * spec.share_bps // (BPS * spec.count)
            setup.send(provider, pool, "transfer", owner, share)
            setup.send(owner, pool, "approve", liquidity.address, unlimited)
    return Executors(leverage, liquidity)
