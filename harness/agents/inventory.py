"""Liquidators who keep what they seize and sell it over time, at the risk of its price.

They value a seizure at the outside price, not at what the pool would pay now, and stop buying when
they hold as much as they may. A crowd of them dampens a fall while it has room, and then is gone.
"""

from __future__ import annotations

from harness.agents.base import Context, WithdrawalClock
from harness.agents.participant import VenueParticipant
from harness.orders import DECLARED_GAS, Order
from harness.protocols.pooled_lending import Quote
from harness.scenario import BPS, InventoryLiquidator, usd_wad
from harness.view import VenueState, View

#: How many opportunities one weighs for each transaction it can have in flight.
_ATTENTION = 4

SEIZE, SELL = "seize", "sell_inventory"


class InventoryLiquidatorAgent(VenueParticipant[InventoryLiquidator]):
    """One such liquidator of one venue."""

    def __init__(self, spec: InventoryLiquidator, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._withdrawal = WithdrawalClock(spec.withdrawal, context, spec.name, self.name)
        self._limit = usd_wad(spec.limit_usd)
        #: of each asset seized: what it is sold for, and the block after which it was first bought
        self._bought: dict[str, tuple[str, int]] = {}

    def act(self, view: View) -> list[Order]:
        """Sales of what has been held long enough, then purchases."""
        venue = view.venues[self._spec.venue]
        gone = self._withdrawal.gone(view)
        if self._outages.out(view):
            return []
        orders = [*self._raised(view), *self._sales(view, venue)]
        if not gone and venue.unhealthy_since:
            orders += self._purchases(view, venue)
        return orders

    def _sales(self, view: View, venue: VenueState) -> list[Order]:
        """A share of each asset held, once a block."""
        orders = []
        for symbol, (debt, since) in self._bought.items():
            held = view.balances(symbol, [self._sender])[0]
            key = f"sell-{symbol}"
            old_enough = view.index >= since + self._spec.holding_blocks
            if not held or not old_enough or (self.name, key) in view.mempool:
                continue
            # the last unit goes too
            amount = -(-held * self._spec.sale_bps // BPS)
            router, tokens = self._world.router, self._world.tokens
            data = router.encode(
                "sell",
                venue.venue.market.address,
                self._sender,
                tokens[symbol].address,
                tokens[debt].address,
                amount,
                0,
                self._sender,
            )
            orders.append(self._maker.order(view, SELL, key, router.address, data))
        return orders

    def _purchases(self, view: View, venue: VenueState) -> list[Order]:
        assets = venue.venue.assets
        mine = {key for owner, key in view.mempool if owner == self.name}
        room = self._limit - sum(
            view.usd_wad(symbol, view.balances(symbol, [self._sender])[0])
            for symbol in self._bought
        )
        spent: dict[str, int] = {}
        orders: list[Order] = []
        fee = view.usd_wad(self._fee_asset, self._maker.bid(view, "") * DECLARED_GAS[SEIZE])
        for quote in venue.quotes(fee / 10**18, _ATTENTION * self._spec.max_transactions):
            key = str(quote.account)
            if key in mine or len(mine) >= self._spec.max_transactions:
                continue
            collateral, debt = assets[quote.collateral], assets[quote.debt]
            if collateral == debt or not self._world.can_sell(collateral, debt):
                continue
            cash = view.balances(debt, [self._sender])[0] - spent.get(debt, 0)
            repay = venue.without_dust(quote, self._wanted(view, quote, collateral, cash, room))
            if repay <= 0:
                continue
            seized = quote.seized * repay // quote.max_repay
            worth, cost = view.usd_wad(collateral, seized), view.usd_wad(debt, repay)
            if worth * BPS < cost * (BPS + self._spec.least_discount_bps) + fee * BPS:
                continue
            market = venue.venue.market
            data = venue.venue.seizure_call(quote, repay, self._sender)
            orders.append(self._maker.order(view, SEIZE, key, market.address, data))
            self._bought.setdefault(collateral, (debt, view.index))
            mine.add(key)
            spent[debt] = spent.get(debt, 0) + repay
            room -= worth
        return orders

    @staticmethod
    def _wanted(view: View, quote: Quote, collateral: str, cash: int, room: int) -> int:
        """What cash and the room for more inventory allow of a quote."""
        whole = view.usd_wad(collateral, quote.seized)
        if room <= 0 or whole <= 0:
            return 0
        return min(cash, quote.max_repay, quote.max_repay * room // whole)


__all__ = ["SEIZE", "SELL", "InventoryLiquidatorAgent"]
