"""Perpetual exchanges in a scenario: the venue, its traders, and those who act on it.

Units as in `harness.scenario.units`. A notional (``*_usd`` here) is in whole settlement tokens, in
which contracts are quoted; half-lives are turned into factors for each second.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from harness.scenario._decode import Key, Pattern, Range
from harness.scenario.agents import Agent
from harness.scenario.blocks import Bid, Outages
from harness.scenario.populations import Population
from harness.scenario.units import (
    BPS,
    Amount,
    Amounts,
    Blocks,
    Bps,
    Name,
    Seconds,
    Symbol,
    Usd,
)
from harness.scenario.venues import Venue, by_symbol

SmallPips = Annotated[int, Range(0, 999_999)]
Ratio = Annotated[int, Range(1, BPS)]

NO_END = (1 << 128) - 1
"""Where the last tier of a market ends."""


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Margins of the part of a position between the tier before and ``up_to_usd``.

    ``close_share_bps`` of the position is closed by one liquidation while the market's partial
    steps last; it is taken from the tier of the whole position. None in ``up_to_usd``: no end.
    """

    initial_bps: Ratio
    call_bps: Ratio
    maintenance_bps: Ratio
    close_share_bps: Ratio = BPS
    up_to_usd: Annotated[float, Range(0, 1e18, above=True)] | None = None

    def end(self, unit: int) -> int:
        """Where it ends in base units of the settlement token, of which ``unit`` make a whole one;
        exact in the digits written, rounded down. `NO_END` if it has none."""
        return NO_END if self.up_to_usd is None else int(Decimal(repr(self.up_to_usd)) * unit)


_DEFAULT_TIERS = (
    MarginTier(500, 350, 250, up_to_usd=100_000.0),
    MarginTier(500, 350, 250, close_share_bps=2_000),
)
"""20 times leverage; maintenance half of the initial margin; positions above $100,000 closed by 20%
first (Hyperliquid's rules). The call ratio between the two is an assumption."""


@dataclass(frozen=True, slots=True)
class PerpMarket:
    """A market of an exchange on one asset's feed.

    ``skew_scale`` in tokens: the net open interest at which a fill costs twice the index; caps in
    tokens, None for none. ``funding_slope`` is the funding rate per day at a skew of
    ``skew_scale``, ``interest`` is added to it (per day), ``funding_cap`` bounds it. The mark
    price is the index and a moving average (``premium_half_life_s``) of skew / skew_scale, at most
    ``premium_bound_bps`` away. Guards, 0 being off: ``band_bps`` refuses trades and withdrawals
    while the index is further from its own average; ``volatility_target`` (per square root of a
    day) and ``open_interest_slope_bps`` make margins grow, at most to ``scale_cap_bps``.
    """

    symbol: Symbol
    skew_scale: Annotated[float, Range(0, 1e15, above=True)]
    long_cap: Amount | None = None
    short_cap: Amount | None = None
    maker_fee_pips: SmallPips = 150
    taker_fee_pips: SmallPips = 450
    premium_bound_bps: Annotated[int, Range(0, BPS - 1)] = 100
    premium_half_life_s: Seconds = 300
    funding_slope: Annotated[float, Range(0, 18)] = 0.1
    interest: Annotated[float, Range(-9, 9)] = 0.0003
    funding_cap: Annotated[float, Range(0, 18)] = 0.96
    liquidation_fee_bps: Bps = 100
    liquidator_share_bps: Bps = 5_000
    cooldown_s: Annotated[int, Range(0, 10**9)] = 30
    partial_steps: Annotated[int, Range(0, 255)] = 1
    step_window_s: Annotated[int, Range(0, 10**9)] = 3_600
    band_bps: Bps = 0
    band_half_life_s: Seconds = 300
    volatility_target: Annotated[float, Range(0, 18)] = 0.0
    volatility_half_life_s: Seconds = 3_600
    open_interest_slope_bps: Bps = 0
    scale_cap_bps: Annotated[int, Range(BPS, 100 * BPS)] = 3 * BPS
    tiers: Annotated[tuple[MarginTier, ...], Key("tier")] = _DEFAULT_TIERS


@dataclass(frozen=True, slots=True)
class PerpCollateral:
    """A collateral other than the settlement token; ``cap`` in tokens, None for none."""

    symbol: Symbol
    haircut_bps: Bps = 1_000
    cap: Amount | None = None


