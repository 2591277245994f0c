"""Waves: which liquidations the market's own sales caused, and which sale each goes back to.

Judged on an account's balances just before its liquidation, against the twin, in which forced
trades moved nothing:

- wave 0, ``exogenous``: it was below 1 at the twin's price in force then, or in any block since
  it was last healthy;
- wave 1 + w, ``price``: otherwise the pivotal trade is the earliest forced trade whose cumulative
  effect on the feeds, applied to the twin's current prices, makes it liquidatable; w is that
  trade's wave, and the trade is the parent;
- ``repeat``: only its own earlier liquidation made it so; the wave is that one's;
- ``other``: no trade and no price explains it, as with interest.

A forced trade's share of a feed's effect: the effect is feed / twin's feed - 1. Each round adds
the price moves of the trades it has seen for the first time; whatever the round's effect is more
or less than their sum (arbitrage and recovery undo part of it) scales all shares alike, so that
the shares of all trades seen always add up to the effect the feed shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.protocols.pooled_lending import BPS, WAD
from harness.trace import LiquidationRow, Trace, TradeRow

Floats = NDArray[np.float64]
_HALF = (1 << 128) - 1


class FeedEffect:
    """What each forced trade contributes to one asset's feed, as far as the feed has seen it."""

    def __init__(self, asset: str, trades: Sequence[TradeRow]) -> None:
        self._moves = np.array([_own_move(asset, trade) for trade in trades])
        self._shares: Floats = np.zeros(len(trades))
        self._seen = 0

    def observe(self, seen: int, effect: float) -> None:
        """Takes in a round that has seen the first ``seen`` trades and shows ``effect``."""
        seen = max(seen, self._seen)
        if seen == 0:
            return
        self._shares[self._seen : seen] = self._moves[self._seen : seen]
        self._seen = seen
        total = float(self._shares[:seen].sum())
        if total * effect > 0:
            self._shares[:seen] *= effect / total
        else:
            # nothing seen explains the sign of what is left of the effect
            self._shares[:seen] = 0.0
            self._shares[seen - 1] = effect

    def cumulative(self) -> Floats:
        """The effect of the first k trades together, for k = 1 .. all; flat beyond those seen."""
        return np.cumsum(self._shares)


def _own_move(asset: str, trade: TradeRow) -> float:
    """Relative change of an asset's pool price by a trade."""
    if trade.spot_before == 0 or asset not in (trade.sold, trade.bought):
        return 0.0
    if asset == trade.sold:
        return trade.spot_after / trade.spot_before - 1.0
    return trade.spot_before / trade.spot_after - 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """A venue's assets in order: symbols, liquidation thresholds (bps), units per token; and the
    call level of each account (WAD)."""

    assets: tuple[str, ...]
    thresholds_bps: tuple[int, ...]
    units: tuple[int, ...]
    call_levels: tuple[int, ...]


