"""Venues that trade and lend: pools, pooled markets, isolated markets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, ClassVar, Protocol, TypeVar

from harness.scenario._decode import Family, Key, Range
from harness.scenario.liquidation import FIXED_BONUS, LiquidationDesign
from harness.scenario.units import BPS, Amount, Bps, Name, Pips, Rate, Symbol, Usd


class Listed(Protocol):
    """Whatever has a symbol."""

    @property
    def symbol(self) -> str:
        """The asset's."""
        ...


T = TypeVar("T", bound=Listed)


def by_symbol(listings: Iterable[T], symbol: str) -> T:
    """The listing of a symbol. Raises KeyError if there is none."""
    for listed in listings:
        if listed.symbol == symbol:
            return listed
    raise KeyError(symbol)


class Venue(Family):
    """A contract system that trades, lends or margins (``[[venue]] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"
    name: str

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts that the set-up has for it, which nobody else may have."""
        return ()


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

    def supplier(self, symbol: str) -> str:
        """Name of the account of an asset's passive suppliers."""
        return f"{self.name}-supplier-{symbol}"

    @property
    def accounts(self) -> tuple[str, ...]:
        """See `Venue.accounts`."""
        return tuple(self.supplier(listed.symbol) for listed in self.assets)

    @property
    def lent(self) -> tuple[str, ...]:
        """Symbols that can be supplied to be lent."""
        return tuple(listed.symbol for listed in self.assets)

    @property
    def min_leftover_usd(self) -> float:
        """What a liquidation must leave of debt and collateral unless it clears one; 0: nothing."""
        return 0.0

    def asset(self, symbol: str) -> LendingAsset:
        """The listing of a symbol. Raises KeyError if it is not listed."""
        return by_symbol(self.assets, symbol)


@dataclass(frozen=True, slots=True)
class PooledLending(Lending):
    """A pooled lending market under Aave v3.3's rules.

    0 switches off ``full_close_health_factor``, ``full_close_below_usd`` or ``min_leftover_usd``.
    These, the close factor and the listed bonus are rules of the ``fixed-bonus`` liquidation; every
    other design has its own.
    """

    kind_name: ClassVar[str] = "pooled-lending"
    name: Name
    # without `field` the property of that name would be the default
    assets: Annotated[tuple[LendingAsset, ...], Key("asset")] = field()
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
    def fee_recipient(self) -> str:
        """Name of the account that is paid the fee."""
        return f"{self.name}-fee-recipient"

    @property
    def accounts(self) -> tuple[str, ...]:
        """See `Venue.accounts`."""
        return self.supplier(self.debt), self.fee_recipient

    @property
    def lent(self) -> tuple[str, ...]:
        """The debt."""
        return (self.debt,)

    @property
    def bonus(self) -> Decimal:
        """What liquidators get beyond what they repay, as a share of it."""
        discount = Decimal("0.3") * (BPS - self.lltv_bps) / BPS
        return min(Decimal("0.15"), 1 / (1 - discount) - 1)

    @property
    def assets(self) -> tuple[LendingAsset, ...]:
        """The collateral at the LLTV with the bonus rounded up to a basis point, then the debt."""
        bonus = self.bonus * BPS
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
