"""Waves: which liquidations the market's own sales caused, and which sale each goes back to.

Judged on an account's balances just before its liquidation, against the twin, in which forced
trades moved nothing:

- wave 0: it was below 1 at the twin's price in force then, or in any block since it was last
  healthy. The cause is ``exogenous``; or ``other`` if what it had when it fell below 1 would be
  below even at the prices at which it was last healthy, so that its balances changed and not the
  price, as with interest. What accrued while it waited for a liquidator does not count;
- wave 1 + w, ``price``: otherwise the pivotal trade is the earliest forced trade whose cumulative
  effect on the feeds, applied to the twin's current prices, makes it liquidatable; w is that
  trade's wave, and the trade is the parent;
- ``repeat``: it has been liquidated since it was last healthy, and the balances this left are
  liquidatable on account of an earlier trade, or of none, where those before it are on account of
  a later one or not at all: its own liquidation made it worse. The wave is that one's;
- ``other``, wave 0: neither a price of the twin nor a forced trade explains it.

A venue's prices are what it judges by: a lending market's feeds, an exchange's mark prices. Who
hedges what an exchange closed trades in the wave of the last liquidation it had seen.

A feed's effect is feed / twin's feed - 1. The trades that a round has seen share it in proportion
to what each did, those that pushed the other way having no part, so that the shares of all trades
seen always add up to the effect. What a trade did is, for the spot of a pool, its own move of that
pool's price; for the average of a pool, that move for the part of the window for which it has
stood; for a feed that follows the outside market, the amount it sold or bought, which arbitrage
carries outside and which fades there as the outside market recovers; for the price of a vault's
share, the debt written off in the vault's markets by the liquidation whose sale it was. Where
nothing seen explains the sign of the effect, the last trade seen has all of it: run and twin differ
by forced trades only.

A feed computed from others has its effect from the sources whose answers it gave, two of them in
proportion to their own; at a bound that no source gave it has none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.protocols.pooled_lending import BPS, WAD
from harness.trace import BlockRow, Givers, LiquidationRow, SaleRow, Trace, TradeRow

Floats = NDArray[np.float64]
_HALF = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """How forced trades reach an asset's feed.

    asset: the one that is priced
    spot_against: the other asset of the pool that the feed reads; empty for a feed that follows
        the outside market
    window_s: the time over which the pool's price is averaged, 0 for its spot
    half_life_s: the time in which half of an impact on the outside market is gone, 0 if none is
    markets: those to which the vault lends whose share is priced; empty for other feeds
    """

    asset: str = ""
    spot_against: str = ""
    window_s: int = 0
    half_life_s: int = 0
    markets: tuple[str, ...] = ()


class FeedEffect:
    """Divides the effect that forced trades have on one asset's feed among them."""

    def __init__(
        self,
        asset: str,
        terms: FeedTerms,
        trades: Sequence[TradeRow],
        times: Sequence[int],
        written_off: Mapping[int, float] | None = None,
        shares: Collection[str] = (),
    ) -> None:
        """``times``: seconds of each block by its number in the run; ``written_off``: USD of debt
        written off by the liquidations that trades belong to, by the number of the trade;
        ``shares``: of vaults, whose sales bring their asset from the vault or from a pool that
        no arbitrage ties to the outside market."""
        self._half_life = 0 if terms.spot_against else terms.half_life_s
        self._window = terms.window_s
        self._times = np.array([times[trade.block] for trade in trades], dtype=np.float64)
        if terms.spot_against:
            pair = {asset, terms.spot_against}
            moves = [
                _price_move(asset, trade)
                if {trade.sold, trade.bought} == pair and not trade.redeemed
                else 0.0
                for trade in trades
            ]
        elif terms.markets:
            lost = written_off or {}
            moves = [
                -lost.get(trade.id, 0.0) if trade.venue in terms.markets else 0.0
                for trade in trades
            ]
        else:
            moves = [0.0 if trade.sold in shares else _amount(asset, trade) for trade in trades]
        self._moves: Floats = np.array(moves, dtype=np.float64)

    def shares(self, seen: int, effect: float, now: float) -> Floats:
        """Each of the first ``seen`` trades' share of an effect; they add up to it. ``now``:
        seconds."""
        weights = np.maximum(self._moves[:seen] * (1.0 if effect > 0 else -1.0), 0.0)
        if self._window:
            weights *= np.minimum((now - self._times[:seen]) / self._window, 1.0)
        if self._half_life and seen:
            ages = self._times[seen - 1] - self._times[:seen]
            weights *= np.exp2(-ages / self._half_life)
        total = float(weights.sum())
        if total > 0:
            return weights * (effect / total)
        shares = np.zeros(seen)
        shares[seen - 1 :] = effect
        return shares


