"""Units of a scenario: bounded types of its fields, and exact conversions to integers.

Amounts are decimal numbers as written; :func:`base_units` and its neighbours turn them into
integers exactly.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from harness.scenario._decode import Pattern, Range, TableOf

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
