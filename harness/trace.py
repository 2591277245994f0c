"""What one pass through a scenario leaves: rows read from blocks, receipts and lens reads.

Amounts are base units of their token, USD figures WAD, prices 8 decimals, bids wei of the fee
asset per gas. Blocks are numbered as in the run; set-up blocks have numbers of 0 and below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.calls import MarginCall
from harness.cuts import Round
from harness.protocols.curated_vault import VaultState
from harness.protocols.perp_exchange import MarketState, PerpBooks, PerpCensus
from harness.protocols.pooled_lending import AssetState, Census

if TYPE_CHECKING:
    from harness.wallets import Wallets

#: Sources of a feed by name, each with the last forced trade it had seen.
Givers = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class TransactionRow:
    """A transaction or an order that never became one.

    status: succeeded, reverted, expired (never included), or pending at the end
    place: its position in its block, -1 if never included
    reason: the decoded Solidity error of a revert, or why an order was not included
    """

    block: int
    place: int
    agent: str
    action: str
    key: str
    sender: bytes
    to: bytes
    data: bytes
    observed: int
    available: int
    bid: int
    gas: int
    status: str
    reason: str


@dataclass(slots=True)
class LiquidationRow:
    """One liquidation as its event gives it.

    unhealthy_since: first block of the run after which the account was below 1 without a break
        until now; the block itself if it was healthy after the one before
    proceeds: what the sale of the seized collateral brought, less the fee of a flash loan
    unsold: what of the seized collateral its liquidator kept and still has at the end
    trade: id of the forced trade that sold the seized collateral, 0 if none did
    feed_trades: for each asset, the sources whose answers its feed gave, each with the last forced
        trade it had seen; empty where the answer was nobody's, as at a bound
    thresholds_bps: liquidation thresholds in force, None for those listed; on an exchange, what
        margins of each market are multiplied with
    taken_usd: what the account lost: collateral seized, fees included, or taken over by a module
    relieved_usd: what it was relieved of or got back: debt, and collateral returned
    kind: how much an exchange closed: ``partial``, ``whole``, or ``takeover``; empty for a debt
    depositors_usd, borrowers_usd: what a stability pool's depositors lost (below 0: gained), and
        what was spread over other borrowers beyond the collateral that came with it
    reward_usd: what the market paid for starting or resetting it, apart from the collateral
    wave, cause, parent: see ``harness.metrics.waves``

    On an exchange ``collateral`` is the market and ``debt`` the settlement token; ``repaid`` the
    notional closed, at the fill price, in settlement units; ``seized`` the same and what the
    account paid for it; ``proceeds`` the notional and the liquidator's reward; ``protocol_fee`` the
    insurance fund's part; ``health_factor`` equity / maintenance margin (WAD); ``position`` and
    ``prices`` the event's words before.
    """

    block: int
    place: int
    venue: str
    account: int
    liquidator: str
    collateral: str
    debt: str
    repaid: int
    seized: int
    protocol_fee: int
    repaid_usd: int
    seized_usd: int
    health_factor: int
    position: tuple[int, ...]
    prices: tuple[int, ...]
    unhealthy_since: int
    feed_trades: tuple[Givers, ...]
    thresholds_bps: tuple[int, ...] | None = None
    proceeds: int = 0
    unsold: int = 0
    trade: int = 0
    taken_usd: int = 0
    relieved_usd: int = 0
    kind: str = ""
    reward_usd: int = 0
    depositors_usd: int = 0
    borrowers_usd: int = 0
    wave: int = -1
    cause: str = ""
    parent: int = 0


@dataclass(slots=True)
class SaleRow:
    """A sale by a liquidation module, which pays for a liquidation that began before it.

    liquidation: its place in the trace's liquidations
    paid: debt assets the buyer paid; bought: collateral assets it got
    paid_usd, bought_usd: at the market's prices after the block
    proceeds: debt assets for which the buyer sold the collateral on, 0 while it has not
    trade: id of the forced trade by which it did
    by_depositor: a stability pool's depositor sold what it had got for its deposit
    """

    liquidation: int
    block: int
    place: int
    buyer: str
    paid: int
    bought: int
    paid_usd: int = 0
    bought_usd: int = 0
    proceeds: int = 0
    trade: int = 0
    by_depositor: bool = False


class CallState(NamedTuple):
    """A called account just before it reduced its position: the block since which it was below
    its call level, and balances, prices and trades seen as in a LiquidationRow."""

    called_since: int
    position: tuple[int, ...]
    prices: tuple[int, ...]
    feed_trades: tuple[Givers, ...]
    thresholds_bps: tuple[int, ...] | None = None


class TradeRow(NamedTuple):
    """A forced trade. Spots: units bought for a unit sold (base units, x 1e36), before and after.
    ``call`` is given where a called account sold; ``after`` counts the liquidations that whoever
    hedges what they closed had seen, or the one with whose collateral a kept one's sale began;
    ``redeemed``: the vault whose shares were sold paid for them, not a pool."""

    id: int
    block: int
    place: int
    venue: str
    account: int
    action: str
    sold: str
    bought: str
    amount_in: int
    amount_out: int
    spot_before: int
    spot_after: int
    call: CallState | None = None
    after: int = 0
    redeemed: bool = False


class BadDebtRow(NamedTuple):
    """Debt written off once an account's collateral was gone."""

    block: int
    venue: str
    account: int
    asset: str
    amount: int
    usd: int


