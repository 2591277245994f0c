"""Assets: a token with its price, outside market and feed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from harness.errors import ScenarioError
from harness.scenario._decode import Range
from harness.scenario.feeds import Feed
from harness.scenario.prices import PriceProcess, SharePrice
from harness.scenario.units import PRICE_UNIT, Pips, PriceUsd, Seconds, Symbol, base_units

CASH = "USD"
"""Symbol of the cash of outside markets, which is no asset of a scenario."""


@dataclass(frozen=True, slots=True)
class ExternalMarket:
    """The market outside: depth, recovery and inventory of the external-market contract.

    ``depth_2pct_usd`` is what can be sold (at the start price) before the price is 2% lower;
    ``half_life_s`` the time in which half of the displacement is gone (0: none is ever gone);
    ``inventory_*`` what the contract holds, as multiples of the depth reserve (see
    :meth:`depth_base`).
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

    @property
    def is_share(self) -> bool:
        """Whether it is the share of a vault, whose price is what the vault makes of it."""
        return isinstance(self.price, SharePrice)


def check_some(amount: float, asset: Asset, path: str) -> None:
    """Raises ScenarioError where an amount is less than a base unit."""
    if not base_units(amount, asset.decimals):
        raise ScenarioError(path, amount, f"at least a base unit of {asset.symbol}")
