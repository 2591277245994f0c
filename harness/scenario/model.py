"""The scenario model, ``schema = 1``: what a run consists of, as frozen dataclasses.

A field's name carries its unit (``_usd``, ``_s`` seconds, ``_bps`` 1/10,000, ``_pips`` 1/1,000,000,
``_gwei``); token amounts are in whole tokens, rates are fractions per year, seconds count from
``clock.start``. Amounts are decimal numbers as written; :func:`base_units` and its neighbours turn
them into integers exactly. Arrays are singular in the file (``[[asset]]``, ``[[venue]]``) and
plural here.

Families (:class:`PriceProcess`, :class:`Feed`, :class:`Venue`, :class:`Population`,
:class:`Agent`) are told apart by a tag in the file; a new member is a dataclass that derives from
the family, inside this package or named as ``module:Class``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, TypeVar

from harness.scenario._decode import Family, Instant, Key, Pattern, Range, TableOf
from harness.scenario.audit import Audit
from harness.scenario.liquidation import FIXED_BONUS, LiquidationDesign

WAD = 10**18
RAY = 10**27
BPS = 10_000
PRICE_DECIMALS = 8
PRICE_UNIT: int = 10**PRICE_DECIMALS

Name = Annotated[str, Pattern(r"[A-Za-z0-9_-]{1,64}", "letters, digits, _ and -, at most 64")]
Symbol = Annotated[str, Pattern(r"[A-Za-z0-9]{1,16}", "letters and digits, at most 16")]
Count = Annotated[int, Range(0, 1_000_000)]
Blocks = Annotated[int, Range(0, 10_000_000)]
Seconds = Annotated[int, Range(0, 10**10)]
Bps = Annotated[int, Range(0, BPS)]
Pips = Annotated[int, Range(0, 999_999)]
Amount = Annotated[float, Range(0, 1e18)]
Usd = Annotated[float, Range(0, 1e18)]
PriceUsd = Annotated[float, Range(1e-8, 1e12)]
Gwei = Annotated[float, Range(0, 1e9)]
Rate = Annotated[float, Range(0, 100)]
Fraction = Annotated[float, Range(0, 1)]
Window = tuple[Seconds, Seconds]
Amounts = Annotated[tuple[tuple[str, Amount], ...], TableOf()]
Columns = Annotated[tuple[tuple[str, str], ...], TableOf()]
Places = Annotated[tuple[tuple[str, Annotated[int, Range(0, 36)]], ...], TableOf()]


@lru_cache(maxsize=4096)
def base_units(amount: float, decimals: int) -> int:
    """Integer base units of a decimal amount, exact in the digits written; dust is cut off."""
    return int(Decimal(repr(amount)).scaleb(decimals))


def price_units(price_usd: float) -> int:
    """A USD price per whole token as an integer of 8 decimals, rounded half to even."""
    return int((Decimal(repr(price_usd)) * PRICE_UNIT).to_integral_value())


def usd_wad(amount_usd: float) -> int:
    """A USD amount in WAD (1e18)."""
    return base_units(amount_usd, 18)


def gwei_wei(bid_gwei: float) -> int:
    """A bid in wei of the fee asset per unit of gas, from gwei (1e-9)."""
    return base_units(bid_gwei, 9)


def rate_ray(rate: float) -> int:
    """A yearly rate (0.04 = 4%) in RAY (1e27)."""
    return base_units(rate, 27)


@dataclass(frozen=True, slots=True)
class Clock:
    """Blocks and time. Block i of the run (from 0) has the time ``start + i * seconds_per_block``.

    Every price path holds one price for each block; the one of block 0 is also the price at which
    markets, pools and positions are set up, in blocks of a second each before ``start``.
    """

    blocks: Annotated[int, Range(1, 1_000_000)]
    seconds_per_block: Annotated[int, Range(1, 86_400)]
    start: Annotated[int, Instant(), Range(1_000_000, 10**11)]

    def time(self, block: int) -> int:
        """Epoch seconds of a block of the run."""
        return self.start + block * self.seconds_per_block


@dataclass(frozen=True, slots=True)
class BlockSpace:
    """What blocks hold and what it costs to get in.

    ``gas_limit`` is the declared gas for agents' transactions in a block. ``background_bid_gwei``
    is the bid of everyone outside the scenario as steps [seconds, gwei]: a transaction that bids
    less than the prevailing step waits, and expires after ``expiry_blocks``.
    """

    gas_limit: Annotated[int, Range(1, 10**12)] = 10_000_000
    expiry_blocks: Annotated[int, Range(1, 10_000_000)] = 25
    ordering: Annotated[
        str,
        Pattern(
            r"fee-auction|random|adversarial|[\w.]+:[\w.]+",
            "one of fee-auction, random, adversarial, or module:Class",
        ),
    ] = "fee-auction"
    fee_asset: Symbol = "ETH"
    background_bid_gwei: tuple[tuple[Seconds, Gwei], ...] = ()

    def background_bid_wei(self, seconds: int) -> int:
        """The prevailing background bid (wei of the fee asset per gas) at a time of the run."""
        bid = 0.0
        for since, gwei in self.background_bid_gwei:
            if since > seconds:
                break
            bid = gwei
        return gwei_wei(bid)


@dataclass(frozen=True, slots=True)
class Bid:
    """How a participant bids for block space.

    The bid is the larger of ``base_gwei`` and ``follow_bps`` of the background bid seen when it is
    made (0: does not follow the market), raised by ``escalation_bps`` for each block waited, at
    most ``max_gwei``.
    """

    base_gwei: Gwei = 10.0
    follow_bps: Annotated[int, Range(0, 1_000_000)] = 0
    escalation_bps: Annotated[int, Range(0, 1_000_000)] = 0
    max_gwei: Gwei = 1000.0

    def wei(self, background_wei: int, blocks_waited: int) -> int:
        """The bid in wei of the fee asset per gas, in integers throughout."""
        start = max(gwei_wei(self.base_gwei), background_wei * self.follow_bps // BPS)
        raised = start + start * self.escalation_bps * blocks_waited // BPS
        return min(raised, gwei_wei(self.max_gwei))


@dataclass(frozen=True, slots=True)
class Outages:
    """When a participant does nothing.

    In the stated ``windows`` [start, end) of seconds; and, beginning in any block with a chance of
    ``chance_bps``, for ``duration_blocks``.
    """

    windows: tuple[Window, ...] = ()
    chance_bps: Bps = 0
    duration_blocks: Annotated[int, Range(1, 1_000_000)] = 1

    def scheduled(self, seconds: int) -> bool:
        """Whether a stated window covers this time of the run."""
        return any(start <= seconds < end for start, end in self.windows)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When participants of one kind leave the market because it falls, and for how long.

    Once the outside price of ``asset`` is ``fall_bps`` below its highest of the last ``window_s``
    seconds (0: never), each of them leaves with a chance of ``chance_bps``, for ``absence_s``
    seconds. With a chance of ``common_bps`` one draw decides for all of them, else each has its
    own: at 10,000 they all leave or all stay. It is drawn once a fall: again only after the
    absence has passed.
    """

    asset: str = ""
    fall_bps: Bps = 0
    window_s: Annotated[int, Range(1, 10**9)] = 3600
    chance_bps: Bps = BPS
    common_bps: Bps = 0
    absence_s: Annotated[int, Range(1, 10**9)] = 3600


