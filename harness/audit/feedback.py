"""How many liquidations one causes, in closed form, for each collateral at the audit's crisis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness import portable
from harness.audit.bounds import depth_reserve_usd, move_at_level
from harness.population import Position, build_population
from harness.prices import build_paths
from harness.risk import closed_forms as forms
from harness.scenario import BPS, PRICE_UNIT, Lending, Scenario

__all__ = ["Feedback", "feedback"]


@dataclass(frozen=True)
class Feedback:
    """The branching ratio of liquidations against a collateral, n = 2kG/x.

    The premise is that of `harness.risk.closed_forms.branching_ratio`: all depth is one pool whose
    spot is the oracle, without fee or recovery, and liquidations are in full.

    k: threshold x (1 + bonus)
    density: G, tokens that can be liquidated for each unit of log price, over the crisis
    reserve: x, tokens of the pool's base reserve after it
    move: log fall of the crisis at the audit's level
    """

    market: str
    symbol: str
    k: float
    density: float
    reserve: float
    move: float

    @property
    def ratio(self) -> float:
        """Liquidations caused by one. Of the depth, the part at which it would be 1."""
        return forms.branching_ratio(self.k, self.density, self.reserve)


def feedback(scenario: Scenario, seed: int) -> tuple[Feedback, ...]:
    """That of every collateral of a market that somebody owes something against; none where
    no class of crises is a downturn, or nothing stands against sales."""
    move = move_at_level(scenario)
    if not move:
        return ()
    prices = {symbol: int(path[0]) for symbol, path in build_paths(scenario, seed).items()}
    units = {asset.symbol: 10**asset.decimals for asset in scenario.assets}
    usd = {symbol: price / PRICE_UNIT / units[symbol] for symbol, price in prices.items()}
    positions = build_population(scenario, seed, prices)
    found = []
    for market in scenario.venues_of(Lending):
        own = [position for position in positions if position.venue == market.name]
        for listing in market.assets:
            symbol, threshold = listing.symbol, listing.liquidation_threshold_bps / BPS
            due = sum(held for held, fall in _falls(market, own, symbol, usd) if fall <= move)
            reserve = depth_reserve_usd(scenario, symbol, prices) / usd[symbol] / units[symbol]
            if not threshold or not due or not reserve:
                continue
            # a constant product takes base in as its price falls
            after = reserve * float(portable.exp(np.array([move / 2]))[0])
            k = threshold * (1 + listing.liquidation_bonus_bps / BPS)
            density = due / units[symbol] / move
            found.append(Feedback(market.name, symbol, k, density, after, move))
    return tuple(found)


def _falls(
    market: Lending, positions: Sequence[Position], symbol: str, usd: Mapping[str, float]
) -> Iterator[tuple[int, float]]:
    """Of each account with this collateral and debt: base units held, and the log fall of its
    price alone at which it can be liquidated; ``usd`` of a base unit."""
    thresholds = {each.symbol: each.liquidation_threshold_bps / BPS for each in market.assets}
    for position in positions:
        worth = {s: units * usd[s] * thresholds[s] for s, units in position.supplied}
        owed = sum(units * usd[s] for s, units in position.borrowed)
        needed = owed - sum(value for s, value in worth.items() if s != symbol)
        if worth.get(symbol) and needed > 0:
            fall = float(portable.log(np.array([worth[symbol] / needed]))[0])
            yield dict(position.supplied)[symbol], fall