@dataclass(frozen=True, slots=True)
class PerpExchange(Venue):
    """A perpetual exchange: several markets against one vault, settled in one token.

    ``vault`` and ``insurance`` are settlement tokens there at the start. An account at or below
    ``backstop_bps`` of its maintenance margin is taken over whole. ``keeper_fee`` (tokens) is paid
    by the fund for a takeover. Of the trading fees ``fee_vault_bps`` go to the vault,
    ``fee_insurance_bps`` to the fund, the rest to the admin. ``withdraw_floor_bps`` of the notional
    stays behind in a withdrawal (0: off); ``withdraw_profit``: does unrealised profit count then?
    ``vault_lock_bps`` of the larger side's notional stays with the vault in a redemption;
    ``vault_floor`` (tokens) is what it keeps when it takes over, where a waterfall follows it.
    """

    kind_name: ClassVar[str] = "perp-exchange"
    name: Name
    settlement: Symbol
    markets: Annotated[tuple[PerpMarket, ...], Key("market")]
    collaterals: Annotated[tuple[PerpCollateral, ...], Key("collateral")] = ()
    vault: Amount = 0.0
    insurance: Amount = 0.0
    backstop_bps: Annotated[int, Range(0, BPS - 1)] = 6_667
    withdraw_floor_bps: Bps = 1_000
    withdraw_profit: bool = False
    fee_vault_bps: Bps = 6_000
    fee_insurance_bps: Bps = 3_000
    keeper_fee: Amount = 20.0
    vault_floor: Amount = 0.0
    vault_lock_bps: Bps = 0

    @property
    def provider(self) -> str:
        """Name of the account that has the vault's shares at the start."""
        return f"{self.name}-provider"

    @property
    def accounts(self) -> tuple[str, ...]:
        """See `Venue.accounts`."""
        return (self.provider,)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The assets whose feeds it reads, each once: of markets, collaterals, settlement."""
        every = [market.symbol for market in self.markets]
        every += [collateral.symbol for collateral in self.collaterals]
        return tuple(dict.fromkeys([*every, self.settlement]))

    def market(self, symbol: str) -> PerpMarket:
        """The market on this asset. Raises KeyError if there is none."""
        return by_symbol(self.markets, symbol)


# --- populations ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeverageDistribution:
    """Notional / equity at the start: lognormal, truncated to [``min``, ``max``]."""

    median: Annotated[float, Range(0, 1000, above=True)]
    sigma: Annotated[float, Range(0, 10)] = 0.5
    min: Annotated[float, Range(0, 1000, above=True)] = 0.1
    max: Annotated[float, Range(0, 1000, above=True)] = 20.0


@dataclass(frozen=True, slots=True)
class TraderResponse:
    """What traders do when they are called.

    Each is once and for all one who pays in cash (``meet_bps`` of them), sells a holding elsewhere
    and pays in the proceeds (``sell_bps``), borrows against it in the lending market ``lender`` and
    pays that in (``borrow_bps``), reduces its positions (``reduce_bps``), or does nothing (the
    rest); waits between the two ``latency_blocks`` (inclusive) and then aims at an equity of
    ``target`` call margins. Who pays has cash of ``cash_bps`` of its equity at the start; who sells
    or borrows has so much worth of ``holding``, and of that a borrower takes ``borrow_ltv_bps``.
    """

    meet_bps: Bps = 0
    sell_bps: Bps = 0
    borrow_bps: Bps = 0
    reduce_bps: Bps = 0
    latency_blocks: tuple[Blocks, Blocks] = (1, 1)
    target: Annotated[float, Range(1, 100)] = 1.5
    cash_bps: Annotated[int, Range(0, 100 * BPS)] = 5_000
    holding: Annotated[str, Pattern(r"[A-Za-z0-9]{0,16}", "an asset's symbol, or empty")] = ""
    lender: Annotated[str, Pattern(r"[A-Za-z0-9_-]{0,64}", "a lending venue's name, or empty")] = ""
    borrow_ltv_bps: Bps = 5_000
    fee_deposit: Amount = 0.1
    """Tokens of the fee asset each has for fees."""
    bid: Bid = Bid()


@dataclass(frozen=True, slots=True)
class Traders(Population):
    """Accounts of an exchange, with positions of their own.

    Each of the ``count`` has equity from a lognormal distribution with log standard deviation
    ``margin_sigma`` that adds up to ``margin_usd``, a leverage, and a direction: long with a chance
    of ``long_bps``. It trades ``markets_each`` of the ``markets`` (weights by symbol), each with an
    equal part of its notional; a share of ``isolated_bps`` of them margin each position on its own,
    the others over all markets. ``sub_accounts`` divide a trader into so many equal accounts.
    ``collateral`` has weights by symbol; without it all equity is in the settlement token.
    ``alternate`` makes every second of a trader's markets the opposite direction. ``like`` names
    another population with whose draws this one is made: the same traders elsewhere, where nothing
    else differs.
    """

    kind_name: ClassVar[str] = "traders"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 1_000_000)]
    markets: Amounts
    margin_usd: Annotated[float, Range(0, 1e15, above=True)]
    leverage: LeverageDistribution
    margin_sigma: Annotated[float, Range(0, 10)] = 0.0
    long_bps: Bps = 5_000
    markets_each: Annotated[int, Range(1, 32)] = 1
    alternate: bool = False
    isolated_bps: Bps = 0
    sub_accounts: Annotated[int, Range(1, 100)] = 1
    collateral: Amounts = ()
    like: Annotated[str, Pattern(r"[A-Za-z0-9_-]{0,64}", "a population's name, or empty")] = ""
    response: TraderResponse = TraderResponse()

    @property
    def stream(self) -> str:
        """What its draws are keyed by."""
        return f"population/{self.like or self.name}"


# --- agents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PerpLiquidator(Agent):
    """Liquidators of an exchange. They need no capital: what they close, the vault takes."""

    kind_name: ClassVar[str] = "perp-liquidator"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    min_profit_usd: Usd = 0.0
    max_transactions: Annotated[int, Range(1, 10_000)] = 10
    fee_deposit: Amount = 1.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class MarginCaller(Agent):
    """Calls accounts below their call margin, at most ``max_transactions`` at a time, and ends the
    calls of those that a price has brought back."""

    kind_name: ClassVar[str] = "margin-caller"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    max_transactions: Annotated[int, Range(1, 100_000)] = 100
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class FundingKeeper(Agent):
    """Accrues every market of an exchange, so that premium, funding and averages move while nobody
    trades, every ``every_s`` seconds."""

    kind_name: ClassVar[str] = "funding-keeper"
    name: Name
    venue: Name
    every_s: Annotated[int, Range(1, 10**9)] = 3_600
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class FundUnwinder(Agent):
    """Closes positions that the insurance fund took over, at most ``most_usd`` of a market in a
    block (0: all at once)."""

    kind_name: ClassVar[str] = "fund-unwinder"
    name: Name
    venue: Name
    most_usd: Usd = 100_000.0
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class VaultHedger(Agent):
    """Holds spot against what the vault owes its traders, and so is neutral together with it.

    The vault has the other side of the net open interest of every market. The desk keeps
    ``ratio_bps`` of that in the asset, from its ``inventory`` (tokens by symbol, beyond the hedge
    that it has at the start) and ``cash`` (settlement tokens), by trades of at least
    ``least_usd`` in the pool of the pair: perpetual liquidations reach the spot price through it.
    Its trades are forced trades: the sink fills them in the twin.
    """

    kind_name: ClassVar[str] = "vault-hedger"
    name: Name
    venue: Name
    ratio_bps: Bps = BPS
    inventory: Amounts = ()
    cash: Amount = 0.0
    least_usd: Usd = 1_000.0
    most_usd: Usd = 0.0
    """Largest trade in a block; 0: no limit."""
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


@dataclass(frozen=True, slots=True)
class BasisTrader(Agent):
    """Holds spot against a short perpetual position, for the funding.

    Each of the ``count`` has ``position`` tokens and as much short, with equity of 1/``leverage``
    of it on the exchange. Where a fill is ``exit_bps`` or more below the index it buys back
    ``step_bps`` of what it started with and sells as much spot; whatever else closes its short (a
    liquidation, deleveraging) it sells the spot too. Spot sales are forced trades.
    """

    kind_name: ClassVar[str] = "basis-trader"
    name: Name
    venue: Name
    market: Symbol
    position: Annotated[float, Range(0, 1e15, above=True)]
    leverage: Annotated[float, Range(0, 1000, above=True)] = 3.0
    exit_bps: Annotated[int, Range(0, BPS)] = 25
    step_bps: Annotated[int, Range(1, BPS)] = 2_500
    count: Annotated[int, Range(1, 10_000)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 1.0
    bid: Bid = Bid()
    outages: Outages = Outages()


__all__ = [
    "BasisTrader",
    "FundUnwinder",
    "FundingKeeper",
    "LeverageDistribution",
    "MarginCaller",
    "MarginTier",
    "PerpCollateral",
    "PerpExchange",
    "PerpLiquidator",
    "PerpMarket",
    "TraderResponse",
    "Traders",
    "VaultHedger",
]
