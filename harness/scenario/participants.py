"""Participants of liquidation modules: who starts a liquidation, who buys, who stands ready.

Where a design keeps these apart from each other, ``liquidator`` has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.scenario._decode import Range
from harness.scenario.agents import Agent
from harness.scenario.blocks import Bid, Outages
from harness.scenario.units import Amount, Amounts, Blocks, Bps, Name, Seconds, Usd

DEFAULT_BID = Bid()
NO_OUTAGES = Outages()


@dataclass(frozen=True, slots=True)
class Trigger(Agent):
    """Starts liquidations, for what the design pays for that.

    It takes unhealthy accounts to auction and resets or restarts auctions. ``min_profit_usd`` is
    what must be left of the incentive after the expected fee; where a design pays none (English
    auctions) it acts without. ``latency_blocks`` pass between seeing a state and acting on it;
    ``max_transactions`` are in flight at a time.
    """

    kind_name: ClassVar[str] = "trigger"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    max_transactions: Annotated[int, Range(1, 10_000)] = 1
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = DEFAULT_BID
    outages: Outages = NO_OUTAGES


@dataclass(frozen=True, slots=True)
class Buyer(Agent):
    """Buys what a module sells and sells it on as a forced trade.

    Each of the ``count`` has the ``capital`` stated. It wants to keep ``margin_bps`` of what the
    sale brings, and ``min_profit_usd`` after the expected fee.

    In English auctions the margin is what its last bid leaves; its first one is ``opening_bps`` of
    that, or the least that beats the others: with 0 it bids as little as it can. It keeps what it
    wins for ``hold_s`` seconds before it sells, during which its capital is bound.
    """

    kind_name: ClassVar[str] = "buyer"
    name: Name
    venue: Name
    capital: Amounts = ()
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    margin_bps: Bps = 0
    opening_bps: Bps = 10_000
    hold_s: Seconds = 0
    max_transactions: Annotated[int, Range(1, 10_000)] = 1
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = DEFAULT_BID
    outages: Outages = NO_OUTAGES


@dataclass(frozen=True, slots=True)
class Depositor(Agent):
    """Stands ready in a stability pool with ``deposit`` tokens of the debt asset.

    It is paid in claims on collateral, takes them out when they are worth ``min_gain_usd``, and
    sells them as a forced trade.
    """

    kind_name: ClassVar[str] = "depositor"
    name: Name
    venue: Name
    deposit: Amount
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_gain_usd: Usd = 100.0
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = DEFAULT_BID
    outages: Outages = NO_OUTAGES
