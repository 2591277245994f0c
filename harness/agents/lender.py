"""Lenders of several markets, who leave all of them when one shows a loss or runs dry."""

from __future__ import annotations

from harness.accounts import account
from harness.agents.base import Context, OrderMaker, OutageClock
from harness.orders import Order
from harness.scenario import BPS, Lender
from harness.view import View


class LenderAgent:
    """One lender in one market: it watches all markets it lends to, as one depositor would."""

    def __init__(self, spec: Lender, venue: str, index: int, context: Context) -> None:
        own = f"{spec.name}-{index}" if spec.count > 1 else spec.name
        self.name = f"{own}@{venue}"
        self.venue = venue
        self._spec = spec
        self._owner = account(spec.name, index).address
        self._outages = OutageClock(spec.outages, context, self.name)
        self._maker = OrderMaker(context, self.name, self._owner, spec.bid, spec.latency_blocks)
        cuts = context.cuts
        apart = cuts.has(venue, "lender")
        #: markets whose trouble makes this lender leave this one
        self._watched = [
            other
            for other in spec.venues
            if other == venue or not (apart or cuts.has(other, "lender"))
        ]
        self._alarmed = False

    def act(self, view: View) -> list[Order]:
        """The withdrawal of what the market can pay, once there is reason to leave."""
        self._alarmed = self._alarmed or any(self._trouble(view, each) for each in self._watched)
        if not self._alarmed or self._outages.out(view):
            return []
        if (self.name, "") in view.mempool:
            return self._maker.raised(view, "")
        state = view.venues[self.venue]
        place = state.venue.assets.index(self._spec.asset)
        cash = state.states[place].cash
        amount = min(state.balances_of(self._owner)[place] >> 128, cash) if cash else 0
        if not amount:
            return []
        call = state.venue.withdraw_call(self._spec.asset, amount, self._owner)
        to = state.venue.market.address
        return [self._maker.order(view, "withdraw", "", to, call)]

    def _trouble(self, view: View, venue: str) -> bool:
        """Whether a market shows a deficit, or is lent out, beyond what the lender accepts."""
        state = view.venues[venue]
        books = state.states[state.venue.assets.index(self._spec.asset)]
        if self._spec.loss_bps and books.deficit * BPS >= self._spec.loss_bps * books.total_claims:
            return books.deficit > 0
        lendable = books.cash + books.total_debt
        limit = self._spec.utilisation_bps
        return bool(limit) and lendable > 0 and books.total_debt * BPS >= limit * lendable
