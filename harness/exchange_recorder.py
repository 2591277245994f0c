"""What an exchange's events and state become in a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.books import Books
from harness.orders import Order
from harness.sight import Sight
from harness.trace import (
    BadDebtRow,
    CallState,
    ExchangeBlock,
    FillRow,
    LiquidationRow,
    LossRow,
    Trace,
)
from harness.traders import account_word
from harness.view import View
from harness.world import World

WAD = 10**18

_FILLS = ("trade", "liquidation", "takeover", "deleverage", "unwind")
_TAKERS = ("nobody", "insurance", "vault", "waterfall")

HEDGING = frozenset({"hedge", "unwind_basis"})
"""Actions that follow what an exchange has liquidated."""


class ExchangeRecorder:
    """Records exchanges for a `Recorder`, into the same trace."""

    EVENTS = ("Liquidation", "Takeover", "LossPaid", "DeficitBooked", "Fill")

    def __init__(
        self,
        world: World,
        view: View,
        books: Books,
        trace: Trace,
        sight: Sight,
    ) -> None:
        self._world = world
        self._view = view
        self._books = books
        self._trace = trace
        self._sight = sight
        self._bad_debt = dict.fromkeys(world.exchanges, 0)
        #: of each exchange how many rows of liquidations there were, up to its own last one
        self._last = dict.fromkeys(world.exchanges, 0)
        #: the same after each block
        self._last_after: list[dict[str, int]] = []
        #: rows of the block at hand, with who was rewarded, and what that account had before
        self._rewarded: list[tuple[LiquidationRow, int, int]] = []

    def done(self) -> None:
        """Ends a block."""
        self._rewarded.clear()
        self._last_after.append(dict(self._last))

    def event(
        self, index: int, place: int, order: Order, venue: str, name: str, fields: dict[str, Any]
    ) -> None:
        """Records one event of an exchange."""
        number = self._world.exchanges[venue].number_of.get(fields["account"], -1)
        if name == "Fill":
            self._trace.fills.append(self._fill(index, place, venue, number, fields))
        elif name in ("Liquidation", "Takeover"):
            self._liquidation(index, place, order, venue, number, name, fields)
        elif name == "LossPaid":
            self._loss(index, venue, number, _TAKERS[fields["by"]], fields["amount"])
        elif name == "DeficitBooked":
            self._loss(index, venue, number, _TAKERS[0], fields["amount"])

    def _fill(
        self, index: int, place: int, venue: str, number: int, fields: dict[str, Any]
    ) -> FillRow:
        return FillRow(
            block=index,
            place=place,
            venue=venue,
            account=number,
            market=self._world.exchanges[venue].markets[fields["market"]],
            kind=_FILLS[fields["kind"]],
            size=fields["sizeDelta"],
            price_wad=fields["priceWad"],
            fee=fields["fee"],
            realised=fields["realised"],
            funding=fields["funding"],
        )

    def _liquidation(
        self,
        index: int,
        place: int,
        order: Order,
        venue: str,
        number: int,
        name: str,
        fields: dict[str, Any],
    ) -> None:
        handle = self._world.exchanges[venue]
        state = self._view.exchanges[venue]
        width = len(handle.markets) + len(handle.collaterals)
        before, prices = fields["before"], fields["prices"]
        if name == "Takeover":
            market, notional, kind = self._taken(venue, before, prices)
            reward = insurance_fee = 0
            taken = max(0, fields["equityTaken"])
        else:
            market = fields["market"]
            notional = abs(fields["sizeClosed"]) * fields["priceWad"] // handle.value_scale
            kind = "whole" if fields["sizeClosed"] == before[1 + 2 * market] else "partial"
            reward, insurance_fee = fields["reward"], fields["insuranceFee"]
            taken = reward + insurance_fee
        seized = notional + reward + insurance_fee
        usd = state.prices[-1]
        maintenance = fields["maintenanceBefore"]
        row = LiquidationRow(
            block=index,
            place=place,
            venue=venue,
            account=number,
            liquidator=order.agent,
            collateral=handle.markets[market],
            debt=handle.settlement,
            repaid=notional,
            seized=seized,
            protocol_fee=insurance_fee,
            repaid_usd=notional * usd // handle.unit,
            seized_usd=seized * usd // handle.unit,
            health_factor=fields["equityBefore"] * WAD // maintenance if maintenance else 0,
            position=tuple(before),
            prices=tuple(prices[:width]),
            unhealthy_since=state.unhealthy_since.get(number, index),
            feed_trades=tuple(self._sight.candidates(symbol) for symbol in handle.judged),
            thresholds_bps=tuple(prices[width:]),
            proceeds=notional + reward,
            trade=self._trade_of(index, place),
            taken_usd=taken * usd // handle.unit,
            kind=kind,
        )
        caller = account_word(fields["keeper" if name == "Takeover" else "liquidator"])
        paid = handle.number_of.get(caller, -1)
        had = handle.cash(paid) if paid >= 0 else 0
        self._rewarded.append((row, paid, had))
        self._trace.liquidations.append(row)
        self._last[venue] = len(self._trace.liquidations)
        self._books.exchange_liquidated(row, fields["equityBefore"], maintenance)

    def _taken(
        self, venue: str, before: Sequence[int], prices: Sequence[int]
    ) -> tuple[int, int, str]:
        """The market with most notional, the notional of all of them, and what it is called."""
        handle = self._world.exchanges[venue]
        values = [
            abs(before[1 + 2 * market]) * prices[market] // handle.value_scale
            for market in range(len(handle.markets))
        ]
        return max(range(len(values)), key=values.__getitem__), sum(values), "takeover"

    def _trade_of(self, index: int, place: int) -> int:
        """The last forced trade of this transaction, 0 if there was none."""
        trades = self._trace.trades
        if trades and (trades[-1].block, trades[-1].place) == (index, place):
            return trades[-1].id
        return 0

    def _loss(self, index: int, venue: str, number: int, by: str, amount: int) -> None:
        handle, state = self._world.exchanges[venue], self._view.exchanges[venue]
        usd = amount * state.prices[-1] // handle.unit
        self._bad_debt[venue] += usd
        self._trace.losses.append(LossRow(index, venue, number, by, amount))
        self._trace.bad_debts.append(
            BadDebtRow(index, venue, number, handle.settlement, amount, usd)
        )

    def trader(self, venue: str, order: Order) -> tuple[int, CallState | None, int]:
        """Of a forced trade that an exchange is the origin of: the account, its state if it was
        called and sold, and the liquidations that a hedge had seen."""
        if order.action in HEDGING:
            return -1, None, self._last_after[order.observed].get(venue, 0)
        number = int(order.key) if order.key.isdigit() else -1
        call = self._call_state(venue, number) if order.action == "raise_cash" else None
        return number, call, 0

    def _call_state(self, venue: str, number: int) -> CallState | None:
        state = self._view.exchanges[venue]
        called = state.calls.open.get(number)
        if called is None:
            return None
        handle = state.venue
        return CallState(
            called_since=called.block,
            position=handle.position_words(number, state.states),
            prices=state.venue_prices(),
            feed_trades=tuple(self._sight.givers(symbol) for symbol in handle.judged),
            thresholds_bps=tuple(market.margin_scale_bps for market in state.states),
        )

    def _pay_keepers(self, name: str) -> None:
        """What a caller's account gained in a block beyond the rewards that events tell is what the
        fund paid for its takeovers; it is the proceeds of the first of them."""
        gains: dict[int, int] = {}
        for row, caller, had in self._rewarded:
            if row.venue == name and caller >= 0:
                before = self._world.exchanges[name].cash(caller) - had
                gains[caller] = gains.get(caller, before) - (row.proceeds - row.repaid)
        for row, caller, _ in self._rewarded:
            if row.venue == name and row.kind == "takeover" and gains.get(caller, 0) > 0:
                row.proceeds += gains.pop(caller)

    def block(self, name: str) -> ExchangeBlock:
        """An exchange's state after a block."""
        self._pay_keepers(name)
        state = self._view.exchanges[name]
        external = [self._view.external_wad(symbol) for symbol in state.venue.symbols()]
        market, liquidation, oracle = state.shortfalls(external)
        return ExchangeBlock(
            states=state.states,
            prices=state.prices,
            books=state.books,
            insurance_equity=state.insurance_equity,
            shortfall_market=market,
            shortfall_liquidation=liquidation,
            shortfall_oracle=oracle,
            bad_debt=self._bad_debt[name],
            unhealthy=len(state.unhealthy_since),
            called=len(state.calls.open),
        )
