"""Participants that act each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from harness.scenario._decode import Family, Range
from harness.scenario.blocks import Bid, Outages, Withdrawal
from harness.scenario.units import BPS, Amount, Amounts, Blocks, Bps, Name, Symbol, Usd


class Agent(Family):
    """Participants that act each block (``[[agent]] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Liquidator(Agent):
    """Liquidators; each of the ``count`` has the capital stated.

    They serve ``venue``, and ``further_venues`` from the same capital and fee deposit.
    ``latency_blocks`` pass between seeing a state and sending a transaction based on it;
    ``min_profit_usd`` after the expected fee; ``max_transactions`` in flight at a time.

    ``funding``: ``own`` capital, or a ``flash-loan`` of the market's own cash, repaid in the same
    transaction (an isolated market pays out the collateral first, so that nobody needs any).
    ``withdrawal`` says when they leave the market.
    """

    kind_name: ClassVar[str] = "liquidator"
    name: Name
    venue: Name
    capital: Amounts = ()
    funding: Literal["own", "flash-loan"] = "own"
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    max_transactions: Annotated[int, Range(1, 10_000)] = 1
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = Bid()
    outages: Outages = Outages()
    withdrawal: Withdrawal = Withdrawal()
    further_venues: tuple[Name, ...] = ()

    @property
    def serves(self) -> tuple[str, ...]:
        """All venues it liquidates in."""
        return (self.venue, *self.further_venues)

    def purse(self, venue: str) -> str:
        """Name of the accounts of its own that it has for one venue where it shares no capital."""
        return f"{self.name}@{venue}"


@dataclass(frozen=True, slots=True)
class InventoryLiquidator(Agent):
    """Liquidators who keep what they seize and sell it over time, at the risk of its price.

    They liquidate with own capital where the collateral is worth ``least_discount_bps`` more than
    the debt repaid, at outside prices and after the fee, until they hold ``limit_usd`` of it. From
    ``holding_blocks`` after the first purchase they sell ``sale_bps`` of what they hold each block
    into the pool that takes forced sales. ``withdrawal`` says when they stop buying.
    """

    kind_name: ClassVar[str] = "inventory-liquidator"
    name: Name
    venue: Name
    capital: Amounts = ()
    limit_usd: Usd = 1e6
    least_discount_bps: Bps = 200
    holding_blocks: Blocks = 10
    sale_bps: Annotated[int, Range(1, BPS)] = 1000
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    max_transactions: Annotated[int, Range(1, 10_000)] = 1
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = Bid()
    outages: Outages = Outages()
    withdrawal: Withdrawal = Withdrawal()


@dataclass(frozen=True, slots=True)
class Lender(Agent):
    """Lenders who supply the same asset to several markets, and leave them together.

    Each has ``supplied`` tokens in each of ``venues`` beside those of the listing, and withdraws
    what it can from all of them once one of them has a deficit of ``loss_bps`` of its claims or is
    lent out to ``utilisation_bps`` (0 switches either off).
    """

    kind_name: ClassVar[str] = "lender"
    name: Name
    venues: tuple[Name, ...]
    asset: Symbol
    supplied: Annotated[float, Range(0, 1e18, above=True)]
    loss_bps: Bps = 1
    utilisation_bps: Bps = 0
    count: Annotated[int, Range(1, 1000)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class Guardian(Agent):
    """Pauses a market when its price falls or too much is liquidated: a circuit breaker.

    It pauses for ``pause_s`` when the feed's price of ``asset`` is ``fall_bps`` below its highest
    of the last ``window_s`` seconds, or ``liquidated_usd`` of debt has been repaid in liquidations
    in that time (0 switches either off); liquidation stays closed ``grace_s`` seconds longer, so
    that borrowers can act first. It acts once a fall: again only after the window has passed.
    """

    kind_name: ClassVar[str] = "guardian"
    name: Name
    venue: Name
    asset: Symbol
    fall_bps: Bps = 0
    liquidated_usd: Usd = 0.0
    window_s: Annotated[int, Range(1, 10**9)] = 3600
    pause_s: Annotated[int, Range(1, 10**9)] = 3600
    grace_s: Annotated[int, Range(0, 86_400)] = 0
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class Governor(Agent):
    """Moves an asset's liquidation threshold with its price: a dynamic threshold.

    ``steps`` [fall_bps, threshold_bps]: the threshold in force while the feed's price is at least
    that far below its highest of the last ``window_s`` seconds; the listed one above the first
    step. The LTV follows where it would be above. Raising the threshold in a fall holds
    liquidations back; lowering it brings them forward.
    """

    kind_name: ClassVar[str] = "governor"
    name: Name
    venue: Name
    asset: Symbol
    steps: tuple[tuple[Bps, Annotated[int, Range(1, BPS)]], ...]
    window_s: Annotated[int, Range(1, 10**9)] = 86_400
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class Arbitrageur(Agent):
    """Arbitrageurs between one pool and the external markets of its two assets.

    Their inventory is USD cash.
    """

    kind_name: ClassVar[str] = "arbitrageur"
    name: Name
    pool: Name
    capital_usd: Usd
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    fee_deposit: Amount = 1.0
    """Tokens of the fee asset each has for fees."""
    bid: Bid = Bid()
    outages: Outages = Outages()
