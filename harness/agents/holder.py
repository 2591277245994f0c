"""Holders of positions in several venues, who meet a call with collateral from elsewhere.

A called account withdraws collateral of the called market's kind from the holder's positions in
other venues, as far as each of those stays at its own target health factor, and supplies it here in
a later block: two transactions, either of which may come too late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.agents.base import Context
from harness.agents.called import CalledBorrowers
from harness.orders import Order
from harness.population import Position
from harness.protocols.pooled_lending import BPS, WAD, Holding
from harness.scenario.names import HOLDERS
from harness.view import VenueState, View

#: The action of taking collateral out of another venue.
MOVE = "move_collateral"

#: Declared gas of a withdrawal from a market that checks the account afterwards: the most that one
#: used on py-evm, rounded up; ``tests/contagion/test_holders.py`` measures it again.
WITHDRAW_GAS = 190_000

#: Interest and the next price may take a little of what a withdrawal leaves before it runs.
_MARGIN_BPS = 9_900


class HolderAgent(CalledBorrowers):
    """The called accounts of one venue whose holders have more elsewhere."""

    def __init__(self, venue: str, context: Context) -> None:
        super().__init__(f"{HOLDERS}{venue}", venue, context)
        cuts = context.cuts
        #: venues that collateral may come from
        self._others = [
            other
            for other in context.world.venues
            if other != venue and not cuts.has(venue, "holder") and not cuts.has(other, "holder")
        ]

    def act(self, view: View) -> list[Order]:
        """For every called account that moves collateral, its next step."""
        state = view.venues[self.venue]
        orders = []
        for number, called in state.calls.open.items():
            position = state.venue.positions[number]
            if position.action != "move" or (self.name, str(number)) in view.mempool:
                continue
            if view.next_block < called.block + position.latency_blocks:
                continue
            order = self._step(view, state, number, position)
            if order is not None:
                orders.append(order)
        return orders + self._raised(view)

    def _step(self, view: View, state: VenueState, number: int, position: Position) -> Order | None:
        holdings = state.holdings(number)
        symbol = position.supplied[0][0] if position.supplied else ""
        if not symbol or 0 in state.oracle_prices:
            return None
        place = state.venue.assets.index(symbol)
        threshold = state.venue.thresholds_bps[place]
        missing = _missing(holdings, position.target_health_factor)
        if missing <= 0 or not threshold:
            return None
        unit, price = 10 ** state.venue.decimals[place], state.oracle_prices[place]
        needed = -(-missing * BPS * unit // (threshold * price))
        maker = self._maker(number)
        owner = state.venue.accounts[number]
        cash = view.balances(symbol, [owner])[0]
        if cash:
            market = state.venue.market
            call = state.venue.supply_call(symbol, min(cash, needed), owner)
            return maker.order(view, "top_up", str(number), market.address, call)
        for other, amount in self._free(view, owner, symbol):
            source = view.venues[other].venue
            call = source.withdraw_call(symbol, min(amount, needed), owner)
            key = str(number)
            return maker.order(view, MOVE, key, source.market.address, call, WITHDRAW_GAS)
        return None

    def _free(self, view: View, owner: bytes, symbol: str) -> Iterator[tuple[str, int]]:
        """Where the holder has collateral of this kind to spare, and how much of it."""
        for other in self._others:
            state = view.venues[other]
            number = state.venue.number_of.get(owner)
            if number is None or symbol not in state.venue.assets or 0 in state.oracle_prices:
                continue
            place = state.venue.assets.index(symbol)
            holdings = state.holdings(number)
            amount = holdings[place].claims
            target = state.venue.positions[number].target_health_factor
            spare = -_missing(holdings, target) * _MARGIN_BPS // BPS
            threshold = state.venue.thresholds_bps[place]
            if any(holding.debt for holding in holdings) and threshold:
                unit, price = 10 ** state.venue.decimals[place], state.oracle_prices[place]
                amount = min(amount, spare * BPS * unit // (threshold * price))
            amount = min(amount, state.states[place].cash)
            if amount > 0:
                yield other, amount


def _missing(holdings: Sequence[Holding], target_health_factor: int) -> int:
    """Collateral at thresholds that is missing to a health factor, USD WAD; below 0: to spare."""
    secured = sum(holding.threshold_usd for holding in holdings)
    owed = sum(holding.debt_usd for holding in holdings)
    return target_health_factor * owed // WAD - secured
