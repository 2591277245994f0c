"""Those who run the default waterfall of an exchange: a call in each block, as large as it fits."""

from __future__ import annotations

from dataclasses import dataclass

from harness.agents.base import Context
from harness.agents.participant import VenueParticipant
from harness.orders import Order
from harness.protocols.clearing import DELEVERAGING, IDLE, LISTING, ClearingVenue, RoundState
from harness.scenario.clearing import WaterfallKeeper
from harness.view import View


@dataclass(frozen=True, slots=True)
class PieceGas:
    """Gas that a call declares: for itself, and for each report or account in it.

    No call used more on py-evm: ``tests/waterfall/test_waterfall_run.py`` measures it.
    """

    base: int
    each: int

    def of(self, count: int) -> int:
        """For a call about so many."""
        return self.base + self.each * count


OPEN_GAS = PieceGas(2_000_000, 400_000)
LIST_GAS = PieceGas(100_000, 160_000)
DELEVERAGE_GAS = PieceGas(300_000, 250_000)
FINISH_GAS = PieceGas(300_000, 300_000)
ALLOCATE_GAS = 500_000

#: What a keeper's order about the round is about: there is never more than one.
ROUND = "round"


class WaterfallKeeperAgent(VenueParticipant[WaterfallKeeper]):
    """Opens rounds, lists, deleverages and finishes, on the state after the last block."""

    def __init__(self, spec: WaterfallKeeper, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._house = next(
            house for house in context.world.clearing.values() if spec.venue in house.exchanges
        )
        self._gas_limit = context.scenario.block_space.gas_limit

    def act(self, view: View) -> list[Order]:
        """The next call of the round, and margin for members who are called."""
        if self._outages.out(view):
            return []
        orders = self._allocations(view)
        if (self.name, ROUND) in view.mempool:
            return [*orders, *self._maker.raised(view, ROUND)]
        state = view.clearing_round(self._house, self.venue)
        if state.stage == IDLE and not state.pending:
            return orders
        return [*orders, self._next(view, state)]

    def _next(self, view: View, state: RoundState) -> Order:
        if state.stage == IDLE:
            count = self._fitting(OPEN_GAS, min(state.pending, self._spec.reports_per_call))
            return self._order(view, "waterfall_open", "open", count, OPEN_GAS.of(count))
        if state.stage == LISTING:
            line = view.clearing_line(self._house, self.venue, state)
            count = self._fitting(LIST_GAS, min(len(line), self._spec.accounts_per_call))
            words = [place.account for place in line[:count]]
            return self._order(view, "waterfall_list", "list", words, LIST_GAS.of(count))
        if state.stage == DELEVERAGING:
            left = state.in_line - state.done
            count = self._fitting(DELEVERAGE_GAS, min(left, self._spec.accounts_per_call))
            gas = DELEVERAGE_GAS.of(count)
            return self._order(view, "waterfall_deleverage", "deleverage", count, gas)
        left = state.defaulters - state.finished
        count = self._fitting(FINISH_GAS, min(left, self._spec.reports_per_call))
        return self._order(view, "waterfall_finish", "finish", count, FINISH_GAS.of(count))

    def _fitting(self, gas: PieceGas, count: int) -> int:
        """As many as half a block has room for, at least one: others bid for space too."""
        return max(1, min(count, (self._gas_limit // 2 - gas.base) // gas.each))

    def _order(self, view: View, action: str, function: str, what: object, gas: int) -> Order:
        house: ClearingVenue = self._house
        exchange = house.exchanges[self.venue].exchange.address
        data = house.house.encode(function, exchange, what)
        return self._maker.order(view, action, ROUND, house.house.address, data, gas)

    def _allocations(self, view: View) -> list[Order]:
        state = view.exchanges[self.venue]
        called = {*state.calls.open, *state.callable}
        if not called or not self._house.members:
            return []
        orders = []
        for member in view.clearing_called(self._house, self.venue, called):
            key = f"allocate-{member.hex()}"
            if (self.name, key) in view.mempool:
                orders += self._maker.raised(view, key)
                continue
            fund = self._house.fund
            exchange = state.venue.exchange.address
            data = fund.encode("allocate", member, exchange)
            order = self._maker.order(
                view, "waterfall_allocate", key, fund.address, data, ALLOCATE_GAS
            )
            orders.append(order)
        return orders
