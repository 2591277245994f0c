"""Traders who answer margin calls: with cash, by selling or borrowing elsewhere, by reducing.

With equity E and call margin C, a target t is met by paying in t C - E, or by closing a share
1 - E / (t C) of the notional.
"""

from __future__ import annotations

from collections import Counter

from harness.agents.base import Context, OrderMaker
from harness.agents.called import CalledAccounts
from harness.agents.spot import input_for, sale
from harness.exchange_view import ExchangeState
from harness.orders import Order
from harness.protocols.perp_exchange import Worth
from harness.scenario import WAD
from harness.scenario.names import TRADERS
from harness.view import View

ANY_PRICE = {True: (1 << 256) - 1, False: 0}


class TraderAgent(CalledAccounts):
    """The traders of one exchange who answer margin calls."""

    def __init__(self, venue: str, context: Context) -> None:
        super().__init__(f"{TRADERS}{venue}", venue, context)
        #: settlement units each owner has borrowed or tried to
        self._borrowed: dict[bytes, int] = {}
        #: what accounts' orders that wait take of their owners' purses: owner, asset, amount
        self._promised: dict[int, tuple[bytes, str, int]] = {}
        #: the same, with those of this block, by owner and asset
        self._taken: Counter[tuple[bytes, str]] = Counter()

    def act(self, view: View) -> list[Order]:
        """An order for every called account whose time to answer has come."""
        state = view.exchanges[self.venue]
        venue, block = state.venue, view.next_block
        waiting = {key for owner, key in view.mempool if owner == self.name}
        due = []
        for number, called in state.calls.open.items():
            if not 0 <= number < len(venue.held) or str(number) in waiting:
                continue
            trader = venue.held[number][0]
            if venue.is_frozen(number):
                continue
            if trader.answer != "nothing" and block >= called.block + trader.latency_blocks:
                due.append(number)
        orders = self._raised(view)
        if not due or 0 in state.prices:
            return orders
        self._promised = {
            number: promise for number, promise in self._promised.items() if str(number) in waiting
        }
        self._taken = Counter()
        for owner, symbol, amount in self._promised.values():
            self._taken[owner, symbol] += amount
        # one read for all of them: the view keeps what it has read
        view.balances(venue.settlement, [venue.held[number][0].owner for number in due])
        for number, worth in zip(due, state.worth(due), strict=True):
            order = self._answer(view, state, number, worth)
            if order is not None:
                orders.append(order)
        return orders

    def _maker(self, number: int) -> OrderMaker:
        trader, _ = self._world.exchanges[self.venue].held[number]
        return self._maker_of(trader.owner, trader.group)

    def _left(self, view: View, owner: bytes, symbol: str) -> int:
        """What the orders of an owner's other accounts leave of an asset."""
        return max(0, view.balances(symbol, [owner])[0] - self._taken[owner, symbol])

    def _promise(self, number: int, owner: bytes, symbol: str, amount: int) -> None:
        self._promised[number] = (owner, symbol, amount)
        self._taken[owner, symbol] += amount

    def _answer(self, view: View, state: ExchangeState, number: int, worth: Worth) -> Order | None:
        trader = state.venue.held[number][0]
        missing = trader.target * worth.call_margin // WAD - worth.equity
        if missing <= 0:
            return None
        if trader.answer == "reduce":
            return self._reduce(view, state, number, worth)
        paid = min(missing, self._left(view, trader.owner, state.venue.settlement))
        if paid > 0:
            self._promise(number, trader.owner, state.venue.settlement, paid)
            exchange = state.venue.exchange
            token = self._world.tokens[state.venue.settlement].address
            data = exchange.encode("deposit", state.venue.accounts[number], token, paid)
            return self._order(view, "pay_in", number, exchange.address, data)
        cuts = self._context.cuts
        if cuts.has(self.venue, "holder"):  # there is no elsewhere
            return None
        if trader.answer == "sell":
            return self._sell(view, state, number, missing)
        if trader.answer == "borrow" and not cuts.has(trader.lender, "holder"):
            return self._borrow(view, state, number, missing)
        return None

    def _order(self, view: View, action: str, number: int, to: bytes, data: bytes) -> Order:
        return self._maker(number).order(view, action, str(number), to, data)

    def _reduce(self, view: View, state: ExchangeState, number: int, worth: Worth) -> Order | None:
        """Closes as much as is needed of the largest position. An account below its maintenance
        margin may not trade any more."""
        venue = state.venue
        if number in state.unhealthy_since or worth.equity <= 0:
            return None
        trader = venue.held[number][0]
        aim = trader.target * worth.call_margin // WAD
        excess = worth.notional * (aim - worth.equity) // aim
        sizes = [venue.size(number, market) for market in range(len(venue.markets))]
        notionals = [
            abs(size) * market.mark_wad // venue.value_scale
            for size, market in zip(sizes, state.states, strict=True)
        ]
        market = max(range(len(sizes)), key=notionals.__getitem__)
        if not notionals[market]:
            return None
        closed = min(abs(sizes[market]), -(-abs(sizes[market]) * excess // notionals[market]))
        delta = -closed if sizes[market] > 0 else closed
        data = venue.exchange.encode(
            "trade", venue.accounts[number], market, delta, ANY_PRICE[delta > 0]
        )
        return self._order(view, "reduce", number, venue.exchange.address, data)

    def _sell(self, view: View, state: ExchangeState, number: int, missing: int) -> Order | None:
        """Sells as much of the holding as brings what is missing; it is paid in a block later."""
        trader, settlement = state.venue.held[number][0], state.venue.settlement
        for symbol, _ in trader.holding:
            held = self._left(view, trader.owner, symbol)
            hop = view.forced_sale_hop(symbol, settlement)
            if not held or hop is None:
                continue
            amount = min(held, input_for(hop, missing, cut=view.cuts.sells_to_sink(self.venue)))
            self._promise(number, trader.owner, symbol, amount)
            data = sale(self._world, state.venue, trader.owner, symbol, settlement, amount)
            router = self._world.router.address
            return self._order(view, "raise_cash", number, router, data)
        return None

    def _borrow(self, view: View, state: ExchangeState, number: int, missing: int) -> Order | None:
        """Borrows what is missing, as far as it may; it is paid in a block later."""
        trader = state.venue.held[number][0]
        used = self._borrowed.get(trader.owner, 0)
        amount = min(missing, trader.loan - used)
        if amount <= 0:
            return None
        self._borrowed[trader.owner] = used + amount
        lender, owner = self._world.venues[trader.lender], trader.owner
        data = lender.borrow_call(state.venue.settlement, amount, owner, owner)
        return self._order(view, "raise_loan", number, lender.market.address, data)