# --- prices ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shock:
    """A multiplication of the price by ``factor`` from a time on.

    Spread log-linearly over ``ramp_s`` seconds (0: in one block). It stays in force.
    """

    at_s: Seconds
    factor: Annotated[float, Range(1e-6, 1e6)]
    ramp_s: Seconds = 0


class PriceProcess(Family):
    """How an asset's fundamental price moves (``[asset.price] process = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "process"


@dataclass(frozen=True, slots=True)
class ConstantPrice(PriceProcess):
    """The start price throughout, but for the shocks."""

    kind_name: ClassVar[str] = "constant"
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class SchedulePrice(PriceProcess):
    """Points [seconds, value]: prices in USD, or factors on the start price.

    Between points the value stays (``step``) or moves log-linearly; before the first point the
    start price is in force (log-linear: the path runs from it), after the last the last value.
    """

    kind_name: ClassVar[str] = "schedule"
    points: tuple[tuple[Seconds, Annotated[float, Range(1e-8, 1e12)]], ...]
    values: Literal["price", "factor"] = "price"
    interpolation: Literal["step", "log-linear"] = "step"
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class JumpDiffusionPrice(PriceProcess):
    """Merton's jump-diffusion: d log P = (mu - sigma^2/2) dt + sigma dW + jumps.

    ``mu`` and ``sigma`` per year of 365 days; jumps arrive as a Poisson process of
    ``jumps_per_year`` with log sizes normal(``jump_mean``, ``jump_sd``), uncompensated (``mu`` is
    the drift apart from jumps). Correlations between assets are stated in ``[[correlation]]``.
    """

    kind_name: ClassVar[str] = "jump-diffusion"
    sigma: Annotated[float, Range(0, 50)]
    mu: Annotated[float, Range(-100, 100)] = 0.0
    jumps_per_year: Annotated[float, Range(0, 1e6)] = 0.0
    jump_mean: Annotated[float, Range(-10, 10)] = 0.0
    jump_sd: Annotated[float, Range(0, 10)] = 0.0
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class ReplayPrice(PriceProcess):
    """A historical series: the price at each time stamp (epoch seconds).

    A block takes the last price at or before its own time (``last``), or the log-linear
    interpolation between the prices on both sides. After the last stamp the last price holds.
    ``file`` names a CSV (relative to the scenario file) instead of ``points``; loading replaces
    it by its points. ``max_gap_s`` declares the widest spacing that is not a gap (0: unchecked).
    ``scale`` multiplies every price.
    """

    kind_name: ClassVar[str] = "replay"
    points: tuple[tuple[Annotated[int, Instant()], Annotated[float, Range(1e-8, 1e12)]], ...] = ()
    file: str = ""
    interpolation: Literal["last", "log-linear"] = "last"
    max_gap_s: Seconds = 0
    scale: Annotated[float, Range(1e-6, 1e6)] = 1.0
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """Correlation of the diffusions of jump-diffusion assets.

    Either ``matrix`` (symmetric, ones on the diagonal, positive semi-definite) or ``loadings`` on
    one common factor (correlation of i and j: the product of their loadings). With
    ``jumps = "common"`` the assets jump in the same blocks, at the first asset's intensity, with
    sizes correlated in the same way; otherwise jumps are independent.

    ``tail_degrees`` joins the diffusions by a Student copula of so many degrees of freedom (even;
    the fewer, the more often all assets have their worst blocks together); 0 is a Gaussian one.
    """

    assets: tuple[Symbol, ...]
    matrix: tuple[tuple[Annotated[float, Range(-1, 1)], ...], ...] = ()
    loadings: tuple[Annotated[float, Range(-1, 1)], ...] = ()
    jumps: Literal["independent", "common"] = "independent"
    tail_degrees: Annotated[int, Range(0, 200)] = 0

    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The correlation matrix, whichever way it was given."""
        if self.matrix:
            return self.matrix
        return tuple(
            tuple(1.0 if i == j else a * b for j, b in enumerate(self.loadings))
            for i, a in enumerate(self.loadings)
        )


