"""Basis traders: spot against a short perpetual position."""

from __future__ import annotations

from harness.agents.base import Context
from harness.agents.participant import VenueParticipant
from harness.agents.spot import sale, worth_usd
from harness.orders import Order
from harness.scenario import BPS, WAD, BasisTrader, base_units
from harness.traders import account_word
from harness.view import View

ANY_PRICE = (1 << 256) - 1

#: Spot that is not worth selling, in parts of the position at the start.
_DUST_BPS = 10


class BasisTraderAgent(VenueParticipant[BasisTrader]):
    """One basis trader in one market."""

    def __init__(self, spec: BasisTrader, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        venue = context.world.exchanges[spec.venue]
        self._market = venue.markets.index(spec.market)
        self._word = account_word(self._sender)
        self._number = venue.number_of[self._word]
        self._size = base_units(spec.position, 18)
        self._skew_scale = base_units(venue.spec.markets[self._market].skew_scale, 18)

    def act(self, view: View) -> list[Order]:
        """Sells spot that no short stands against, and buys the short back where it is cheap."""
        if self._outages.out(view):
            return []
        new = (self._sell_spot(view), self._buy_back(view))
        return self._raised(view) + [order for order in new if order is not None]

    def _sell_spot(self, view: View) -> Order | None:
        if (self.name, "spot") in view.mempool:
            return None
        venue = view.exchanges[self._spec.venue].venue
        symbol, unit = self._spec.market, self._world.units[self._spec.market]
        short = max(0, -venue.size(self._number, self._market)) * unit // WAD
        excess = view.balances(symbol, [self._sender])[0] - short
        if excess * BPS * WAD <= self._size * unit * _DUST_BPS or not worth_usd(
            view, symbol, excess
        ):
            return None
        if view.forced_sale_hop(symbol, venue.settlement) is None:
            return None
        data = sale(self._world, venue, self._sender, symbol, venue.settlement, excess)
        router = self._world.router.address
        return self._maker.order(view, "unwind_basis", "spot", router, data)

    def _buy_back(self, view: View) -> Order | None:
        state = view.exchanges[self._spec.venue]
        short = -state.venue.size(self._number, self._market)
        if short <= 0 or (self.name, "perp") in view.mempool:
            return None
        step = min(short, self._size * self._spec.step_bps // BPS)
        # the mean of the skew price before and after: half of what is bought moves it
        twice = 2 * state.states[self._market].skew + step
        if twice * BPS > -2 * self._spec.exit_bps * self._skew_scale:
            return None
        exchange = state.venue.exchange
        data = exchange.encode("trade", self._word, self._market, step, ANY_PRICE)
        return self._maker.order(view, "trade_perp", "perp", exchange.address, data)
