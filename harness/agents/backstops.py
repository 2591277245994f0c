"""Those around designs that take accounts over at once: absorption and stability pools.

Absorbing pays nobody; buyers then take what is for sale at the ask price, as far as the pool pays
more for it. A stability pool pays who starts a liquidation in collateral; its depositors take out
what they have gained once it is worth a transaction, and sell it.
"""

from __future__ import annotations

from harness.agents.auctions import ATTENTION, ModuleParticipant
from harness.agents.base import Context
from harness.agents.liquidator import Curves, Purse
from harness.feeds import MAX_UINT
from harness.modules.state import ModuleState
from harness.orders import Order
from harness.protocols.pooled_lending import NO_CAP, RAY, Quote
from harness.scenario import (
    BPS,
    AbsorbAndSell,
    Buyer,
    Depositor,
    StabilityDeposits,
    Trigger,
    usd_wad,
)
from harness.view import VenueState, View

#: Below this part of what was offered a purchase of absorbed collateral is not wanted.
_SLIPPAGE_BPS = 50


class Absorber(ModuleParticipant[Trigger]):
    """Has unhealthy accounts absorbed, and settles what is left when all is sold."""

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        contract, design = module.handle.contract, module.handle.design
        if not isinstance(design, AbsorbAndSell):
            return []
        orders = []
        front = module.store_front
        if front.owed and not any(front.for_sale) and self._may_send("reserves"):
            data = contract.encode("settle")
            orders.append(self._order(view, "settle_reserves", "reserves", contract.address, data))
        if not venue.unhealthy_since:
            return orders
        base = venue.venue.assets.index(design.base)
        for quote in venue.candidates(ATTENTION * self._most):
            words = venue.venue.position_words(quote.account, venue.states)
            owes_other = any(word & NO_CAP for i, word in enumerate(words) if i != base)
            key = str(quote.account)
            if owes_other or not self._may_send(key):
                continue
            data = contract.encode("absorb", [venue.venue.accounts[quote.account]])
            orders.append(self._order(view, "absorb", key, contract.address, data))
        return orders


class StoreBuyer(ModuleParticipant[Buyer]):
    """Buys absorbed collateral and sells it on at a profit."""

    def __init__(self, spec: Buyer, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._purse = Purse(self._sender)

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        design, executor = module.handle.design, module.handle.executor
        if not isinstance(design, AbsorbAndSell) or executor is None:
            return []
        front = module.store_front
        if front.reserves >= front.target:
            return []
        self._purse.refresh(view)
        curves = Curves(view, self.venue)
        base = venue.venue.assets.index(design.base)
        orders = []
        for place in range(len(front.for_sale)):
            order = self._buy(view, venue, module, place, base, curves)
            if order is not None:
                orders.append(order)
        return orders

    def _buy(
        self,
        view: View,
        venue: VenueState,
        module: ModuleState,
        place: int,
        base: int,
        curves: Curves,
    ) -> Order | None:
        front, executor = module.store_front, module.handle.executor
        sold, paid_in = venue.venue.assets[place], venue.venue.assets[base]
        key = f"store {sold}"
        price = venue.states[base].price_wad
        for_sale, ask = front.for_sale[place], front.ask_wad[place]
        if executor is None or not (for_sale and ask and price) or not self._may_send(key):
            return None
        units = self._world.units
        whole = -(-for_sale * ask * units[paid_in] // (price * units[sold]))
        best = curves.best_repay(sold, paid_in, Quote(-1, 0, place, base, whole, for_sale))
        balance = view.balances(paid_in, [self._sender])[0]
        capital = balance - self._purse.in_flight(paid_in, (self.name, key))
        if best is None:
            return None
        paid = min(best, capital)
        # the last base unit takes what is left
        bought = min(for_sale, paid * price * units[sold] // (units[paid_in] * ask))
        if paid <= 0 or bought <= 0:
            return None
        proceeds = curves.proceeds(sold, paid_in, bought)
        needed = paid + proceeds * self._spec.margin_bps // BPS
        gain = view.usd_wad(paid_in, max(0, proceeds - needed))
        if proceeds <= needed or gain < self._floor + self._fee_usd(view, "buy", key):
            return None
        curves.sell(sold, paid_in, bought)
        self._purse.commit((self.name, key), paid_in, paid, view.index)
        data = executor.encode(
            "buyAbsorbed",
            module.handle.contract.address,
            self._world.tokens[sold].address,
            paid,
            bought - bought * _SLIPPAGE_BPS // BPS,
            self._floor * units[paid_in] // view.external_wad(paid_in),
        )
        return self._order(view, "buy", key, executor.address, data)


class PoolTrigger(ModuleParticipant[Trigger]):
    """Has the stability pool take unhealthy accounts over, for its share of their collateral."""

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        contract, design = module.handle.contract, module.handle.design
        if not venue.unhealthy_since or not isinstance(design, StabilityDeposits):
            return []
        collateral = venue.venue.assets.index(design.collateral)
        debt = venue.venue.assets.index(design.debt)
        orders = []
        for quote in venue.candidates(ATTENTION * self._most):
            key = str(quote.account)
            words = venue.venue.position_words(quote.account, venue.states)
            claims = words[collateral] >> 128
            if not claims or not words[debt] & NO_CAP or not self._may_send(key):
                continue
            reward = view.usd_wad(design.collateral, claims * design.keeper_share_bps // BPS)
            if reward < self._floor + self._fee_usd(view, "offset", key):
                continue
            data = contract.encode("liquidate", venue.venue.accounts[quote.account])
            orders.append(self._order(view, "offset", key, contract.address, data))
        return orders


class DepositorAgent(ModuleParticipant[Depositor]):
    """Takes its gain out of the pool, then its claims out of the market, then sells."""

    def __init__(self, spec: Depositor, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._least = usd_wad(spec.min_gain_usd)

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        design = module.handle.design
        if not isinstance(design, StabilityDeposits):
            return []
        contract, market, router = module.handle.contract, venue.venue.market, self._world.router
        symbol = design.collateral
        place = venue.venue.assets.index(symbol)
        token = self._world.tokens[symbol]
        index_ray = venue.states[place].supply_index
        orders = []
        _, gain = module.pool.parts[module.handle.depositors.index(self._sender)]
        worth = view.usd_wad(symbol, gain * index_ray // RAY)
        pays = gain and worth >= self._least + self._fee_usd(view, "claim", "claim")
        if pays and self._may_send("claim"):
            data = contract.encode("withdraw", 0)
            orders.append(self._order(view, "claim", "claim", contract.address, data))
        claims = module.claims_of(self._sender, place) * index_ray // RAY
        if claims and venue.states[place].cash >= claims and self._may_send("withdraw"):
            data = market.encode("withdraw", token.address, MAX_UINT, self._sender, self._sender)
            orders.append(self._order(view, "claim", "withdraw", market.address, data))
        held = view.balances(symbol, [self._sender])[0]
        if held and self._world.can_sell(symbol, design.debt) and self._may_send("sell"):
            data = router.encode(
                "sell",
                market.address,
                self._sender,
                token.address,
                self._world.tokens[design.debt].address,
                held,
                0,
                self._sender,
            )
            orders.append(self._order(view, "sell_gain", "sell", router.address, data))
        return orders
