"""Liquidators: each repays as much as pays best, from its own capital, and sells what it seizes.

How much pays best is for the curve to say on which the seized asset is sold (`harness.curves`,
`harness.share_exit`).
"""

from __future__ import annotations

from harness.accounts import account
from harness.agents.base import Context, OrderMaker, OutageClock, WithdrawalClock
from harness.curves import Hop
from harness.orders import DECLARED_GAS, Order
from harness.protocols.pooled_lending import Quote
from harness.scenario import WAD, Liquidator, usd_wad
from harness.share_exit import ShareExit
from harness.view import VenueState, View

#: How many opportunities a liquidator weighs for each transaction it can have in flight. It looks
#: on where it had to pass over some for a reason of their own, not one that all have.
_ATTENTION = 4


class Curves:
    """The curves on which forced sales are filled, as one liquidator's own sales leave them.

    Where the sink fills a venue's, at the current quote whatever the amount, nothing is left out
    for lack of depth.
    """

    def __init__(self, view: View, venue: str) -> None:
        self._view = view
        self._at_quote = view.cuts.sells_to_sink(venue)
        self._outlets: dict[tuple[str, str], Hop | ShareExit | None] = {}
        #: shares that can still be redeemed, by symbol, where that is the only way out of them;
        #: None for what is not
        self._redeemable: dict[str, int | None] = {}

    def _outlet(self, sold: str, bought: str) -> Hop | ShareExit | None:
        pair = (sold, bought)
        if pair not in self._outlets:
            view = self._view
            found = view.share_exit(sold, bought)
            self._outlets[pair] = view.forced_sale_hop(sold, bought) if found is None else found
        return self._outlets[pair]

    def _left(self, sold: str, bought: str) -> int | None:
        """What can be sold at all."""
        if self._at_quote or isinstance(self._outlet(sold, bought), ShareExit):
            return None
        if sold not in self._redeemable:
            self._redeemable[sold] = self._view.redeemable(sold)
        return self._redeemable[sold]

    def best_repay(self, sold: str, bought: str, quote: Quote) -> int | None:
        """The repayment after which selling more of what is seized loses money; None where no
        pool trades the pair."""
        outlet = self._outlet(sold, bought)
        if outlet is None:
            return None
        if self._at_quote:
            return quote.max_repay
        sale = outlet.best_sale(quote.seized, quote.max_repay)
        left = self._left(sold, bought)
        if left is not None:
            sale = min(sale, left)
        return min(quote.max_repay, sale * quote.max_repay // max(1, quote.seized))

    def proceeds(self, sold: str, bought: str, amount: int) -> int:
        """What a sale brings, 0 where there is no pool for the pair."""
        outlet = self._outlet(sold, bought)
        if outlet is None:
            return 0
        return outlet.marginal_out(amount) if self._at_quote else outlet.amount_out(amount)

    def sell(self, sold: str, bought: str, amount: int) -> None:
        """Moves the curve as a sale would."""
        outlet = self._outlet(sold, bought)
        if outlet is not None and not self._at_quote:
            self._outlets[sold, bought] = outlet.after(amount)
            left = self._left(sold, bought)
            if left is not None:
                self._redeemable[sold] = left - amount


class Purse:
    """A liquidator's capital, and what its orders in flight will take of it."""

    def __init__(self, owner: bytes) -> None:
        self.owner = owner
        #: by agent and key: debt asset, amount, and the block after which the order was made
        self._committed: dict[tuple[str, str], tuple[str, int, int]] = {}

    def refresh(self, view: View) -> None:
        """Forgets orders that no longer wait, but for those just made."""
        self._committed = {
            order: held
            for order, held in self._committed.items()
            if order in view.mempool or held[2] == view.index
        }

    def in_flight(self, symbol: str, but: tuple[str, str]) -> int:
        """What all orders but one take of an asset."""
        return sum(
            amount
            for order, (asset, amount, _) in self._committed.items()
            if asset == symbol and order != but
        )

    def commit(self, order: tuple[str, str], symbol: str, amount: int, index: int) -> None:
        """Notes an order; one that waits keeps what it says, only its bid is raised."""
        self._committed.setdefault(order, (symbol, amount, index))


def liquidators(spec: Liquidator, index: int, context: Context) -> list[LiquidatorAgent]:
    """Liquidator number ``index``: an agent for each venue it serves, all with one purse, but for
    venues to which the capital of others is cut."""
    name = f"{spec.name}-{index}" if spec.count > 1 else spec.name
    shared = Purse(account(spec.name, index).address)
    agents = []
    for venue in spec.serves:
        purse = shared
        if spec.further_venues and context.cuts.has(venue, "liquidator"):
            purse = Purse(account(spec.purse(venue), index).address)
        own_name = name if venue == spec.venue else f"{name}@{venue}"
        agents.append(LiquidatorAgent(spec, own_name, venue, purse, context))
    return agents


class LiquidatorAgent:
    """One liquidator in one venue."""

    def __init__(
        self, spec: Liquidator, name: str, venue: str, purse: Purse, context: Context
    ) -> None:
        self.name = name
        self.venue = venue
        self._spec = spec
        self._purse = purse
        self._sender = purse.owner
        self._world = context.world
        self._fee_asset = context.scenario.block_space.fee_asset
        self._outages = OutageClock(spec.outages, context, self.name)
        self._withdrawal = WithdrawalClock(spec.withdrawal, context, spec.name, self.name)
        self._flash_loan = spec.funding == "flash-loan"
        self._maker = OrderMaker(context, self.name, self._sender, spec.bid, spec.latency_blocks)
        self._floor = usd_wad(spec.min_profit_usd)

    def act(self, view: View) -> list[Order]:
        """Orders for the most profitable accounts that capital and orders in flight allow."""
        venue = view.venues[self.venue]
        gone = self._withdrawal.gone(view)
        if not venue.unhealthy_since or gone or self._outages.out(view):
            return []
        mine = {key for owner, key in view.mempool if owner == self.name}
        self._purse.refresh(view)
        attention = _ATTENTION * self._spec.max_transactions
        orders, passed_over = self._offers(view, venue, attention, mine)
        while passed_over and not orders and attention < len(venue.unhealthy_since):
            attention *= 4
            orders, passed_over = self._offers(view, venue, attention, mine)
        return orders

    def _offers(
        self, view: View, venue: VenueState, attention: int, mine: set[str]
    ) -> tuple[list[Order], bool]:
        """Orders for the best of the ``attention`` largest opportunities, and whether some were
        passed over that no pool trades or of which too little would be left."""
        curves = Curves(view, self.venue)
        orders: list[Order] = []
        passed_over = False
        for quote in self._ranked(view, venue, attention):
            key = str(quote.account)
            if len(mine) >= self._spec.max_transactions and key not in mine:
                continue
            wanted = self._wanted(view, venue, quote, key, curves)
            repay = 0 if wanted is None else venue.without_dust(quote, wanted)
            passed_over |= wanted is None or wanted > 0 >= repay
            order = self._offer(view, venue, quote, repay, curves) if repay > 0 else None
            if order is not None:
                mine.add(key)
                orders.append(order)
        return orders, passed_over

    def _ranked(self, view: View, venue: VenueState, attention: int) -> list[Quote]:
        """Quotes by what the bonus is worth, the largest first."""
        assets = venue.venue.assets

        def bonus(quote: Quote) -> int:
            return view.usd_wad(assets[quote.collateral], quote.seized) - view.usd_wad(
                assets[quote.debt], quote.max_repay
            )

        # the pool may pay more than the outside price, but not twice the bonus more
        fee = self._maker.bid(view, "") * DECLARED_GAS["liquidate"]
        least = (self._floor + view.usd_wad(self._fee_asset, fee)) / WAD / 2
        quotes = venue.quotes(least, attention)
        return sorted(quotes, key=lambda quote: (-bonus(quote), quote.account))

    def _wanted(
        self, view: View, venue: VenueState, quote: Quote, key: str, curves: Curves
    ) -> int | None:
        """What capital allows and pays best; None where no pool trades the pair."""
        assets = venue.venue.assets
        collateral, debt = assets[quote.collateral], assets[quote.debt]
        repay = min(quote.max_repay, self._available(view, venue, quote, key))
        if collateral == debt:
            return repay
        best = curves.best_repay(collateral, debt, quote)
        return None if best is None else min(repay, best)

    def _available(self, view: View, venue: VenueState, quote: Quote, key: str) -> int:
        """What this liquidator can put up of the debt asset, beside what its orders in flight
        take."""
        if self._flash_loan or venue.venue.needs_no_capital:
            return venue.venue.borrowable(quote, venue.states)
        debt = venue.venue.assets[quote.debt]
        in_flight = self._purse.in_flight(debt, (self.name, key))
        return view.balances(debt, [self._sender])[0] - in_flight

    def _offer(
        self, view: View, venue: VenueState, quote: Quote, repay: int, curves: Curves
    ) -> Order | None:
        """An order for this repayment, if it pays."""
        key = str(quote.account)
        assets = venue.venue.assets
        collateral, debt = assets[quote.collateral], assets[quote.debt]
        seized = quote.seized * repay // quote.max_repay
        proceeds = seized if collateral == debt else curves.proceeds(collateral, debt, seized)
        cost = repay + (venue.venue.flash_fee_up(repay) if self._flash_loan else 0)
        gain = view.usd_wad(debt, max(0, proceeds - cost))
        action = self._world.liquidation_of(collateral)
        fee = view.usd_wad(self._fee_asset, self._maker.bid(view, key) * DECLARED_GAS[action])
        if proceeds <= cost or gain < self._floor + fee:
            return None
        if collateral != debt:
            curves.sell(collateral, debt, seized)
        self._purse.commit((self.name, key), debt, repay, view.index)
        least = self._floor * self._world.units[debt] // view.external_wad(debt)
        executor, data = venue.venue.liquidation_call(
            quote, repay, least, flash_loan=self._flash_loan
        )
        return self._maker.order(view, action, key, executor.address, data)
