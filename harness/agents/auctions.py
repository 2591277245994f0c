"""Who starts auctions, and who buys in them.

A trigger is paid an incentive by Dutch auctions and nothing by English ones. A buyer in a Dutch
auction takes what sells on at a profit at the price it has seen, which only falls until it pays. A
bidder in an English auction raises the bid, then lowers the lot, as long as the sale of the lot
would still leave its margin; what it wins it settles and sells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from harness.agents.base import Context
from harness.agents.liquidator import Curves, Purse
from harness.agents.participant import VenueParticipant
from harness.feeds import MAX_UINT
from harness.modules.state import DutchSale, EnglishSale, ModuleState, Throttle
from harness.orders import DECLARED_GAS, Order
from harness.protocols.pooled_lending import NO_CAP, RAY, Quote
from harness.scenario import (
    BPS,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    Trigger,
    base_units,
    usd_wad,
)
from harness.view import VenueState, View

WAD = 10**18

#: How many of the largest unhealthy accounts are weighed for each transaction in flight.
ATTENTION = 4


P = TypeVar("P", bound=Trigger | Buyer | Depositor)


class ModuleParticipant(VenueParticipant[P], ABC):
    """What triggers, buyers and depositors share: a floor under gains, orders in flight."""

    def __init__(self, spec: P, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        # a depositor's three steps follow each other
        self._most = 3 if isinstance(spec, Depositor) else spec.max_transactions
        self._floor = 0 if isinstance(spec, Depositor) else usd_wad(spec.min_profit_usd)
        self._in_flight: set[str] = set()

    def act(self, view: View) -> list[Order]:
        """Orders for the next block."""
        venue = view.venues[self.venue]
        if venue.module is None or self._outages.out(view):
            return []
        self._in_flight = {key for owner, key in view.mempool if owner == self.name}
        return self._orders(view, venue, venue.module)

    @abstractmethod
    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        """Orders of this kind of participant, where the venue has a module and it is not out."""

    def _may_send(self, key: str) -> bool:
        """Whether another order may be in flight; one that waits is only raised."""
        return key in self._in_flight or len(self._in_flight) < self._most

    def _order(self, view: View, action: str, key: str, to: bytes, data: bytes) -> Order:
        self._in_flight.add(key)
        return self._maker.order(view, action, key, to, data)

    def _fee_usd(self, view: View, action: str, key: str) -> int:
        """What sending costs at what would be bid now, USD WAD."""
        fee = self._maker.bid(view, key) * DECLARED_GAS[action]
        return view.usd_wad(self._fee_asset, fee)


# --- Dutch auctions


class DutchTrigger(ModuleParticipant[Trigger]):
    """Takes accounts to auction as far as the throttle leaves room, and resets auctions."""

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        orders = [
            order
            for sale in module.dutch_sales
            if sale.needs_reset
            for order in self._reset(view, venue, module, sale)
        ]
        if not venue.unhealthy_since:
            return orders
        rooms = dict(enumerate(module.throttle))
        for quote in venue.candidates(ATTENTION * self._most):
            orders += self._trigger(view, venue, module, quote, rooms)
        return orders

    def _incentive_usd(self, module: ModuleState, tab_usd: int) -> int:
        design = module.handle.design
        if not isinstance(design, DutchAuctions):
            return 0
        return usd_wad(design.flat_incentive_usd) + tab_usd * design.incentive_bps // BPS

    def _pays(self, view: View, action: str, key: str, incentive: int) -> bool:
        return incentive - self._fee_usd(view, action, key) >= self._floor

    def _trigger(
        self,
        view: View,
        venue: VenueState,
        module: ModuleState,
        quote: Quote,
        rooms: dict[int, Throttle],
    ) -> list[Order]:
        key = str(quote.account)
        trigger, design = module.handle.trigger, module.handle.design
        if not isinstance(design, DutchAuctions) or trigger is None or not self._may_send(key):
            return []
        words = venue.venue.position_words(quote.account, venue.states)
        unit = 10 ** venue.venue.decimals[quote.debt]
        debt_usd = (words[quote.debt] & NO_CAP) * venue.states[quote.debt].price_wad // unit
        limit = rooms[quote.collateral]
        if not limit.penalty_bps:
            return []
        fits, dust = limit.room * BPS // limit.penalty_bps, usd_wad(design.dust_usd)
        if debt_usd - fits >= dust:
            if fits < dust:
                return []
            debt_usd = fits
        elif limit.room == 0:
            return []
        tab_usd = debt_usd * limit.penalty_bps // BPS
        # an auction of dust pays nobody
        incentive = self._incentive_usd(module, tab_usd) if debt_usd >= dust else 0
        if not self._pays(view, "auction", key, incentive):
            return []
        rooms[quote.collateral] = limit._replace(room=max(0, limit.room - tab_usd))
        tokens, assets = self._world.tokens, venue.venue.assets
        data = trigger.encode(
            "trigger",
            venue.venue.accounts[quote.account],
            tokens[assets[quote.collateral]].address,
            tokens[assets[quote.debt]].address,
            self._sender,
        )
        return [self._order(view, "auction", key, trigger.address, data)]

    def _reset(
        self, view: View, venue: VenueState, module: ModuleState, sale: DutchSale
    ) -> list[Order]:
        key = f"auction {sale.number}"
        price = venue.states[sale.item.debt].price_wad
        tab_usd = sale.tab * price // 10 ** venue.venue.decimals[sale.item.debt]
        if not self._may_send(key) or not self._pays(
            view, "reset", key, self._incentive_usd(module, tab_usd)
        ):
            return []
        auction = module.handle.contract
        data = auction.encode("redo", sale.number, self._sender)
        return [self._order(view, "reset", key, auction.address, data)]


def purchase(sale: DutchSale, most: int) -> tuple[int, int]:
    """What a buyer of at most ``most`` gets and pays at the price of now, as the auction reckons;
    nothing where it would be refused."""
    price = sale.price_ray
    bought = min(sale.lot, most)
    paid = -(-bought * price // RAY)
    if paid > sale.tab:
        paid = sale.tab
        bought = min(bought, paid * RAY // price)
    elif paid < sale.tab and bought < sale.lot and sale.tab - paid < sale.least_tab:
        if sale.tab <= sale.least_tab:
            return 0, 0
        paid = sale.tab - sale.least_tab
        bought = paid * RAY // price
    return bought, paid


class DutchBuyer(ModuleParticipant[Buyer]):
    """Buys what sells on at a profit."""

    def __init__(self, spec: Buyer, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._purse = Purse(self._sender)

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        if not module.dutch_sales:
            return []
        self._purse.refresh(view)
        curves = Curves(view, self.venue)
        open_sales = [sale for sale in module.dutch_sales if not sale.needs_reset]
        # the cheapest first: what is left of the curve is for the dearer ones
        open_sales.sort(key=lambda sale: (sale.price_ray, sale.number))
        orders = []
        for sale in open_sales:
            order = self._buy(view, venue, module, sale, curves)
            if order is not None:
                orders.append(order)
        return orders

    def _buy(
        self, view: View, venue: VenueState, module: ModuleState, sale: DutchSale, curves: Curves
    ) -> Order | None:
        key = f"auction {sale.number}"
        executor = module.handle.executor
        if executor is None or sale.lot == 0 or sale.price_ray == 0 or not self._may_send(key):
            return None
        assets = venue.venue.assets
        sold, debt = assets[sale.item.collateral], assets[sale.item.debt]
        balance = view.balances(debt, [self._sender])[0]
        capital = balance - self._purse.in_flight(debt, (self.name, key))
        whole = -(-sale.lot * sale.price_ray // RAY)
        quote = Quote(sale.item.account, 0, sale.item.collateral, sale.item.debt, whole, sale.lot)
        best = curves.best_repay(sold, debt, quote)
        if best is None or capital <= 0:
            return None
        bought, paid = purchase(sale, min(best, capital) * RAY // sale.price_ray)
        if bought == 0 or paid > capital:
            return None
        proceeds = curves.proceeds(sold, debt, bought)
        needed = paid + proceeds * self._spec.margin_bps // BPS
        gain = view.usd_wad(debt, max(0, proceeds - needed))
        if proceeds <= needed or gain < self._floor + self._fee_usd(view, "buy", key):
            return None
        curves.sell(sold, debt, bought)
        most_paid = min(capital, sale.tab)
        self._purse.commit((self.name, key), debt, most_paid, view.index)
        data = executor.encode(
            "buyAtAuction",
            module.handle.contract.address,
            sale.number,
            # until it runs the lot grows with interest and the price falls: what would have raised
            # all or taken all must not leave dust
            MAX_UINT if bought == sale.lot or paid == sale.tab else bought,
            sale.price_ray,
            most_paid,
            self._floor * self._world.units[debt] // view.external_wad(debt),
        )
        return self._order(view, "buy", key, executor.address, data)


# --- English auctions


class EnglishTrigger(ModuleParticipant[Trigger]):
    """Puts up the lots of unhealthy accounts, and restarts auctions that got no bid."""

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        auction, design = module.handle.contract, module.handle.design
        if not isinstance(design, EnglishAuctions):
            return []
        orders = []
        for sale in module.english_sales:
            key = f"auction {sale.number}"
            if sale.bidder is None and view.timestamp > sale.ends and self._may_send(key):
                data = auction.encode("restart", sale.number)
                orders.append(self._order(view, "reset", key, auction.address, data))
        if not venue.unhealthy_since:
            return orders
        for quote in venue.candidates(ATTENTION * self._most):
            symbol = venue.venue.assets[quote.collateral]
            words = venue.venue.position_words(quote.account, venue.states)
            lot = base_units(design.largest_lot, self._world.decimals[symbol])
            lots = -(-(words[quote.collateral] >> 128) // lot)
            for part in range(lots):
                key = f"{quote.account} lot {part}"
                if not self._may_send(key):
                    return orders
                data = auction.encode(
                    "kick",
                    venue.venue.accounts[quote.account],
                    self._world.tokens[symbol].address,
                    self._world.tokens[venue.venue.assets[quote.debt]].address,
                )
                orders.append(self._order(view, "auction", key, auction.address, data))
        return orders


class EnglishBidder(ModuleParticipant[Buyer]):
    """Bids, settles what it has won, and sells it."""

    def __init__(self, spec: Buyer, index: int, context: Context) -> None:
        super().__init__(spec, index, context)
        self._purse = Purse(self._sender)
        #: since when it has had each asset to sell, epoch seconds
        self._held_since: dict[str, int] = {}

    def _orders(self, view: View, venue: VenueState, module: ModuleState) -> list[Order]:
        self._purse.refresh(view)
        orders = self._sales(view, venue)
        curves = Curves(view, self.venue)
        assets = venue.venue.assets
        for sale in module.english_sales:
            if sale.bidder == self._sender:
                orders += self._settle(view, module, sale)
                # what it is about to win it will sell as well
                pair = assets[sale.item.collateral], assets[sale.item.debt]
                curves.sell(*pair, sale.lot)
        costs = sum(self._fee_usd(view, action, "") for action in ("bid", "settle", "sell"))
        for sale in module.english_sales:
            if sale.bidder != self._sender and not _over(sale, view.timestamp):
                orders += self._bid(view, venue, module, sale, curves, costs + self._floor)
        return orders

    def _settle(self, view: View, module: ModuleState, sale: EnglishSale) -> list[Order]:
        key = f"settle {sale.number}"
        auction = module.handle.contract
        if not _over(sale, view.timestamp) or not self._may_send(key):
            return []
        data = auction.encode("settle", sale.number, False)
        return [self._order(view, "settle", key, auction.address, data)]

    def _sales(self, view: View, venue: VenueState) -> list[Order]:
        """Sells what it has of the market's collateral, each against what it bids with."""
        router, orders = self._world.router, []
        bids_with = {symbol for symbol, _ in self._spec.capital}
        debt = next(iter(sorted(bids_with)), None)
        for symbol in venue.venue.assets:
            key = f"sell {symbol}"
            if debt is None or symbol in bids_with or not self._may_send(key):
                continue
            held = view.balances(symbol, [self._sender])[0]
            if held == 0 or not self._world.can_sell(symbol, debt):
                self._held_since.pop(symbol, None)
                continue
            since = self._held_since.setdefault(symbol, view.timestamp)
            if view.timestamp < since + self._spec.hold_s:
                continue
            data = router.encode(
                "sell",
                venue.venue.market.address,
                self._sender,
                self._world.tokens[symbol].address,
                self._world.tokens[debt].address,
                held,
                0,
                self._sender,
            )
            orders.append(self._order(view, "sell", key, router.address, data))
        return orders

    def _bid(
        self,
        view: View,
        venue: VenueState,
        module: ModuleState,
        sale: EnglishSale,
        curves: Curves,
        costs_usd: int,
    ) -> list[Order]:
        key = f"auction {sale.number}"
        design, auction = module.handle.design, module.handle.contract
        if not isinstance(design, EnglishAuctions) or not self._may_send(key):
            return []
        assets = venue.venue.assets
        sold, debt = assets[sale.item.collateral], assets[sale.item.debt]
        factor = WAD + design.bid_increase_bps * WAD // BPS
        if sale.bid < sale.tab:
            lot, least = sale.lot, least_bid(sale, factor)
        else:
            lot, least = sale.lot * WAD // factor, sale.tab
            if lot >= sale.lot:
                return []
        proceeds = curves.proceeds(sold, debt, lot)
        costs = costs_usd * self._world.units[debt] // view.external_wad(debt)
        most = proceeds - proceeds * self._spec.margin_bps // BPS - costs
        bid = min(sale.tab, max(least, most * self._spec.opening_bps // BPS))
        capital = view.balances(debt, [self._sender])[0]
        capital -= self._purse.in_flight(debt, (self.name, key))
        if bid > min(most, capital):
            return []
        self._purse.commit((self.name, key), debt, bid, view.index)
        curves.sell(sold, debt, lot)
        if sale.bid < sale.tab:
            data = auction.encode("raiseBid", sale.number, bid)
        else:
            data = auction.encode("lowerLot", sale.number, lot)
        return [self._order(view, "bid", key, auction.address, data)]


def least_bid(sale: EnglishSale, factor_wad: int) -> int:
    """The least bid that beats the last one, as the auction reckons."""
    raised = max(-(-sale.bid * factor_wad // WAD), sale.bid + 1)
    return min(raised, max(sale.tab, sale.bid + 1))


def _over(sale: EnglishSale, timestamp: int) -> bool:
    """Whether bidding is over in any block from now on."""
    won = sale.bidder is not None and timestamp >= sale.bid_ends
    return won or timestamp >= sale.ends
