"""Those who keep an exchange running: liquidators, who calls margins, who accrues funding."""

from __future__ import annotations

from harness.agents.base import Context
from harness.agents.participant import VenueParticipant
from harness.exchange_view import ExchangeState
from harness.orders import DECLARED_GAS, Order
from harness.protocols.perp_exchange import PerpQuote
from harness.scenario import (
    WAD,
    FundingKeeper,
    FundUnwinder,
    MarginCaller,
    PerpLiquidator,
    usd_wad,
)
from harness.view import View

#: How many accounts a liquidator looks at for each transaction it can have in flight.
_ATTENTION = 4


class PerpLiquidatorAgent(VenueParticipant[PerpLiquidator]):
    """One liquidator of an exchange: whatever pays more than its fee, the best first."""

    def __init__(self, spec: PerpLiquidator, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._fee_asset = context.scenario.block_space.fee_asset
        self._floor = usd_wad(spec.min_profit_usd)
        self._block_s = context.scenario.clock.seconds_per_block

    def act(self, view: View) -> list[Order]:
        """Orders for the accounts whose liquidation pays best."""
        state = view.exchanges[self._spec.venue]
        if not state.unhealthy_since or self._outages.out(view):
            return []
        mine = {key for owner, key in view.mempool if owner == self.name}
        orders = [order for key in sorted(mine) for order in self._maker.raised(view, key)]
        free = self._spec.max_transactions - len(mine)
        if free <= 0:
            return orders
        quotes = state.quotes(_ATTENTION * self._spec.max_transactions)
        for quote in sorted(quotes, key=lambda quote: (-quote.reward, quote.account)):
            if free and str(quote.account) not in mine and self._pays(view, state, quote):
                orders.append(self._order(view, state, quote))
                free -= 1
        return orders

    def _pays(self, view: View, state: ExchangeState, quote: PerpQuote) -> bool:
        if quote.until > view.timestamp + self._block_s:
            return False
        venue = state.venue
        reward = quote.reward * view.external_wad(venue.settlement) // venue.unit
        bid = self._maker.bid(view, str(quote.account))
        fee = view.usd_wad(self._fee_asset, bid * DECLARED_GAS["liquidate_perp"])
        return reward >= fee + self._floor and reward > 0

    def _order(self, view: View, state: ExchangeState, quote: PerpQuote) -> Order:
        exchange = state.venue.exchange
        data = exchange.encode("liquidate", state.venue.accounts[quote.account], quote.market)
        key = str(quote.account)
        return self._maker.order(view, "liquidate_perp", key, exchange.address, data)


class MarginCallerAgent(VenueParticipant[MarginCaller]):
    """Records margin calls, and ends those that prices have brought back."""

    def act(self, view: View) -> list[Order]:
        """Calls, then ends of calls."""
        if self._outages.out(view):
            return []
        state = view.exchanges[self._spec.venue]
        exchange, words = state.venue.exchange, state.venue.accounts
        mine = {key for owner, key in view.mempool if owner == self.name}
        orders = [order for key in sorted(mine) for order in self._maker.raised(view, key)]
        free = max(0, self._spec.max_transactions - len(mine))
        due = [("call", "call", number) for number in state.callable]
        due += [("end_call", "endCall", number) for number in state.restored]
        for action, function, number in due:
            key = f"{action}-{number}"
            if key in mine:
                continue
            if free == 0:
                break
            free -= 1
            data = exchange.encode(function, words[number])
            orders.append(self._maker.order(view, action, key, exchange.address, data))
        return orders


class FundingKeeperAgent(VenueParticipant[FundingKeeper]):
    """Accrues every market of an exchange at intervals."""

    def __init__(self, spec: FundingKeeper, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._next = 0

    def act(self, view: View) -> list[Order]:
        """An order for each market when the time has come."""
        if self._outages.out(view):
            return []
        waiting = self._raised(view)
        if view.seconds < self._next:
            return waiting
        self._next = view.seconds + self._spec.every_s
        venue = view.exchanges[self._spec.venue].venue
        return waiting + [
            self._maker.order(
                view,
                "accrue",
                symbol,
                venue.exchange.address,
                venue.exchange.encode("accrue", number),
            )
            for number, symbol in enumerate(venue.markets)
            if (self.name, symbol) not in view.mempool
        ]


class FundUnwinderAgent(VenueParticipant[FundUnwinder]):
    """Closes the insurance fund's positions step by step."""

    def __init__(self, spec: FundUnwinder, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._most = usd_wad(spec.most_usd)

    def act(self, view: View) -> list[Order]:
        """An order for each market in which the fund has a position."""
        state = view.exchanges[self._spec.venue]
        venue, fund = state.venue, state.venue.insurance_number
        if self._outages.out(view) or not venue.has_positions(fund) or venue.is_frozen(fund):
            return []
        orders = []
        for number, symbol in enumerate(venue.markets):
            size = abs(venue.size(fund, number))
            if (self.name, symbol) in view.mempool:
                orders += self._maker.raised(view, symbol)
            elif size:
                worth = size * view.external_wad(symbol) // WAD
                if self._most and worth > self._most:
                    size = size * self._most // worth
                data = venue.exchange.encode("unwind", number, size)
                to = venue.exchange.address
                orders.append(self._maker.order(view, "unwind", symbol, to, data))
        return orders
