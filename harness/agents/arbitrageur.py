"""Arbitrage between a pool and the outside markets of its two assets.

Starting and ending in USD: buy one asset outside, swap it in the pool, sell the other outside.
Each leg is a constant product, and so is the chain of them: out(x) = n x / (m + k x). The profit
out(x) - x is greatest at x = (sqrt(n m) - m) / k.

Source: the composition of constant-product curves; it is exact for what the contracts compute,
up to their rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from harness.agents.base import Context
from harness.agents.participant import Participant
from harness.curves import PIPS, Hop
from harness.orders import DECLARED_GAS, Order
from harness.people import USD, USD_DECIMALS
from harness.scenario import Arbitrageur, usd_wad
from harness.view import View

POOL, EXTERNAL = 0, 1


def best_input(hops: Sequence[Hop]) -> int:
    """The input with the greatest profit on a cycle of curves; 0 if none has any."""
    n, m, k = 1, 1, 0
    for hop in hops:
        kept = PIPS - hop.fee_pips
        n, m, k = (
            n * hop.reserve_out * kept,
            m * hop.reserve_in * PIPS,
            k * hop.reserve_in * PIPS + n * kept,
        )
    return (isqrt(n * m) - m) // k if n > m else 0


class ArbitrageurAgent(Participant[Arbitrageur]):
    """One arbitrageur, with USD cash as its inventory."""

    def __init__(self, spec: Arbitrageur, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        pool = context.world.pools[spec.pool]
        self._routes = ((pool.base, pool.quote), (pool.quote, pool.base))
        self._floor = usd_wad(spec.min_profit_usd)

    def act(self, view: View) -> list[Order]:
        """One order if either direction pays more than the fee and the least profit."""
        if self._outages.out(view):
            return []
        for bought, sold in self._routes:
            hops = (
                view.external_hop(bought, sell=False),
                view.pool_hop(self._spec.pool, bought),
                view.external_hop(sold, sell=True),
            )
            amount = best_input(hops)
            if amount <= 0:
                continue
            amount = min(amount, view.balances(USD, [self._sender])[0])
            out = amount
            for hop in hops:
                out = hop.amount_out(out)
            # a fraction of a cent is lost to rounding in each leg of the contracts
            gain = (out - amount) * 10 ** (18 - USD_DECIMALS)
            fee = self._maker.bid(view, "") * DECLARED_GAS["arbitrage"]
            if gain > self._floor + view.usd_wad(self._fee_asset, fee):
                return [self._order(view, bought, sold, amount)]
        return []

    def _order(self, view: View, bought: str, sold: str, amount: int) -> Order:
        world = self._world
        legs = [
            (world.externals[bought].address, EXTERNAL, world.tokens[USD].address),
            (world.pools[self._spec.pool].contract.address, POOL, world.tokens[bought].address),
            (world.externals[sold].address, EXTERNAL, world.tokens[sold].address),
        ]
        executor = world.arbitrage_executor
        least = self._floor // 10 ** (18 - USD_DECIMALS)
        data = executor.encode("arbitrage", legs, amount, least)
        return self._maker.order(view, "arbitrage", "", executor.address, data)