@dataclass(frozen=True, slots=True)
class ExternalMarket:
    """The market outside: depth, recovery and inventory of the external-market contract.

    ``depth_2pct_usd`` is what can be sold (at the start price) before the price is 2% lower;
    ``half_life_s`` the time in which half of the displacement is gone (0: none is ever gone);
    ``inventory_*`` what the contract holds, as multiples of the depth reserve (see
    :attr:`depth_base`).
    """

    depth_2pct_usd: Annotated[float, Range(0, 1e15, above=True)]
    half_life_s: Seconds = 3600
    fee_pips: Pips = 1000
    inventory_base_multiple: Annotated[float, Range(0, 1e6)] = 10.0
    inventory_usd_multiple: Annotated[float, Range(0, 1e6)] = 10.0

    def depth_base(self, start_price: int, decimals: int) -> int:
        """The virtual base reserve D in base units, from the 2% depth at an 8-decimal price.

        On P D^2/(D+q)^2 = 0.98 P: q = D (0.98^-1/2 - 1), so D = depth / (price x 0.0101525...),
        computed in decimals and rounded down.
        """
        share = 1 / Decimal("0.98").sqrt() - 1
        tokens = Decimal(repr(self.depth_2pct_usd)) * PRICE_UNIT / start_price / share
        return int(tokens.scaleb(decimals))


