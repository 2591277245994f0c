"""Those who take out of a market or a pool what is theirs, once it gets dangerous."""

from __future__ import annotations

from harness.agents.base import Context, WithdrawalClock
from harness.agents.participant import Participant, VenueParticipant
from harness.feeds import MAX_UINT
from harness.orders import Order
from harness.protocols.pooled_lending import AssetState
from harness.scenario import BPS, LiquidityProvider, Supplier, base_units
from harness.view import VenueState, View


class SupplierAgent(VenueParticipant[Supplier]):
    """One supplier of one market. It asks for all its claims, or what cash it saw."""

    def __init__(self, spec: Supplier, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        venue = context.world.venues[spec.venue]
        self._market = venue.market
        self._token = context.world.tokens[spec.asset].address
        self._place = venue.assets.index(spec.asset)
        self._withdrawal = WithdrawalClock(spec.withdrawal, context, spec.name, self.name)
        self._least = base_units(spec.min_withdrawal, context.world.decimals[spec.asset])
        self._runs = False

    def act(self, view: View) -> list[Order]:
        """The withdrawal, if it has begun to run and there is cash."""
        venue = view.venues[self.venue]
        state = venue.states[self._place]
        left = self._withdrawal.gone(view)
        self._runs = self._runs or left or self._alarmed(venue, state)
        if not self._runs or self._outages.out(view):
            return []
        if view.waiting(self.name):
            return self._raised(view)
        claims = venue.supplied(self._sender)[self._place]
        if claims == 0 or state.cash == 0 or (self._least > state.cash < claims):
            return []
        # claims grow until the transaction runs: only "all of it" leaves nothing over
        amount = MAX_UINT if claims <= state.cash else state.cash
        owner = self._sender
        data = self._market.encode("withdraw", self._token, amount, owner, owner)
        return [self._maker.order(view, "withdraw", "", self._market.address, data)]

    def _alarmed(self, venue: VenueState, state: AssetState) -> bool:
        spec = self._spec
        if spec.loss_bps and venue.loss_bps() >= spec.loss_bps:
            return True
        lendable, lent = state.cash + state.total_debt, state.total_debt * BPS
        return bool(spec.utilisation_bps and lent >= spec.utilisation_bps * lendable > 0)


class LiquidityProviderAgent(Participant[LiquidityProvider]):
    """One provider of a pool's liquidity."""

    def __init__(self, spec: LiquidityProvider, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._pool = context.world.pools[spec.pool].contract
        self._executor = context.world.liquidity_executor
        self._withdrawal = WithdrawalClock(spec.withdrawal, context, spec.name, self.name)
        #: what it had at the start, once it has been read, LP wei
        self._held: int | None = None

    def act(self, view: View) -> list[Order]:
        """The order that takes the liquidity out, until it has."""
        gone = self._withdrawal.gone(view)
        if not gone or self._outages.out(view) or self._executor is None:
            return []
        if view.waiting(self.name):
            return self._raised(view)
        held = view.ask(self._pool, "balanceOf", self._sender)
        if self._held is None:
            self._held = held
        removed = self._held * self._spec.removed_bps // BPS
        if removed == 0 or held <= self._held - removed:
            return []
        data = self._executor.encode("remove", self._pool.address, removed)
        to = self._executor.address
        return [self._maker.order(view, "remove_liquidity", "", to, data)]
