"""Arbitrage between a pool of a vault's shares and the vault, which is all their reference.

A cycle of two curves: the pool's, and the vault's straight line, here a curve so many times larger
than the vault that it is as good as one. Its best input is that of `best_input`; redemptions end
where the vault's cash does.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.agents.arbitrageur import POOL, best_input
from harness.agents.base import Context
from harness.agents.participant import Participant
from harness.curves import Hop
from harness.orders import DECLARED_GAS, Order
from harness.protocols.curated_vault import VaultState
from harness.scenario import BPS, ShareArbitrageur, usd_wad
from harness.view import View

VAULT = 2
#: A curve of so many times a vault is its quote, to a part in so many.
_FLAT = 10**12


class Cycle(NamedTuple):
    """One way round: what goes in, what comes out, of the vault's asset; which leg is first."""

    amount: int
    out: int
    redeems: bool


def buy_and_redeem(state: VaultState, pool: Hop, cash: int) -> Cycle:
    """The best purchase of shares that are then redeemed; ``pool`` for buying them."""
    hops = (pool, Hop(state.shares * _FLAT, state.assets * _FLAT, 0))
    most = pool.input_for(min(state.payable_shares(), pool.reserve_out - 1))
    amount = min(best_input(hops), cash, most)
    return Cycle(amount, state.assets_down(pool.amount_out(amount)), redeems=True)


def deposit_and_sell(state: VaultState, pool: Hop, cash: int) -> Cycle:
    """The best deposit whose shares are then sold; ``pool`` for selling them. None where a vault
    has lost everything: it takes no deposits."""
    if not state.assets:
        return Cycle(0, 0, redeems=False)
    hops = (Hop(state.assets * _FLAT, state.shares * _FLAT, 0), pool)
    amount = min(best_input(hops), cash)
    return Cycle(amount, pool.amount_out(state.shares_down(amount)), redeems=False)


def to_hold(state: VaultState, pool: Hop, cash: int, discount_bps: int) -> tuple[int, int]:
    """What goes into a purchase after which the pool's price is so far below what a share is worth,
    and the least it is to bring; ``pool`` for buying shares."""
    dear, cheap = state.shares * BPS, state.assets * (BPS - discount_bps)
    amount = min(cash, pool.best_sale(cheap, dear)) if cheap else 0
    return amount, amount * dear // cheap if cheap else 0


class ShareArbitrageurAgent(Participant[ShareArbitrageur]):
    """One arbitrageur, with the vault's asset as its inventory, and shares if it may hold them."""

    def __init__(self, spec: ShareArbitrageur, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._pool = context.world.pools[spec.pool]
        self._vault = context.world.vault_of[self._pool.base]
        self._floor = usd_wad(spec.min_profit_usd)

    def act(self, view: View) -> list[Order]:
        """One order if either way round pays more than the fee and the least profit; otherwise to
        redeem what it holds, or to buy what it may hold."""
        state = view.vaults[self._vault.spec.name]
        if self._outages.out(view) or not state.shares:
            return []
        return self._round(view, state) or self._patience(view, state)

    def _round(self, view: View, state: VaultState) -> list[Order]:
        share, asset, name = self._pool.base, self._pool.quote, self._spec.pool
        cash = view.balances(asset, [self._sender])[0]
        costs = self._costs(view, "arbitrage_shares")
        for cycle in (
            buy_and_redeem(state, view.pool_hop(name, asset), cash),
            deposit_and_sell(state, view.pool_hop(name, share), cash),
        ):
            gain = view.usd_wad(asset, max(0, cycle.out - cycle.amount))
            if cycle.amount > 0 and gain > costs:
                return [self._order(view, cycle)]
        return []

    def _patience(self, view: View, state: VaultState) -> list[Order]:
        """The redemption of what it holds, as far as the vault can pay, or else a purchase."""
        swap, discount = self._world.share_traders.swap, self._spec.holding_discount_bps
        if swap is None or not discount:
            return []
        share, asset, owner = self._vault.vault, self._pool.quote, self._sender
        held = view.balances(self._pool.base, [owner])[0]
        redeemed = min(held, state.payable_shares())
        if view.usd_wad(asset, state.assets_down(redeemed)) > self._costs(view, "redeem"):
            data = share.encode("redeem", redeemed, owner, owner)
            return [self._maker.order(view, "redeem", "", share.address, data)]
        cash = view.balances(asset, [owner])[0]
        amount, least = to_hold(state, view.pool_hop(self._spec.pool, asset), cash, discount)
        gain = view.usd_wad(asset, max(0, state.assets_down(least) - amount))
        if not amount or gain <= self._costs(view, "trade_shares"):
            return []
        pool, token = self._pool.contract.address, self._world.tokens[asset].address
        data = swap.encode("swapExactIn", pool, token, amount, least, owner)
        return [self._maker.order(view, "trade_shares", "", swap.address, data)]

    def _costs(self, view: View, action: str) -> int:
        """The fee and the least profit, USD WAD."""
        fee = self._maker.bid(view, "") * DECLARED_GAS[action]
        return self._floor + view.usd_wad(self._fee_asset, fee)

    def _order(self, view: View, cycle: Cycle) -> Order:
        executor = self._world.share_traders.arbitrage
        if executor is None:
            raise TypeError("the set-up deploys it for every share-arbitrageur")
        share, asset = self._vault.vault.address, self._world.tokens[self._pool.quote].address
        pool = self._pool.contract.address
        legs = [(share, VAULT, asset), (pool, POOL, share)]
        if cycle.redeems:
            legs = [(pool, POOL, asset), (share, VAULT, share)]
        unit = self._world.units[self._pool.quote]
        least = self._floor * unit // view.external_wad(self._pool.quote)
        data = executor.encode("arbitrage", legs, cycle.amount, least)
        return self._maker.order(view, "arbitrage_shares", "", executor.address, data)


__all__ = ["Cycle", "ShareArbitrageurAgent", "buy_and_redeem", "deposit_and_sell"]
