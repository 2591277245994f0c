"""Borrowers who meet a margin call with cash, sell collateral, or do nothing.

With A the collateral at its liquidation thresholds and D the debt, both in USD, a target health
factor h is met by adding (h D - A) / threshold of collateral, by repaying D - A / h, or by selling
(h D - A) / (h - threshold) of collateral and repaying with the proceeds.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.agents.base import Context
from harness.agents.called import CalledBorrowers
from harness.orders import Order
from harness.population import Position
from harness.protocols.pooled_lending import BPS, WAD, Holding
from harness.scenario.names import BORROWERS
from harness.view import VenueState, View

#: A sale is planned for this share of what the health check of the withdrawal allows: interest
#: and the next price may take a little of it before the transaction runs.
_WITHDRAWAL_MARGIN_BPS = 9_900


class BorrowerAgent(CalledBorrowers):
    """The borrowers of one venue who respond to margin calls."""

    def __init__(self, venue: str, context: Context) -> None:
        super().__init__(f"{BORROWERS}{venue}", venue, context)
        #: blocks each account takes to answer, without those that never do or have spent their cash
        self._latencies = {
            number: position.latency_blocks
            for number, position in enumerate(context.world.venues[venue].positions)
            if position.action in ("top-up", "deleverage")
        }

    def act(self, view: View) -> list[Order]:
        """An order for every called account whose time to answer has come."""
        venue = view.venues[self.venue]
        positions, latencies, next_block = venue.venue.positions, self._latencies, view.next_block
        due = [
            (number, positions[number])
            for number, called in venue.calls.open.items()
            if number in latencies
            and next_block >= called.block + latencies[number]
            # nothing can be withdrawn from an unhealthy account
            and (number not in venue.unhealthy_since or positions[number].action == "top-up")
            and (self.name, str(number)) not in view.mempool
        ]
        self._read_cash(view, venue, due)
        answers = [self._answer(view, venue, number, position) for number, position in due]
        return [order for order in answers if order is not None] + self._raised(view)

    def _read_cash(
        self, view: View, venue: VenueState, due: Sequence[tuple[int, Position]]
    ) -> None:
        """Reads the cash of all who are due with one call for each asset."""
        holders: dict[str, list[bytes]] = {}
        for number, position in due:
            for symbol, _ in position.cash:
                holders.setdefault(symbol, []).append(venue.venue.accounts[number])
        for symbol, accounts in holders.items():
            view.balances(symbol, accounts)

    def _answer(
        self, view: View, venue: VenueState, number: int, position: Position
    ) -> Order | None:
        holdings = venue.holdings(number)
        for holding, price in zip(holdings, venue.oracle_prices, strict=True):
            if price == 0 and (holding.claims or holding.debt):
                return None
        debt_asset = max(range(len(holdings)), key=lambda i: holdings[i].debt_usd)
        collateral_asset = max(range(len(holdings)), key=lambda i: holdings[i].threshold_usd)
        if not holdings[debt_asset].debt:
            return None
        secured = sum(holding.threshold_usd for holding in holdings)
        owed = sum(holding.debt_usd for holding in holdings)
        missing = position.target_health_factor * owed // WAD - secured
        if missing <= 0:
            return None
        if position.action == "top-up":
            return self._top_up(view, venue, number, position, holdings, owed, secured, missing)
        if not holdings[collateral_asset].threshold_usd:
            return None
        pair = (collateral_asset, debt_asset)
        return self._deleverage(
            view, venue, number, position, holdings, pair, owed, secured, missing
        )

    def _top_up(
        self,
        view: View,
        venue: VenueState,
        number: int,
        position: Position,
        holdings: Sequence[Holding],
        owed: int,
        secured: int,
        missing: int,
    ) -> Order | None:
        """Supplies or repays from the wallet, as far as the cash goes."""
        market = venue.venue.market
        sender = venue.venue.accounts[number]
        for symbol, _ in position.cash:
            place = venue.venue.assets.index(symbol)
            price = venue.oracle_prices[place]
            if price == 0:
                return None
            unit = 10 ** venue.venue.decimals[place]
            cash = view.balances(symbol, [sender])[0]
            holding = holdings[place]
            if holding.debt:
                needed_usd = owed - secured * WAD // position.target_health_factor
                amount = min(cash, holding.debt, -(-needed_usd * unit // price))
                call = venue.venue.repay_call(symbol, amount, sender)
            else:
                threshold = venue.venue.thresholds_bps[place]
                if not threshold:
                    continue
                amount = min(cash, -(-missing * BPS * unit // (threshold * price)))
                call = venue.venue.supply_call(symbol, amount, sender)
            if amount > 0:
                maker = self._maker(number)
                return maker.order(view, "top_up", str(number), market.address, call)
        del self._latencies[number]
        return None

    def _deleverage(
        self,
        view: View,
        venue: VenueState,
        number: int,
        position: Position,
        holdings: Sequence[Holding],
        pair: tuple[int, int],
        owed: int,
        secured: int,
        missing: int,
    ) -> Order | None:
        """Sells collateral and repays, as far as the health check of the withdrawal allows."""
        collateral, debt = pair
        threshold = venue.venue.thresholds_bps[collateral]
        free = (secured - owed) * BPS // threshold * _WITHDRAWAL_MARGIN_BPS // BPS
        # a sale of 1 adds target - threshold to what is missing, nothing if the two are equal
        rise = position.target_health_factor * BPS // WAD - threshold
        worth = min(free, missing * BPS // rise) if rise else free
        unit = 10 ** venue.venue.decimals[collateral]
        held = holdings[collateral].claims
        amount = min(held, worth * unit // venue.oracle_prices[collateral])
        if amount <= 0:
            return None
        assets, executor = venue.venue.assets, venue.venue.deleverager
        data = venue.venue.deleverage_call(assets[collateral], assets[debt], amount)
        return self._maker(number).order(view, "deleverage", str(number), executor.address, data)
