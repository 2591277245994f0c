"""Those who have to do with curated vaults: depositors who run, and curators who leave markets."""

from __future__ import annotations

from harness.agents.base import Context
from harness.agents.participant import Participant
from harness.orders import Order
from harness.protocols.curated_vault import VaultState
from harness.scenario import BPS, Curator, VaultDepositor, base_units
from harness.view import View


class VaultDepositorAgent(Participant[VaultDepositor]):
    """One depositor of a vault. It redeems all it has, or takes what it saw the vault could pay;
    where that is nothing, it may sell."""

    def __init__(self, spec: VaultDepositor, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._asset = context.world.vaults[spec.vault].spec.asset
        self._vault = context.world.vaults[spec.vault].vault
        self._share = context.world.vaults[spec.vault].spec.share
        #: assets and shares of the vault when a share was worth most
        self._best = (0, 1)
        vault = context.world.vaults[spec.vault].spec
        self._least = base_units(spec.min_withdrawal, context.world.decimals[vault.asset])
        self._runs = False

    def act(self, view: View) -> list[Order]:
        """The redemption, if it has begun to run and the vault can pay something."""
        self._runs = self._alarmed(view) or self._runs
        if not self._runs or self._outages.out(view):
            return []
        if view.waiting(self.name):
            return self._raised(view)
        state = view.vaults[self._spec.vault]
        shares, owner = view.balances(self._share, [self._sender])[0], self._sender
        cash, worth = state.liquidity, state.assets_down(shares)
        if not shares or not cash or (cash < worth and cash < self._least):
            return self._sale(view, state, shares)
        # a share may be worth more by the time the transaction runs: who asks for all has shares
        # in mind, who asks for the vault's cash an amount
        data = (
            self._vault.encode("redeem", shares, owner, owner)
            if worth <= cash
            else self._vault.encode("withdraw", cash, owner, owner)
        )
        return [self._maker.order(view, "redeem", "", self._vault.address, data)]

    def _sale(self, view: View, state: VaultState, shares: int) -> list[Order]:
        """The sale of shares that the vault cannot pay for, in their pool, down to the price it
        takes."""
        spec, swap = self._spec, self._world.share_traders.swap
        if swap is None or not spec.sale_discount_bps or not state.assets:
            return []
        name = self._world.pool_of(self._share, self._asset)
        if name is None:
            return []
        # of all shares, and what it wants for them all
        supply, wanted = state.shares * BPS, state.assets * (BPS - spec.sale_discount_bps)
        amount = min(shares, view.pool_hop(name, self._share).best_sale(supply, wanted))
        if not amount or state.assets_down(amount) < min(self._least, state.assets_down(shares)):
            return []
        pool = self._world.pools[name].contract.address
        least = amount * wanted // supply
        data = swap.encode("swapExactIn", pool, self._vault.address, amount, least, self._sender)
        return [self._maker.order(view, "trade_shares", "", swap.address, data)]

    def _alarmed(self, view: View) -> bool:
        state, spec = view.vaults[self._spec.vault], self._spec
        assets, shares = self._best
        if state.shares and state.assets * shares > assets * state.shares:
            self._best = assets, shares = state.assets, state.shares
        worth, before = state.assets * shares, assets * state.shares
        if spec.loss_bps and (before - worth) * BPS >= spec.loss_bps * before > 0:
            return True
        return state.liquidity * BPS < spec.liquidity_bps * state.assets


class CuratorAgent(Participant[Curator]):
    """The curator of one vault."""

    def __init__(self, spec: Curator, index: int, context: Context) -> None:
        self._handle = context.world.vaults[spec.vault]
        super().__init__(spec, index, context, sender=self._handle.curator)
        #: markets that are in trouble, for good
        self._left: set[str] = set()

    def act(self, view: View) -> list[Order]:
        """What there is to take out of markets in trouble, and to put into another."""
        state, markets = view.vaults[self._spec.vault], self._handle.markets
        for number, market in enumerate(markets):
            if state.lost[number] or view.venues[market].loss_bps() >= self._spec.loss_bps:
                self._left.add(market)
        if not self._left or self._outages.out(view):
            return []
        orders: list[Order] = []
        for number, market in enumerate(markets):
            amount = min(state.worth[number], self._cash(view, market))
            if market in self._left and amount:
                orders += self._move(view, "deallocate", number, amount)
        safe = [number for number, market in enumerate(markets) if market not in self._left]
        if self._spec.reallocates and safe and state.idle:
            orders += self._move(view, "allocate", safe[0], state.idle)
        return orders

    def _cash(self, view: View, market: str) -> int:
        venue = view.venues[market]
        return venue.states[venue.venue.assets.index(self._handle.spec.asset)].cash

    def _move(self, view: View, action: str, number: int, amount: int) -> list[Order]:
        key = f"{action}-{number}"
        if (self.name, key) in view.mempool:
            return self._maker.raised(view, key)
        data = self._handle.vault.encode(action, number, amount)
        return [self._maker.order(view, action, key, self._handle.vault.address, data)]


__all__ = ["CuratorAgent", "VaultDepositorAgent"]