def _price_move(asset: str, trade: TradeRow) -> float:
    """Relative change of an asset's price in the pool by a trade that sells or buys it."""
    if asset == trade.sold:
        return trade.spot_after / trade.spot_before - 1.0
    return trade.spot_before / trade.spot_after - 1.0


def _amount(asset: str, trade: TradeRow) -> float:
    """What a trade bought of an asset, negative for what it sold; base units."""
    if asset == trade.sold:
        return -float(trade.amount_in)
    return float(trade.amount_out) if asset == trade.bought else 0.0


class VenueTerms(Protocol):
    """How a venue judges an account: by its prices of ``assets``, in their order."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets whose feeds it reads."""
        ...

    def in_force(self, changed: tuple[int, ...] | None) -> VenueTerms:
        """These terms with what a row says was in force; the listed ones for None."""
        ...

    def prices(self, block: BlockRow) -> Sequence[int]:
        """Its prices at the end of a block (WAD)."""
        ...

    def held(self, position: Sequence[int]) -> Sequence[bool]:
        """Of which assets the position depends."""
        ...

    def is_below(self, position: Sequence[int], prices: Sequence[int], level: int) -> bool:
        """Whether a position is below a level at prices, as the venue computes it."""
        ...

    def below(
        self, position: Sequence[int], prices: Sequence[Floats], level: int
    ) -> NDArray[np.bool_]:
        """The same for a series of prices of each asset, to about 15 digits."""
        ...

    def call_level(self, account: int, /) -> int:
        """The level below which this account is called."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """A lending venue's assets in order: symbols, listed liquidation thresholds (bps), units per
    token; and the call level of each account (WAD). Levels are health factors (WAD)."""

    assets: tuple[str, ...]
    thresholds_bps: tuple[int, ...]
    units: tuple[int, ...]
    call_levels: tuple[int, ...]

    def in_force(self, changed: tuple[int, ...] | None) -> Terms:
        """With these thresholds, the listed ones if none are given."""
        return self if changed is None else replace(self, thresholds_bps=changed)

    def prices(self, block: BlockRow) -> list[int]:
        """What the feeds said."""
        return [block.feeds[symbol].price for symbol in self.assets]

    def held(self, position: Sequence[int]) -> list[bool]:
        """Where there is a claim or a debt."""
        return [word != 0 for word in position]

    def is_below(self, position: Sequence[int], prices: Sequence[int], level: int) -> bool:
        """See `is_below`."""
        return is_below(self, position, prices, level)

    def below(
        self, position: Sequence[int], prices: Sequence[Floats], level: int
    ) -> NDArray[np.bool_]:
        """See `VenueTerms.below`."""
        secured, owed = np.zeros(len(prices[0])), np.zeros(len(prices[0]))
        for word, series, threshold, unit in zip(
            position, prices, self.thresholds_bps, self.units, strict=True
        ):
            secured += (word >> 128) / unit * series * (threshold / BPS)
            owed += (word & _HALF) / unit * series
        return np.asarray(secured < owed * (level / WAD))

    def call_level(self, account: int) -> int:
        """The health factor the account's holder watches."""
        return self.call_levels[account]


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
    which it was, without a break; prices (WAD) and trades seen are those of its venue's feeds, the
    thresholds in ``terms`` those in force."""

    terms: VenueTerms
    block: int
    since: int
    feed_trades: Sequence[Givers]
    prices: Sequence[int]
    level: int


#: Pivots that are not a trade's number: the twin's own price, and nothing that is known. A trade's
#: number, from 1, lies between; the smaller the pivot, the worse the balances.
_TWIN, _UNKNOWN = 0, 1 << 62


class _Judge:
    """Classifies the liquidations of a run in their order."""

    def __init__(
        self,
        run: Trace,
        twin: Trace,
        terms: Mapping[str, VenueTerms],
        feeds: Mapping[str, FeedTerms],
    ) -> None:
        self._terms = terms
        self._trades = run.trades
        self._liquidations = run.liquidations
        self._twin, self._run = twin.blocks, run.blocks
        #: forced trades by the transaction that made them
        self._made: dict[tuple[int, int], list[int]] = {}
        for trade in run.trades:
            self._made.setdefault((trade.block, trade.place), []).append(trade.id)
        self._times = [block.timestamp for block in run.blocks]
        lost = _written_off(run)
        shares = {feed.asset for feed in feeds.values() if feed.markets}
        self._effects = {
            name: FeedEffect(feed.asset, feed, run.trades, self._times, lost, shares)
            for name, feed in feeds.items()
        }
        self._trade_waves: dict[int, int] = {}
        #: the liquidation with which the current episode of an account began
        self._episodes: dict[tuple[str, int], LiquidationRow] = {}

    def liquidation(self, row: LiquidationRow) -> None:
        """Judges a liquidation; the sale that belongs to it has the same wave."""
        terms = self._terms[row.venue].in_force(row.thresholds_bps)
        case = _Case(terms, row.block, row.unhealthy_since, row.feed_trades, row.prices, WAD)
        pivot = self._pivot(case, row.position)
        first = self._episodes.get((row.venue, row.account))
        if first is None or first.block < row.unhealthy_since:
            self._episodes[row.venue, row.account] = first = row
        if first is not row and pivot < self._pivot(case, first.position):
            row.wave, row.cause, row.parent = first.wave, "repeat", first.parent
        elif pivot == _TWIN:
            row.wave, row.cause, row.parent = 0, self._outside_cause(case, first), 0
        elif pivot == _UNKNOWN:
            row.wave, row.cause, row.parent = 0, "other", 0
        else:
            row.wave, row.cause, row.parent = 1 + self._wave_of(pivot), "price", pivot
        if row.trade:
            self._trade_waves[row.trade] = row.wave
        if row.kind:  # an exchange sells each collateral on its own
            for trade in self._made.get((row.block, row.place), ()):
                self._trade_waves[trade] = row.wave

    def sale(self, sale: SaleRow) -> None:
        """What a module sells has the wave of the liquidation it pays for, or of the first of
        several that one trade sells for."""
        if sale.trade:
            wave = self._liquidations[sale.liquidation].wave
            self._trade_waves.setdefault(sale.trade, wave)

    def reduction(self, trade: TradeRow) -> None:
        """Judges the sale of a called account, at its call level instead of 1."""
        if trade.call is None:
            return
        call = trade.call
        terms = self._terms[trade.venue].in_force(call.thresholds_bps)
        level = terms.call_level(trade.account)
        case = _Case(terms, trade.block, call.called_since, call.feed_trades, call.prices, level)
        pivot = self._pivot(case, call.position)
        caused = pivot not in (_TWIN, _UNKNOWN)
        self._trade_waves[trade.id] = 1 + self._wave_of(pivot) if caused else 0

    def hedge(self, trade: TradeRow) -> None:
        """Judges a trade that follows a liquidation, as a hedge or the sale of kept collateral: it
        has that one's wave."""
        self._trade_waves[trade.id] = self._liquidations[trade.after - 1].wave

    def _wave_of(self, trade: int) -> int:
        return self._trade_waves.get(trade, 0)

    def _outside_cause(self, case: _Case, first: LiquidationRow) -> str:
        """Whether the price or the balances changed when the account fell below 1; ``first`` is
        its first liquidation since."""
        if case.since == 0:
            return "exogenous"
        prices = case.terms.prices(self._run[case.since - 1])
        position = self._before_waiting(first, case.since)
        return "other" if case.terms.is_below(position, prices, WAD) else "exogenous"

    def _before_waiting(self, row: LiquidationRow, since: int) -> Sequence[int]:
        """An account's balances as of a block between which and its liquidation it did nothing:
        less the interest of that time. An exchange's words stay: funding is not interest."""
        if row.venue not in self._run[since].venues:
            return row.position
        then, now = (self._run[block].venues[row.venue].states for block in (since, row.block))
        return [
            _rescaled(word >> 128, old.supply_index, new.supply_index) << 128
            | _rescaled(word & _HALF, old.borrow_index, new.borrow_index)
            for word, old, new in zip(row.position, then, now, strict=True)
        ]

    def _pivot(self, case: _Case, position: Sequence[int]) -> int:
        """What makes these balances liquidatable: the twin's prices, else the number of the first
        trade after which its current prices would be low enough."""
        terms = case.terms
        for block in range(case.block, case.since - 1, -1):
            if terms.is_below(position, terms.prices(self._twin[block]), case.level):
                return _TWIN
        last = max((seen for givers in case.feed_trades for _, seen in givers), default=0)
        if last == 0:
            return _UNKNOWN
        undisturbed = terms.prices(self._twin[case.block])
        series: list[Floats] = []
        for givers, price, held, alone in zip(
            case.feed_trades,
            case.prices,
            terms.held(position),
            undisturbed,
            strict=True,
        ):
            effects = np.zeros(last)
            if held and alone:
                parts = self._parts(givers, case.block)
                for (giver, seen), part in zip(givers, parts, strict=True):
                    effect = (price / alone - 1.0) * part
                    shares = self._effects[giver].shares(seen, effect, self._times[case.block])
                    effects[:seen] += shares
            series.append(alone * (1.0 + np.cumsum(effects)))
        hits = np.flatnonzero(terms.below(position, series, case.level))
        # if rounding hides which one it was, the last
        return self._trades[int(hits[0]) if hits.size else last - 1].id

    def _parts(self, givers: Givers, block: int) -> list[float]:
        """Each source's part in the effect on a feed: as its own at the end of the block, the same
        where none has any."""
        if len(givers) == 1:
            return [1.0]
        run, twin = self._run[block].feeds, self._twin[block].feeds
        own = [
            abs(run[name].price / twin[name].price - 1.0) if twin[name].price else 0.0
            for name, _ in givers
        ]
        total = sum(own)
        return [part / total if total else 1.0 / len(own) for part in own]