def is_below(
    terms: Terms, position: Sequence[int], prices: Sequence[int], level: int = WAD
) -> bool:
    """Whether balances are below a health factor (WAD) at prices (WAD), as the market computes
    it: each claim rounded down and each debt up to a wei of USD WAD."""
    secured = owed = 0
    for word, price, threshold, unit in zip(
        position, prices, terms.thresholds_bps, terms.units, strict=True
    ):
        secured += (word >> 128) * price // unit * threshold
        owed += -(-(word & _HALF) * price // unit)
    return owed > 0 and secured * (WAD // BPS) // owed < level


@dataclass(frozen=True, slots=True)
class _Case:
    """When and by which prices an account was below a level: ``since`` is the first block after
    which it was, without a break; prices (WAD) and trades seen are those of its venue's feeds."""

    venue: str
    block: int
    since: int
    feed_trades: Sequence[int]
    prices: Sequence[int]
    level: int


class _Judge:
    """Classifies the liquidations of a run in their order."""

    def __init__(self, run: Trace, twin: Trace, terms: Mapping[str, Terms]) -> None:
        self._terms = terms
        self._trades = run.trades
        self._twin = [
            {symbol: point.price for symbol, point in block.feeds.items()} for block in twin.blocks
        ]
        self._run = [block.feeds for block in run.blocks]
        symbols = run.blocks[0].feeds
        self._effects = {symbol: FeedEffect(symbol, run.trades) for symbol in symbols}
        self._observed = 0
        self._trade_waves: dict[int, int] = {}
        #: wave and balances with which the current episode of an account began
        self._episodes: dict[tuple[str, int], LiquidationRow] = {}

    def liquidation(self, row: LiquidationRow) -> None:
        """Judges a liquidation; the sale that belongs to it has the same wave."""
        case = _Case(row.venue, row.block, row.unhealthy_since, row.feed_trades, row.prices, WAD)
        verdict = self._verdict(case, row.position)
        earlier = self._episodes.get((row.venue, row.account))
        if earlier is not None and earlier.block >= row.unhealthy_since:
            if self._verdict(case, earlier.position)[:2] != verdict[:2]:
                verdict = (earlier.wave, "repeat", earlier.parent)
        else:
            self._episodes[row.venue, row.account] = row
        row.wave, row.cause, row.parent = verdict
        if row.trade:
            self._trade_waves[row.trade] = row.wave

    def reduction(self, trade: TradeRow) -> None:
        """Judges the sale of a called account, at its call level instead of 1."""
        if trade.call is None:
            return
        terms = self._terms[trade.venue]
        level = terms.call_levels[trade.account]
        call = trade.call
        case = _Case(
            trade.venue, trade.block, call.called_since, call.feed_trades, call.prices, level
        )
        self._trade_waves[trade.id] = self._verdict(case, call.position)[0]

    def _catch_up(self, case: _Case) -> None:
        """Lets the feeds' effects run up to the rounds in force in a case."""
        while self._observed < case.block - 1:
            self._observed += 1
            for symbol, point in self._run[self._observed].items():
                self._observe(symbol, point.seen_trade, point.price, self._observed)
        terms = self._terms[case.venue]
        for symbol, seen, price in zip(terms.assets, case.feed_trades, case.prices, strict=True):
            self._observe(symbol, seen, price, case.block)

    def _observe(self, symbol: str, seen: int, price: int, block: int) -> None:
        undisturbed = self._twin[block].get(symbol, 0)
        if undisturbed:
            self._effects[symbol].observe(seen, price / undisturbed - 1.0)

    def _verdict(self, case: _Case, position: Sequence[int]) -> tuple[int, str, int]:
        self._catch_up(case)
        terms = self._terms[case.venue]
        for block in range(case.block, case.since - 1, -1):
            prices = [self._twin[block][symbol] for symbol in terms.assets]
            if is_below(terms, position, prices, case.level):
                return 0, "exogenous", 0
        pivotal = self._pivotal(case, terms, position)
        if not pivotal:
            return 0, "other", 0
        return 1 + self._trade_waves.get(pivotal, 0), "price", pivotal

    def _pivotal(self, case: _Case, terms: Terms, position: Sequence[int]) -> int:
        """Id of the earliest trade after which the twin's prices would be low enough; the last
        seen if rounding hides it; 0 if none has been seen."""
        seen = max(case.feed_trades, default=0)
        if seen == 0:
            return 0
        secured = np.zeros(seen)
        owed = np.zeros(seen)
        for symbol, word, threshold, unit in zip(
            terms.assets, position, terms.thresholds_bps, terms.units, strict=True
        ):
            if not word:
                continue
            price = self._twin[case.block][symbol] * (
                1.0 + self._effects[symbol].cumulative()[:seen]
            )
            secured += (word >> 128) / unit * price * (threshold / BPS)
            owed += (word & _HALF) / unit * price
        hits = np.flatnonzero(secured < owed * (case.level / WAD))
        return self._trades[int(hits[0]) if hits.size else seen - 1].id


def classify(run: Trace, twin: Trace, terms: Mapping[str, Terms]) -> None:
    """Sets wave, cause and parent of every liquidation of a run.

    terms: the assets of each lending venue, by its name
    """
    judge = _Judge(run, twin, terms)
    cases: list[LiquidationRow | TradeRow] = [*run.liquidations]
    cases += [trade for trade in run.trades if trade.call is not None]
    for case in sorted(cases, key=lambda entry: (entry.block, entry.place)):
        if isinstance(case, LiquidationRow):
            judge.liquidation(case)
        else:
            judge.reduction(case)
