"""How a pooled market liquidates: ``[venue.liquidation] kind = ...``.

The fixed bonus is the market's own and needs nothing; every other design is a contract that the
market takes as its module, deployed only where a scenario asks for it. Names in brackets are those
of the protocol a design is taken from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.scenario._decode import Family, Range

_Bps = Annotated[int, Range(0, 10_000)]
_Seconds = Annotated[int, Range(1, 10**9)]
_Usd = Annotated[float, Range(0, 1e18)]


class LiquidationDesign(Family):
    """Who may take what from an unhealthy account, and at which price."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"


@dataclass(frozen=True, slots=True)
class FixedBonus(LiquidationDesign):
    """Anyone repays debt and is paid its value in collateral, plus the listed bonus (Aave v3)."""

    kind_name: ClassVar[str] = "fixed-bonus"


FIXED_BONUS = FixedBonus()
"""What a market has that says nothing."""


@dataclass(frozen=True, slots=True)
class GrowingDiscount(LiquidationDesign):
    """Anyone repays debt and gets collateral at a discount of 1 - health factor (Euler v2).

    ``max_discount_bps`` caps it (2000 there). There is no close factor and no least leftover, and
    the listed bonus plays no part.
    """

    kind_name: ClassVar[str] = "discount"
    max_discount_bps: Annotated[int, Range(1, 9_999)] = 2000


class PriceCurve(Family):
    """How the price of a Dutch auction falls from its top (``curve = { kind = ... }``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"


@dataclass(frozen=True, slots=True)
class StepCurve(PriceCurve):
    """Every ``step_s`` seconds the price loses ``cut_bps`` [StairstepExponentialDecrease]."""

    kind_name: ClassVar[str] = "steps"
    step_s: _Seconds = 60
    cut_bps: Annotated[int, Range(0, 9_999)] = 100


@dataclass(frozen=True, slots=True)
class LinearCurve(PriceCurve):
    """In a straight line to nothing after ``duration_s`` seconds [LinearDecrease]."""

    kind_name: ClassVar[str] = "linear"
    duration_s: _Seconds = 21_600


@dataclass(frozen=True, slots=True)
class ExponentialCurve(PriceCurve):
    """Every second the same share is lost: a half in ``half_life_s`` [ExponentialDecrease]."""

    kind_name: ClassVar[str] = "exponential"
    half_life_s: _Seconds = 4_140


STEP_CURVE = StepCurve()
"""1% a minute, as Maker's ETH-B of 2021 had it."""


@dataclass(frozen=True, slots=True)
class DutchAuctions(LiquidationDesign):
    """Collateral is auctioned at a falling price; anybody buys any part at once (Maker 2.0).

    Defaults are Maker's ETH-B of 2021. A trigger takes an account to auction for its debt and
    ``penalty_bps`` of it on top [chop], as far as there is room: all auctions together may be
    raising ``limit_usd`` [Hole], those of one collateral ``limit_per_collateral_usd`` [hole];
    parts of debt below ``dust_usd`` are neither auctioned nor left. The price starts at ``buffer``
    times the market's [buf] and falls along ``curve``; after ``reset_after_s`` [tail], or below
    ``reset_below`` of the start [cusp], it must be reset. Who triggers or resets is paid
    ``flat_incentive_usd`` [tip] and ``incentive_bps`` of what is to be raised [chip].
    """

    kind_name: ClassVar[str] = "dutch-auction"
    curve: PriceCurve = STEP_CURVE
    buffer: Annotated[float, Range(0, 10, above=True)] = 1.2
    penalty_bps: Annotated[int, Range(0, 50_000)] = 1300
    reset_after_s: _Seconds = 5_400
    reset_below: Annotated[float, Range(0, 1)] = 0.4
    flat_incentive_usd: _Usd = 300.0
    incentive_bps: _Bps = 10
    limit_usd: _Usd = 100_000_000.0
    limit_per_collateral_usd: _Usd = 15_000_000.0
    dust_usd: _Usd = 5_000.0


@dataclass(frozen=True, slots=True)
class EnglishAuctions(LiquidationDesign):
    """Collateral is auctioned to the highest bidder (Maker in March 2020).

    Lots of at most ``largest_lot`` tokens [lump], each for its debt and ``penalty_bps`` on top
    [chop]. Every bid beats the last by ``bid_increase_bps`` [beg] and wins after
    ``bid_duration_s`` [ttl]; once the whole is bid, lots asked for it fall by as much. Bidding
    ends after ``auction_duration_s`` [tau]; an auction without a bid can then be restarted. There
    is no reserve price and no limit on what is in auction. Defaults are those of March 2020, but
    for the two days, which are the contract's own.
    """

    kind_name: ClassVar[str] = "english-auction"
    largest_lot: Annotated[float, Range(0, 1e18, above=True)] = 50.0
    penalty_bps: Annotated[int, Range(0, 50_000)] = 1300
    bid_increase_bps: _Bps = 300
    bid_duration_s: _Seconds = 600
    auction_duration_s: _Seconds = 172_800


@dataclass(frozen=True, slots=True)
class AbsorbAndSell(LiquidationDesign):
    """Accounts are absorbed whole, and their collateral is sold from reserves (Compound III).

    One asset is lent (``base``). An absorbed account's debt is gone at once; what
    ``liquidation_factor_bps`` of its collateral's value exceeds the debt by is credited to it.
    Collateral is for sale while reserves are below ``target_reserves`` tokens, at a discount of
    ``store_front_bps`` of the penalty 1 - liquidation factor. ``reserves`` are tokens of the base
    asset that the market's reserves hold at the start.
    """

    kind_name: ClassVar[str] = "absorption"
    base: str
    liquidation_factor_bps: Annotated[int, Range(1, 10_000)] = 9300
    store_front_bps: _Bps = 6000
    target_reserves: Annotated[float, Range(0, 1e18)] = 5_000_000.0
    reserves: Annotated[float, Range(0, 1e18)] = 0.0


@dataclass(frozen=True, slots=True)
class StabilityDeposits(LiquidationDesign):
    """Depositors put up the debt asset in advance (Liquity's stability pool).

    A liquidation burns deposits against the debt and gives them the ``collateral``; what they do
    not cover is spread over the other borrowers by their collateral. Who starts it is paid
    ``keeper_share_bps`` of the collateral. The first 1024 borrowers share in what is spread.
    """

    kind_name: ClassVar[str] = "stability-pool"
    collateral: str
    debt: str
    keeper_share_bps: _Bps = 50