# --- feeds ----------------------------------------------------------------------------------


class Feed(Family):
    """Where markets read an asset's price (``[asset.feed] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFeed(Feed):
    """A feed with what the market that reads it checks: it refuses answers older than
    ``max_age_s`` (0: unchecked), and answers at or beyond the bounds."""

    max_age_s: Seconds = 0
    min_answer_usd: Usd = 0.0
    max_answer_usd: Annotated[float, Range(0, 1e18, above=True)] = 1e9


@dataclass(frozen=True, slots=True)
class PushFeed(CheckedFeed):
    """A keeper reports the external price after a stated time or move.

    It reports when ``heartbeat_s`` has passed since the last report or the price has moved by
    ``deviation_bps`` from it, ``latency_blocks`` after it saw that.
    ``latency_steps`` [seconds, blocks] overrides the latency from those times on.
    """

    kind_name: ClassVar[str] = "push"
    heartbeat_s: Annotated[int, Range(1, 10**10)] = 3600
    deviation_bps: Annotated[int, Range(0, BPS)] = 50
    latency_blocks: Blocks = 0
    latency_steps: tuple[tuple[Seconds, Blocks], ...] = ()
    outages: Outages = Outages()
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    def latency(self, seconds: int) -> int:
        """Blocks between seeing and reporting, at a time of the run."""
        blocks = self.latency_blocks
        for since, step in self.latency_steps:
            if since > seconds:
                break
            blocks = step
        return blocks


@dataclass(frozen=True, slots=True)
class PoolSpotFeed(CheckedFeed):
    """The spot price of a pool times the feed of its quote asset."""

    kind_name: ClassVar[str] = "pool-spot"
    pool: Name
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS


@dataclass(frozen=True, slots=True)
class PoolTwapFeed(CheckedFeed):
    """A pool's price averaged over ``window_s`` seconds or a little more, times the feed of its
    quote asset.

    A keeper has the pool's sum of price x seconds written down ``granularity`` times a window, at
    the top of a block; it does nothing in its ``outages``, and an average that nobody has written
    down for two windows is refused.
    """

    kind_name: ClassVar[str] = "pool-twap"
    pool: Name
    window_s: Annotated[int, Range(1, 10**7)] = 1800
    granularity: Annotated[int, Range(1, 100)] = 6
    outages: Outages = Outages()
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    @property
    def spacing_s(self) -> int:
        """Seconds that must lie between two observations, rounded up as the contract does."""
        return -(-self.window_s // self.granularity)


Sources = Annotated[tuple[tuple[str, Feed], ...], TableOf(), Key("source")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFeed(CheckedFeed):
    """A feed computed from others, which it names: its own ``[asset.feed.source.NAME]``, each a
    feed with a kind, or another asset's symbol for that asset's feed."""

    within: Sources = ()


@dataclass(frozen=True, slots=True)
class MedianFeed(DerivedFeed):
    """The middle of the answers of its sources (by default all of its own).

    A source older than ``source_max_age_s`` (0: unchecked) does not count; below ``quorum``
    sources that count, the feed refuses.
    """

    kind_name: ClassVar[str] = "median"
    sources: tuple[Name, ...] = ()
    quorum: Annotated[int, Range(1, 100)] = 1
    source_max_age_s: Seconds = 0
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS

    @property
    def read(self) -> tuple[str, ...]:
        """The names of its sources."""
        return self.sources or tuple(name for name, _ in self.within)


@dataclass(frozen=True, slots=True)
class BoundedFeed(DerivedFeed):
    """``primary``, held within ``max_deviation_bps`` of ``anchor``: beyond, it answers with the
    bound, or refuses (``clamps = false``). Its time is that of the older of the two."""

    kind_name: ClassVar[str] = "bounded"
    primary: Name
    anchor: Name
    max_deviation_bps: Annotated[int, Range(0, BPS - 1)] = 500
    clamps: bool = True


@dataclass(frozen=True, slots=True)
class CappedFeed(DerivedFeed):
    """The source ``of``, at most a reference that grows in a straight line.

    ``reference_usd`` is by default the asset's start price, as of ``reference_age_s`` before the
    start of the run; ``growth_per_year`` is a share of it for each year of 365 days.
    """

    kind_name: ClassVar[str] = "capped-growth"
    of: Name
    growth_per_year: Rate
    reference_usd: PriceUsd | None = None
    reference_age_s: Annotated[int, Range(1, 10**9)] = 7 * 86_400


@dataclass(frozen=True, slots=True)
class StuckFeed(DerivedFeed):
    """The push source ``of``, which cannot go below ``minimum_usd`` and goes on being updated
    there; from ``stale_from_s`` seconds of the run on it hears of no more rounds (None: always)."""

    kind_name: ClassVar[str] = "stuck"
    of: Name
    minimum_usd: Usd = 0.0
    stale_from_s: Seconds | None = None


@dataclass(frozen=True, slots=True)
class ProductFeed(DerivedFeed):
    """One source's answer times another's: a rate and the price of what it is a rate of."""

    kind_name: ClassVar[str] = "product"
    first: Name
    second: Name
    decimals: Annotated[int, Range(0, 18)] = PRICE_DECIMALS


@dataclass(frozen=True, slots=True)
class Asset:
    """A token with its price, outside market and feed.

    ``start_price_usd`` may be left out where the process gives it (a replay).
    """

    symbol: Symbol
    price: PriceProcess
    decimals: Annotated[int, Range(0, 24)] = 18
    start_price_usd: PriceUsd | None = None
    external: ExternalMarket | None = None
    feed: Feed | None = None


# --- venues ---------------------------------------------------------------------------------


class Venue(Family):
    """A contract system that trades, lends or margins (``[[venue]] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"
    name: str


@dataclass(frozen=True, slots=True)
class Pool(Venue):
    """A constant-product pool.

    Seeded with ``base_reserve`` tokens and their worth at the start prices in ``quote``.
    """

    kind_name: ClassVar[str] = "pool"
    name: Name
    base: Symbol
    quote: Symbol
    base_reserve: Annotated[float, Range(0, 1e15, above=True)]
    fee_pips: Pips = 3000


@dataclass(frozen=True, slots=True)
class LendingAsset:
    """An asset listed in a pooled lending market.

    ``source`` names a source within the asset's feed for this market to read in the feed's place,
    so that a feed can fail for one market and not for another.

    Caps in tokens; None: no cap. ``supplied`` are tokens of passive suppliers. Rates are fractions
    per year, ``kink`` a utilisation.
    """

    symbol: Symbol
    ltv_bps: Bps = 0
    liquidation_threshold_bps: Bps = 0
    liquidation_bonus_bps: Bps = 0
    protocol_share_bps: Bps = 0
    reserve_factor_bps: Bps = 0
    supply_cap: Amount | None = None
    borrow_cap: Amount | None = None
    base_rate: Rate = 0.0
    slope1: Rate = 0.04
    slope2: Rate = 0.75
    kink: Annotated[float, Range(0, 1, above=True)] = 0.8
    supplied: Amount = 0.0
    source: str = ""

    @property
    def feed_name(self) -> str:
        """The feed that is read: the asset's by its symbol, or ``SYMBOL.SOURCE``."""
        return f"{self.symbol}.{self.source}" if self.source else self.symbol


class Lending(Venue):
    """A market that lends: what it lists, and from when on an account is liquidatable."""

    __slots__ = ()

    @property
    def assets(self) -> tuple[LendingAsset, ...]:
        """Its assets and their terms."""
        raise NotImplementedError

    @property
    def min_leftover_usd(self) -> float:
        """What a liquidation must leave of debt and collateral unless it clears one; 0: nothing."""
        return 0.0

    def asset(self, symbol: str) -> LendingAsset:
        """The listing of a symbol. Raises KeyError if it is not listed."""
        for listed in self.assets:
            if listed.symbol == symbol:
                return listed
        raise KeyError(symbol)


@dataclass(frozen=True, slots=True)
class PooledLending(Lending):
    """A pooled lending market under Aave v3.3's rules.

    0 switches off ``full_close_health_factor``, ``full_close_below_usd`` or ``min_leftover_usd``.
    These, the close factor and the listed bonus are rules of the ``fixed-bonus`` liquidation; every
    other design has its own.
    """

    kind_name: ClassVar[str] = "pooled-lending"
    name: Name
    assets: Annotated[tuple[LendingAsset, ...], Key("asset")]
    close_factor_bps: Annotated[int, Range(1, BPS)] = 5000
    full_close_health_factor: Annotated[float, Range(0, 1)] = 0.95
    full_close_below_usd: Usd = 2000.0
    min_leftover_usd: Usd = 1000.0
    flash_loan_fee_pips: Pips = 0
    liquidation: LiquidationDesign = FIXED_BONUS


@dataclass(frozen=True, slots=True)
class IsolatedLending(Lending):
    """An isolated market as Morpho Blue's: one collateral, one debt, nobody in charge.

    Debt above ``lltv_bps`` of the collateral's value may be liquidated in full, at the incentive
    factor min(1.15, 1 / (1 - 0.3 (1 - LLTV))); what no collateral is left for is taken off all
    suppliers at once. ``supplied`` are debt tokens of passive suppliers; ``fee_bps`` is the share
    of interest that goes to the fee recipient.
    """

    kind_name: ClassVar[str] = "isolated-lending"
    name: Name
    collateral: Symbol
    debt: Symbol
    lltv_bps: Annotated[int, Range(1, BPS - 1)]
    supplied: Amount = 0.0
    fee_bps: Annotated[int, Range(0, 2500)] = 0
    base_rate: Rate = 0.0
    slope1: Rate = 0.04
    slope2: Rate = 0.75
    kink: Annotated[float, Range(0, 1, above=True)] = 0.8

    @property
    def assets(self) -> tuple[LendingAsset, ...]:
        """The collateral at the LLTV with the bonus rounded up to a basis point, then the debt."""
        discount = Decimal("0.3") * (BPS - self.lltv_bps) / BPS
        bonus = min(Decimal("0.15"), 1 / (1 - discount) - 1) * BPS
        collateral = LendingAsset(
            symbol=self.collateral,
            ltv_bps=self.lltv_bps,
            liquidation_threshold_bps=self.lltv_bps,
            liquidation_bonus_bps=int(bonus.to_integral_value(ROUND_CEILING)),
        )
        debt = LendingAsset(
            symbol=self.debt,
            reserve_factor_bps=self.fee_bps,
            base_rate=self.base_rate,
            slope1=self.slope1,
            slope2=self.slope2,
            kink=self.kink,
            supplied=self.supplied,
        )
        return collateral, debt


# --- populations ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Response:
    """What borrowers do when their health factor falls below ``call_health_factor``.

    Each borrower is once and for all one who tops up (``top_up_bps`` of them), deleverages
    (``deleverage_bps``), moves collateral from the holder's positions in other venues
    (``move_bps``) or does nothing (the rest), waits between the two ``latency_blocks``
    (inclusive) and then aims at ``target_health_factor``. Who tops up has cash worth ``cash_bps``
    of the debt at the start, in the collateral or the debt asset (``cash_in``).
    """

    top_up_bps: Bps = 0
    deleverage_bps: Bps = 0
    call_health_factor: Annotated[float, Range(1, 100)] = 1.05
    target_health_factor: Annotated[float, Range(1, 100)] = 1.25
    latency_blocks: tuple[Blocks, Blocks] = (1, 1)
    cash_bps: Annotated[int, Range(0, 100 * BPS)] = 0
    cash_in: Literal["collateral", "debt"] = "collateral"
    fee_deposit: Amount = 0.1
    """Tokens of the fee asset each borrower has for fees."""
    bid: Bid = Bid()
    move_bps: Bps = 0


@dataclass(frozen=True, slots=True)
class HealthDistribution:
    """Health factors at the start: the excess over ``origin`` is lognormal.

    With this median and log standard deviation, truncated to [``min``, ``max``]. ``scale`` then
    multiplies the health factors; none is set below the lowest that can be opened, which is
    threshold / LTV.
    """

    excess_median: Annotated[float, Range(0, 1000, above=True)]
    excess_sigma: Annotated[float, Range(0, 10, above=True)]
    origin: Annotated[float, Range(0, 1000)] = 1.0
    min: Annotated[float, Range(1, 1000)] = 1.04
    max: Annotated[float, Range(1, 1e6)] = 100.0
    scale: Annotated[float, Range(0.01, 100)] = 1.0


@dataclass(frozen=True, slots=True)
class SizeDistribution:
    """Debt sizes at the start: lognormal, with a given sum.

    With this log standard deviation, scaled so that they add up to ``total_debt_usd`` and none is
    below ``min_debt_usd``.

    ``correlation`` is that of a Gaussian copula between size and health factor. ``sampling``:
    ``random`` draws every account; ``stratified`` takes the quantiles (i + 1/2)/count of size and
    of health factor, so that both distributions are the same for every seed and only the matching
    between them is drawn.
    """

    total_debt_usd: Annotated[float, Range(0, 1e15, above=True)]
    sigma: Annotated[float, Range(0, 10)]
    min_debt_usd: Usd = 0.0
    correlation: Annotated[float, Range(-1, 1)] = 0.0
    sampling: Literal["random", "stratified"] = "random"


class Population(Family):
    """Accounts that hold positions (``[[population]] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"
    name: str
    venue: str


@dataclass(frozen=True, slots=True)
class Borrowers(Population):
    """Borrowers of one debt against one collateral.

    Drawn from a joint distribution of health factor and size. With ``holders`` the accounts are
    those of another population, number by number: the same holders in another venue.
    """

    kind_name: ClassVar[str] = "borrowers"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 1_000_000)]
    collateral: Symbol
    debt: Symbol
    health: HealthDistribution
    size: SizeDistribution
    response: Response = Response()
    holders: str = ""


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One account's position: tokens supplied and borrowed, by symbol."""

    supplied: Amounts = ()
    borrowed: Amounts = ()
    account: str = ""


@dataclass(frozen=True, slots=True)
class PositionTable:
    """A file of positions, and which of its columns say what.

    ``file`` is a CSV or JSON file, perhaps gzipped, relative to the scenario file. ``account`` is
    the column that names the account; ``supplied`` and ``borrowed`` give the column of amounts for
    each symbol, ``"-column"`` to subtract it. Amounts are in whole tokens, those of columns named
    in ``decimals`` in base units of so many decimals; an empty cell is 0. With neither
    ``supplied`` nor ``borrowed`` the file has the columns collateral_asset, collateral_amount,
    debt_asset and debt_amount. ``records`` leads to the list of a JSON document (keys joined by
    dots, as are the columns of objects within its rows).

    ``time`` makes the file a log of events, whose amounts may be negative: the column of times or
    of block numbers, which :attr:`Positions.until` refers to.
    """

    file: str
    account: str = "account"
    supplied: Columns = ()
    borrowed: Columns = ()
    decimals: Places = ()
    records: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Positions(Population):
    """Positions one by one.

    In the file (``[[population.position]]``), or from files (``[[population.table]]``, or ``file``
    for one table with the columns account, collateral_asset, collateral_amount, debt_asset and
    debt_amount), which loading replaces by their rows. An account's rows add up, over all tables.

    ``until`` is the last time (or block number) of events that count. ``negative`` says what
    becomes of an account's sum below 0, as logs without interest give it: ``refuse``, or ``zero``
    to take it as 0. ``unhealthy`` says what becomes of positions whose debt is above collateral x
    threshold at the start prices, which no market would open: ``refuse``, or ``drop`` to leave them
    out. Whatever is changed or left out is counted in a warning; ``notes`` are those of loading.
    """

    kind_name: ClassVar[str] = "positions"
    name: Name
    venue: Name
    positions: Annotated[tuple[PositionRow, ...], Key("position")] = ()
    file: str = ""
    tables: Annotated[tuple[PositionTable, ...], Key("table")] = ()
    until: Annotated[int, Instant(), Range(0, 10**11)] | None = None
    negative: Literal["refuse", "zero"] = "refuse"
    unhealthy: Literal["refuse", "drop"] = "refuse"
    notes: tuple[str, ...] = ()
    response: Response = Response()
    holders: str = ""


# --- agents ---------------------------------------------------------------------------------


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


# --- the whole ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run depends on besides the seed and the engine.

    ``expect`` says what must happen for a run to count: ``liquidations``, or ``quiet`` where
    nothing moving is the point. ``warnings`` (not part of the file) name what is allowed but
    unwise, such as a threshold x (1 + bonus) of 1 or more; ``origin`` is what names the scenario
    on the command line, where it came from there.
    """

    name: Name
    clock: Clock
    assets: Annotated[tuple[Asset, ...], Key("asset")]
    schema: Literal[1] = 1
    title: str = ""
    description: str = ""
    expect: Literal["liquidations", "quiet"] = "liquidations"
    sources: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    block_space: BlockSpace = BlockSpace()
    correlations: Annotated[tuple[Correlation, ...], Key("correlation")] = ()
    venues: Annotated[tuple[Venue, ...], Key("venue")] = ()
    populations: Annotated[tuple[Population, ...], Key("population")] = ()
    agents: Annotated[tuple[Agent, ...], Key("agent")] = ()
    audit: Audit = field(default_factory=Audit)
    warnings: tuple[str, ...] = field(default=(), compare=False, metadata={"in_file": False})
    origin: str = field(default="", compare=False, metadata={"in_file": False})

    def asset(self, symbol: str) -> Asset:
        """The asset with this symbol. Raises KeyError."""
        for asset in self.assets:
            if asset.symbol == symbol:
                return asset
        raise KeyError(symbol)

    def venue(self, name: str) -> Venue:
        """The venue of this name. Raises KeyError."""
        for venue in self.venues:
            if venue.name == name:
                return venue
        raise KeyError(name)

    def venue_as(self, cls: type[V], name: str) -> V:
        """The venue of this class and name. Raises KeyError."""
        found = self.venue(name)
        if not isinstance(found, cls):
            raise KeyError(name)
        return found

    def venues_of(self, cls: type[V]) -> tuple[V, ...]:
        """The venues of one class, in the file's order."""
        return tuple(venue for venue in self.venues if isinstance(venue, cls))

    def agents_of(self, cls: type[A]) -> tuple[A, ...]:
        """The agents of one class, in the file's order."""
        return tuple(agent for agent in self.agents if isinstance(agent, cls))


V = TypeVar("V", bound=Venue)
A = TypeVar("A", bound=Agent)