class FeedPoint(NamedTuple):
    """What an asset's feed said at the end of a block (WAD), and the last forced trade its round
    had seen."""

    price: int
    seen_trade: int


class VenueBlock(NamedTuple):
    """A venue at the end of a block; shortfalls in USD WAD."""

    states: tuple[AssetState, ...]
    shortfall_market: int
    shortfall_liquidation: int
    shortfall_oracle: int
    bad_debt: int
    unhealthy: int
    called: int


class ExchangeBlock(NamedTuple):
    """An exchange at the end of a block: its markets, prices (USD WAD) of their assets, of its
    collaterals and of the settlement token, books, equity of the insurance fund (settlement
    units); shortfalls in USD WAD."""

    states: tuple[MarketState, ...]
    prices: tuple[int, ...]
    books: PerpBooks
    insurance_equity: int
    shortfall_market: int
    shortfall_liquidation: int
    shortfall_oracle: int
    bad_debt: int
    unhealthy: int
    called: int


class LossRow(NamedTuple):
    """A loss that an account of an exchange could not pay (settlement units). ``by``: who did:
    insurance, vault, waterfall, or nobody: it is deficit."""

    block: int
    venue: str
    account: int
    by: str
    amount: int


class FillRow(NamedTuple):
    """A position that changed (IPerpTypes.Fill); ``kind`` in lower case."""

    block: int
    place: int
    venue: str
    account: int
    market: str
    kind: str
    size: int
    price_wad: int
    fee: int
    realised: int
    funding: int


class WaterfallRow(NamedTuple):
    """One event of a clearing house (IClearingHouse), as it was told: of an exchange's round.

    ``account`` is the number of the account it is about, -1 for none; amounts are settlement units.
    """

    block: int
    place: int
    venue: str
    round: int
    name: str
    account: int
    fields: dict[str, Any]


@dataclass(slots=True)
class BlockRow:
    """The world at the end of a block."""

    index: int
    number: int
    timestamp: int
    digest: bytes
    external: dict[str, int]
    feeds: dict[str, FeedPoint]
    reserves: dict[str, tuple[int, int]]
    venues: dict[str, VenueBlock]
    waiting: int
    background_bid: int
    exchanges: dict[str, ExchangeBlock] = field(default_factory=dict)
    vaults: dict[str, VaultState] = field(default_factory=dict)

    @property
    def every_venue(self) -> dict[str, VenueBlock | ExchangeBlock]:
        """Lending markets and exchanges, in the order of the former and the latter."""
        return {**self.venues, **self.exchanges}


@dataclass(slots=True)
class Trace:
    """One pass: the run, or its twin.

    rounds: every feed's round after each block, by the feed's name
    crowded_blocks: blocks that had no room for some order which could have entered them
    """

    blocks: list[BlockRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    liquidations: list[LiquidationRow] = field(default_factory=list)
    sales: list[SaleRow] = field(default_factory=list)
    trades: list[TradeRow] = field(default_factory=list)
    bad_debts: list[BadDebtRow] = field(default_factory=list)
    calls: dict[str, list[MarginCall]] = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)
    #: deficits that reserves have paid for in the run, by venue and asset, base units
    covered: dict[tuple[str, str], int] = field(default_factory=dict)
    invariants: dict[str, bool] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    opening: dict[str, Census] = field(default_factory=dict)
    closing: dict[str, Census] = field(default_factory=dict)
    opening_wallets: Wallets | None = None
    closing_wallets: Wallets | None = None
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    crowded_blocks: int = 0
    losses: list[LossRow] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    waterfall: list[WaterfallRow] = field(default_factory=list)
    exchange_opening: dict[str, PerpCensus] = field(default_factory=dict)
    exchange_closing: dict[str, PerpCensus] = field(default_factory=dict)
    digest: bytes = b""
