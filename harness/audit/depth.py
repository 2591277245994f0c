"""Depth from a table of quotes: which constant product stands for them, and how surely.

Selling q into a constant product with base reserve D at an average price lower by the impact i
gives i = q / (D + q), so each quote tells D = q (1 - i) / i. The median over quotes whose impact
lies between 0.5% and 30% is taken; the 10th and 90th percentile say how far one curve is from being
the whole truth: concentrated liquidity is deeper near the price than a constant product, and
thinner far from it.

Tables, by their columns:

- ``price_impact`` and ``amount`` (tokens sold) or ``amount_usd``, perhaps ``asset``: for each asset
- ``src``, ``dst``, ``in_amount``, ``out_amount`` in base units, perhaps ``price_impact``, as 1inch
  answers: tokens are told apart by ``audit.tokens``, or by their symbols. Without the impact it is
  taken against the best rate of the pair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ScenarioError
from harness.risk.tail import Estimate
from harness.scenario import ExternalMarket, Pool, Scenario, Venue
from harness.tabular import read_records

__all__ = ["DepthEstimate", "read_depth", "with_reserve"]

_LEAST, _MOST = 0.005, 0.30
_FEWEST = 3


@dataclass(frozen=True)
class DepthEstimate:
    """The base reserve, in tokens, of the constant product that quotes of an asset tell."""

    symbol: str
    reserve: Estimate
    quotes: int


def read_depth(scenario: Scenario, file: Path, only: str = "") -> tuple[DepthEstimate, ...]:
    """What a table says of the depth of the scenario's assets.

    only: the one asset the table is about, where it does not say

    Raises ScenarioError for a table that cannot be read, names its columns otherwise, holds
    malformed numbers, or has too few quotes of an asset.
    """
    records = read_records(file)
    columns = set(records[0][1])
    if {"src", "dst", "in_amount", "out_amount"} <= columns:
        quotes = _swaps(scenario, file, records, only)
    elif "price_impact" in columns and columns & {"amount", "amount_usd"}:
        quotes = _impacts(scenario, file, records, only)
    else:
        allowed = "price_impact with amount or amount_usd, or src, dst, in_amount and out_amount"
        raise ScenarioError(f"{file}: columns", ", ".join(sorted(columns)), allowed)
    found = [_estimate(file, symbol, pairs) for symbol, pairs in sorted(quotes.items())]
    if not found:
        allowed = f"quotes of {only or 'an asset of the scenario'} (audit.tokens names addresses)"
        raise ScenarioError("--depth", str(file), allowed)
    return tuple(found)


def _estimate(file: Path, symbol: str, quotes: Sequence[tuple[float, float]]) -> DepthEstimate:
    told = sorted(q * (1 - i) / i for q, i in quotes if _LEAST <= i <= _MOST)
    if len(told) < _FEWEST:
        allowed = f"at least {_FEWEST} quotes with an impact between 0.5% and 30%"
        raise ScenarioError(f"{file}: {symbol}", f"{len(told)} of {len(quotes)}", allowed)

    def at(share: float) -> float:
        return told[min(len(told) - 1, int(share * len(told)))]

    return DepthEstimate(symbol, Estimate(at(0.5), at(0.1), at(0.9)), len(told))


def _number(cells: Mapping[str, Any], column: str, where: str) -> float:
    text = str(cells[column]).strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ScenarioError(f"{where}: {column}", text[:80], "a number of 0 or more")
    return value


def _impacts(
    scenario: Scenario, file: Path, records: Sequence[tuple[int, Mapping[str, Any]]], only: str
) -> dict[str, list[tuple[float, float]]]:
    symbols = [asset.symbol for asset in scenario.assets if not asset.is_share]
    quotes: dict[str, list[tuple[float, float]]] = {}
    for line, cells in records:
        where = f"{file}:{line}"
        symbol = only or str(cells.get("asset", "")).strip()
        if symbol not in symbols:
            allowed = f"one of {', '.join(symbols)}, or --depth ASSET=FILE.csv"
            raise ScenarioError(f"{where}: asset", symbol, allowed)
        impact = _number(cells, "price_impact", where)
        if impact > 1:
            raise ScenarioError(f"{where}: price_impact", impact, "a share, 1 = 100%")
        if "amount" in cells:
            amount = _number(cells, "amount", where)
        else:
            price = scenario.asset(symbol).start_price_usd
            if price is None:
                allowed = f"amount, in tokens: {symbol} has no start_price_usd"
                raise ScenarioError(f"{where}: amount_usd", cells["amount_usd"], allowed)
            amount = _number(cells, "amount_usd", where) / price
        quotes.setdefault(symbol, []).append((amount, impact))
    return quotes


def _swaps(
    scenario: Scenario, file: Path, records: Sequence[tuple[int, Mapping[str, Any]]], only: str
) -> dict[str, list[tuple[float, float]]]:
    """Quotes of collateral sold for another asset of the scenario."""
    named = {address.lower(): symbol for symbol, address in scenario.audit.tokens}
    known = {asset.symbol: asset for asset in scenario.assets if not asset.is_share}
    named |= {symbol.lower(): symbol for symbol in known}
    pairs: dict[tuple[str, str], list[tuple[float, float, float | None]]] = {}
    for line, cells in records:
        src, dst = (named.get(str(cells[key]).strip().lower(), "") for key in ("src", "dst"))
        if src not in known or dst not in known or src == dst or (only and src != only):
            continue
        where = f"{file}:{line}"
        sold = _number(cells, "in_amount", where) / 10 ** known[src].decimals
        bought = _number(cells, "out_amount", where) / 10 ** known[dst].decimals
        told = _number(cells, "price_impact", where) if "price_impact" in cells else None
        if sold > 0:
            pairs.setdefault((src, dst), []).append((sold, bought / sold, told))
    quotes: dict[str, list[tuple[float, float]]] = {}
    for (src, _), rows in pairs.items():
        best = max(rate for _, rate, _ in rows)
        quotes.setdefault(src, []).extend(
            (sold, 1 - rate / best if told is None else told) for sold, rate, told in rows
        )
    return quotes


def with_reserve(scenario: Scenario, symbol: str, reserve: float) -> Scenario:
    """The scenario in which pools and outside market of an asset together hold this base reserve.

    They keep the shares they had; an asset with neither gets an outside market.

    Raises ScenarioError if the start price is not known.
    """
    asset = scenario.asset(symbol)
    price = asset.start_price_usd
    if price is None:
        raise ScenarioError(f"asset.{symbol}.start_price_usd", None, "required with --depth")
    a_dollar = ExternalMarket(depth_2pct_usd=1.0)
    unit = a_dollar.depth_base(round(price * 10**8), asset.decimals) / 10**asset.decimals
    pooled = sum(pool.base_reserve for pool in scenario.venues_of(Pool) if pool.base == symbol)
    outside = 0.0 if asset.external is None else asset.external.depth_2pct_usd * unit
    if pooled + outside == 0:
        external, factor = replace(a_dollar, depth_2pct_usd=reserve / unit), 1.0
    else:
        factor = reserve / (pooled + outside)
        depth = outside * factor / unit
        external = (
            replace(a_dollar, depth_2pct_usd=depth)
            if asset.external is None
            else replace(asset.external, depth_2pct_usd=float(f"{depth:.6g}"))
        )

    def venue(each: Venue) -> Venue:
        if not isinstance(each, Pool) or each.base != symbol:
            return each
        return replace(each, base_reserve=float(f"{each.base_reserve * factor:.6g}"))

    has_market = outside > 0 or pooled == 0
    assets = tuple(
        replace(a, external=external if has_market else a.external) if a.symbol == symbol else a
        for a in scenario.assets
    )
    return replace(scenario, assets=assets, venues=tuple(venue(v) for v in scenario.venues))
