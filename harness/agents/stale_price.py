"""Borrowers against a collateral that a market overprices: its feed is stuck, or stale.

With X usd they buy on the outside curve of the collateral, borrow a fixed part of what the market
says it is worth, and sell that on the outside curve of the debt. The first and the last leg are
constant products and the middle is a rate, so the whole is out(X) = n X / (m + k X), and the
proceeds over X are n / (m + k X): they fall as X grows, and the stated gain bounds X.
"""

from __future__ import annotations

from harness.agents.base import Context
from harness.agents.participant import VenueParticipant
from harness.curves import PIPS
from harness.orders import Order
from harness.people import USD
from harness.scenario import BPS, StalePriceBorrower
from harness.view import View


class StalePriceBorrowerAgent(VenueParticipant[StalePriceBorrower]):
    """One borrower with usd cash."""

    def __init__(self, spec: StalePriceBorrower, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        venue = context.world.venues[spec.venue]
        self._market = venue.market
        self._places = venue.assets.index(spec.collateral), venue.assets.index(spec.debt)
        self._ltv_bps = venue.spec.assets[self._places[0]].ltv_bps
        #: the usd it had at the start, once read
        self._capital: int | None = None

    def act(self, view: View) -> list[Order]:
        """The order that takes the difference, if it pays."""
        executor = self._world.leverage_executor
        if executor is None or self._outages.out(view):
            return []
        if view.waiting(self.name):
            return self._raised(view)
        held = view.balances(USD, [self._sender])[0]
        if self._capital is None:
            self._capital = held
        if held == 0 or (held != self._capital and not self._spec.reinvests):
            return []
        amount = min(held, self._worthwhile(view))
        if amount == 0:
            return []
        least = amount * (BPS + self._spec.min_gain_bps) // BPS
        data = executor.encode(
            "leverage",
            self._market.address,
            self._world.externals[self._spec.collateral].address,
            self._world.externals[self._spec.debt].address,
            amount,
            self._spec.share_bps,
            least,
        )
        return [self._maker.order(view, "leverage", "", executor.address, data)]

    def _worthwhile(self, view: View) -> int:
        """The most usd on which the gain is at least the one asked for; 0 if there is none, or the
        market refuses a price or has nothing to lend."""
        spec, states = self._spec, view.venues[self.venue].states
        collateral, debt = (states[place] for place in self._places)
        if collateral.price_wad == 0 or debt.price_wad == 0 or debt.cash == 0:
            return 0
        units = self._world.units
        buy = view.external_hop(spec.collateral, sell=False)
        sell = view.external_hop(spec.debt, sell=True)
        lent = collateral.price_wad * units[spec.debt] * self._ltv_bps * spec.share_bps
        bought = debt.price_wad * units[spec.collateral] * BPS * BPS
        kept, kept_of_sale = PIPS - buy.fee_pips, PIPS - sell.fee_pips
        n, m, k = 1, 1, 0
        for numerator, denominator, per_input in (
            (buy.reserve_out * kept, buy.reserve_in * PIPS, kept),
            (lent, bought, 0),
            (sell.reserve_out * kept_of_sale, sell.reserve_in * PIPS, kept_of_sale),
        ):
            n, m, k = n * numerator, m * denominator, k * denominator + n * per_input
        wanted = BPS + spec.min_gain_bps
        room = n * BPS - m * wanted
        if room <= 0:
            return 0
        worthwhile = room // (k * wanted)
        # what the market has no cash to lend on is not bought
        cash = debt.cash * bought // lent
        hop_in = buy.reserve_in * PIPS * cash
        hop_out = (buy.reserve_out - cash) * kept
        return min(worthwhile, hop_in // hop_out) if hop_out > 0 else worthwhile