def _rescaled(amount: int, old: int, new: int) -> int:
    """An amount at an earlier index, rounded down; nothing at any."""
    return amount * old // new if amount else 0


def _written_off(run: Trace) -> dict[int, float]:
    """USD of debt written off by liquidations, by the number of the trade that sold for them: by
    the last of an account's in a block, which took what collateral was left."""
    last = {(row.block, row.venue, row.account): row.trade for row in run.liquidations}
    lost: dict[int, float] = {}
    for row in run.bad_debts:
        trade = last.get((row.block, row.venue, row.account), 0)
        if trade:
            lost[trade] = lost.get(trade, 0.0) + row.usd / WAD
    return lost


def classify(
    run: Trace, twin: Trace, terms: Mapping[str, VenueTerms], feeds: Mapping[str, FeedTerms]
) -> None:
    """Sets wave, cause and parent of every liquidation of a run.

    terms: how each venue judges its accounts, by its name
    feeds: how forced trades reach each feed that others do not make up, by its name
    """
    judge = _Judge(run, twin, terms, feeds)
    cases: list[LiquidationRow | SaleRow | TradeRow] = [*run.liquidations, *run.sales]
    cases += [trade for trade in run.trades if trade.call is not None or trade.after]
    for case in sorted(cases, key=lambda entry: (entry.block, entry.place)):
        if isinstance(case, LiquidationRow):
            judge.liquidation(case)
        elif isinstance(case, SaleRow):
            judge.sale(case)
        elif case.after:
            judge.hedge(case)
        else:
            judge.reduction(case)
