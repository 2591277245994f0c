"""The desk that hedges an exchange's vault on spot."""

from __future__ import annotations

from harness.agents.base import Context
from harness.agents.participant import VenueParticipant
from harness.agents.spot import input_for, sale, worth_usd
from harness.orders import Order
from harness.scenario import BPS, WAD, VaultHedger, base_units, usd_wad
from harness.view import View


class VaultHedgerAgent(VenueParticipant[VaultHedger]):
    """Keeps spot against the net open interest of every market."""

    def __init__(self, spec: VaultHedger, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._least, self._most = usd_wad(spec.least_usd), usd_wad(spec.most_usd)
        stock = dict(spec.inventory)
        decimals = context.world.decimals
        self._stock = {
            symbol: base_units(stock.get(symbol, 0.0), decimals[symbol])
            for symbol in context.world.exchanges[spec.venue].markets
        }

    def act(self, view: View) -> list[Order]:
        """A spot trade for each market whose hedge is too far off."""
        if self._outages.out(view):
            return []
        state = view.exchanges[self._spec.venue]
        orders = []
        for symbol, market in zip(state.venue.markets, state.states, strict=True):
            if (self.name, symbol) in view.mempool:
                orders += self._maker.raised(view, symbol)
                continue
            unit = self._world.units[symbol]
            wanted = self._stock[symbol] + market.skew * self._spec.ratio_bps * unit // (WAD * BPS)
            missing = max(0, wanted) - view.balances(symbol, [self._sender])[0]
            worth = worth_usd(view, symbol, missing)
            if worth < self._least or not missing:
                continue
            if self._most and worth > self._most:
                missing = missing * self._most // worth
            order = self._trade(view, symbol, missing)
            if order is not None:
                orders.append(order)
        return orders

    def _trade(self, view: View, symbol: str, missing: int) -> Order | None:
        venue = view.exchanges[self._spec.venue].venue
        settlement = venue.settlement
        sold, bought = (settlement, symbol) if missing > 0 else (symbol, settlement)
        hop = view.forced_sale_hop(sold, bought)
        if hop is None:
            return None
        amount = -missing
        if missing > 0:
            cash = view.balances(settlement, [self._sender])[0]
            amount = min(cash, input_for(hop, missing, cut=view.cuts.sells_to_sink(venue.name)))
        if amount <= 0:
            return None
        data = sale(self._world, venue, self._sender, sold, bought, amount)
        return self._maker.order(view, "hedge", symbol, self._world.router.address, data)
