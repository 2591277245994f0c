"""A perpetual exchange as it is after the last block: what agents act on and what is measured.

Scans run on cached words; where an account is closer to a bound than the cache is good for, the
chain decides, and what is acted on or reported is read from the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.calls import CallBook
from harness.engine.base import Engine, Receipt
from harness.protocols.perp_exchange import (
    NO_EQUITY,
    MarketState,
    PerpBooks,
    PerpQuote,
    PerpVenue,
    Scan,
    Worth,
)
from harness.scenario import WAD

_CALL_EVENTS = ("MarginCall", "MarginCallEnded", "Takeover", "Liquidation")


def settlement_prices(states: Sequence[MarketState], prices: Sequence[int]) -> tuple[int, ...]:
    """Mark prices and prices of collaterals in settlement tokens (WAD), from USD prices."""
    settlement = prices[-1]
    collaterals = prices[len(states) : -1]
    return (
        *(state.mark_wad for state in states),
        *(price * WAD // settlement if settlement else 0 for price in collaterals),
    )


class ExchangeState:
    """An exchange after the last block.

    Attributes:
        venue: the exchange.
        states: its markets, in their order.
        prices: USD (WAD) of markets' assets, collaterals and settlement token; 0 where refused.
        books: its books.
        calls: margin calls as the chain recorded them.
        unhealthy_since: accounts below their maintenance margin, and the block since which.
        callable: accounts below their call margin that nobody has called.
        restored: accounts with a call in force that are no longer below their call margin.
    """

    def __init__(self, venue: PerpVenue, engine: Engine) -> None:
        self.venue = venue
        self._engine = engine
        venue.reset()
        self.states: tuple[MarketState, ...] = ()
        self.prices: tuple[int, ...] = ()
        self.books = PerpBooks(0, 0, 0, 0, 0, 0, NO_EQUITY)
        self.calls = CallBook()
        self.unhealthy_since: dict[int, int] = {}
        self.callable: list[int] = []
        self.restored: list[int] = []
        self.insurance_equity = 0
        self._quotes: dict[int, PerpQuote] = {}
        self._scan: Scan
        topics = {event.name: topic for topic, event in venue.exchange.artifact.events.items()}
        self._call_topics = {topics[name] for name in _CALL_EVENTS}
        venue.refresh(engine)

    def update(self, index: int, receipts: Sequence[Receipt]) -> set[int]:
        """Reads the state after block ``index``, and rescans. Returns the touched accounts."""
        venue = self.venue
        touched = venue.touched(receipts)
        if touched:
            venue.refresh(self._engine, touched)
            self._note_calls(index, receipts)
        self.states = venue.states(self._engine)
        self.prices = venue.prices(self._engine)
        self.books = venue.books(self._engine)
        self._quotes.clear()
        self._judge(index)
        self.insurance_equity = self._insurance_equity()
        return touched

    def _note_calls(self, index: int, receipts: Sequence[Receipt]) -> None:
        """Opens and ends episodes as the events tell, in their order."""
        exchange = self.venue.exchange
        for receipt in receipts:
            for log in receipt.logs:
                if log.address == exchange.address and log.topics[0] in self._call_topics:
                    name, fields = exchange.event(log) or ("", {})
                    self._note_call(index, name, fields)

    def _note_call(self, index: int, name: str, fields: dict[str, Any]) -> None:
        number = self.venue.number_of[fields["account"]]
        if name == "MarginCall":
            self.calls.begin(number, index)
        elif name == "MarginCallEnded":
            self.calls.end(number, index, "restored")
        elif name == "Takeover" and not self.venue.called_at(number):
            self.calls.end(number, index, "taken over")
        elif name == "Liquidation":
            self.calls.liquidated(number)

    def _judge(self, index: int) -> None:
        """Finds who is below the maintenance margin, who may be called, and whose call is over."""
        venue = self.venue
        scan = self._scan = venue.scan(self.states, self.prices)
        judged = scan.priced & ~scan.frozen & scan.exposed
        unhealthy = scan.equity < scan.maintenance_margin
        below = scan.equity < scan.call_margin
        close = np.abs(scan.equity - scan.maintenance_margin) < scan.doubt
        close |= np.abs(scan.equity - scan.call_margin) < scan.doubt
        close &= judged
        doubtful = np.flatnonzero(close).tolist()
        for number, worth in zip(doubtful, venue.worth(self._engine, doubtful), strict=True):
            unhealthy[number] = worth.equity < worth.maintenance_margin
            below[number] = worth.equity < worth.call_margin
        since = self.unhealthy_since
        found = np.flatnonzero(unhealthy & judged).tolist()
        self.unhealthy_since = {number: since.get(number, index) for number in found}
        called = {number for number in self.calls.open if venue.called_at(number)}
        under = np.flatnonzero(below & judged).tolist()
        self.callable = [number for number in under if number not in called]
        known = scan.priced & ~scan.frozen
        self.restored = [n for n in sorted(called) if known[n] and not (judged[n] and below[n])]

    def _insurance_equity(self) -> int:
        """The fund's equity in settlement units; its cash while a feed is refused."""
        number = self.venue.insurance_number
        if 0 in self.prices or not self.venue.has_positions(number):
            return self.venue.cash(number)
        return self.venue.worth(self._engine, [number])[0].equity

    def quotes(self, most: int) -> list[PerpQuote]:
        """Exact quotes of the accounts that can be liquidated now, those with the largest margin
        first, at least ``most`` of them if there are."""
        ranked = sorted(
            self.unhealthy_since,
            key=lambda number: (-self._scan.maintenance_margin[number], number),
        )
        found: list[PerpQuote] = []
        for start in range(0, len(ranked), most):
            chosen = ranked[start : start + most]
            unread = [number for number in chosen if number not in self._quotes]
            for quote in self.venue.quotes(self._engine, unread):
                self._quotes[quote.account] = quote
            found += [self._quotes[number] for number in chosen if self._quotes[number].kind]
            if len(found) >= most:
                break
        return found

    def worth(self, numbers: Sequence[int]) -> list[Worth]:
        """What accounts are worth, exactly, at the exchange's prices."""
        return self.venue.worth(self._engine, numbers)

    def venue_prices(self) -> tuple[int, ...]:
        """Mark price of each market and price of each collateral in settlement tokens (WAD); 0
        where a feed is refused."""
        return settlement_prices(self.states, self.prices)

    def equity_usd(self) -> int:
        """Equity of the vault in USD WAD, at the exchange's prices; 0 while a feed is refused."""
        if self.books.vault_equity == NO_EQUITY:
            return 0
        return self.books.vault_equity * self.prices[-1] // self.venue.unit

    def shortfalls(self, external_wad: Sequence[int]) -> tuple[int, int, int]:
        """Market, liquidation and oracle shortfall in USD WAD: what accounts are short of at
        outside prices, the same after haircuts, and at the exchange's own prices."""
        market, liquidation = self._shortfall(external_wad)
        if 0 in self.prices:
            return market, liquidation, 0
        if tuple(external_wad) == self.prices:
            return market, liquidation, market
        return market, liquidation, self._shortfall(self.prices)[0]

    def _shortfall(self, prices: Sequence[int]) -> tuple[int, int]:
        judged = tuple(prices) == self.prices
        scan = self._scan if judged else self.venue.scan(self.states, prices)
        short = scan.equity < scan.doubt
        short &= scan.exposed & scan.priced
        numbers = np.flatnonzero(short).tolist()
        market = liquidation = 0
        for worth in self.venue.worth_at(self._engine, numbers, prices):
            market += max(0, -worth.full_equity)
            liquidation += max(0, -worth.equity)
        usd, unit = prices[-1], self.venue.unit
        return -(-market * usd // unit), -(-liquidation * usd // unit)
