"""What a module's events mean: the liquidations it began, and the sales that paid for them.

A liquidation is the market's ``Confiscate`` together with the module's own event about it, in
whichever order a design emits them. Amounts that events give scaled are turned into base units at
the indexes of their block, which all transactions of a block share, and USD figures are at the
market's prices: those of the ``Confiscate`` event for what was taken over, those after the block
for sales.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.modules.handle import ModuleHandle
from harness.protocols.pooled_lending import NO_CAP, RAY, AssetState, PooledLendingVenue
from harness.scenario.liquidation import AbsorbAndSell, StabilityDeposits
from harness.trace import LiquidationRow, SaleRow, Trace, TradeRow

#: The event with which each design tells its part of a liquidation.
BEGUN = frozenset({"DiscountedLiquidation", "Kick", "Absorb", "Liquidated"})

#: All events of modules that are recorded.
WATCHED = BEGUN | {"Take", "Redo", "Bid", "Closed", "BuyCollateral", "PurchaseExecuted"}


class At(NamedTuple):
    """Where an event was: block, place in it, and the agent who sent the transaction."""

    block: int
    place: int
    agent: str


class _Returned(NamedTuple):
    """Scaled claims that went back to an account when its auction closed."""

    row: LiquidationRow
    scaled: int


@dataclass(slots=True)
class _Pooled:
    """A sale of collateral that nobody's is any more: whose it was, the block's end tells."""

    at: At
    symbol: str
    paid: int
    bought: int
    proceeds: int = 0
    trade: int = 0


class _Taken(NamedTuple):
    """What a Confiscate event took, and what the module's own event says about it."""

    row: LiquidationRow
    number: int
    words: Sequence[int]
    begun: Mapping[str, Any]


class ModuleRows:
    """Writes the rows of one market's module into a trace.

    agents: names of those who buy, by address
    """

    def __init__(
        self,
        venue: PooledLendingVenue,
        module: ModuleHandle,
        symbols: Mapping[bytes, str],
        trace: Trace,
        agents: Mapping[bytes, str],
    ) -> None:
        self._venue = venue
        self._module = module
        self._symbols = symbols
        self._trace = trace
        self._agents = agents
        self._units = [10**places for places in venue.decimals]
        self._confiscated: dict[str, Any] | None = None
        self._begun: tuple[str, dict[str, Any]] | None = None
        #: of the current block, to be valued when its indexes and prices are known
        self._taken: list[_Taken] = []
        self._returned: list[_Returned] = []
        self._incentives: list[tuple[LiquidationRow, int]] = []
        self._sales: list[SaleRow] = []
        #: sales of the current transaction, whose proceeds its trade brings
        self._now: list[SaleRow] = []
        #: places in the trace of liquidations in auction, by the auction's number
        self._auctions: dict[int, int] = {}
        #: sales of the block from what is pooled, and that of the current transaction
        self._pooled: list[_Pooled] = []
        self._pooled_now: _Pooled | None = None
        #: collateral that is pooled, by asset, the oldest first: (liquidation, amount left)
        self._stock: dict[str, deque[tuple[int, int]]] = defaultdict(deque)
        #: what a buyer won and has not sold on, the oldest first: (sale, amount left)
        self._unsold: dict[str, deque[tuple[SaleRow, int]]] = defaultdict(deque)

    def begin(self) -> None:
        """A new transaction."""
        self._confiscated = self._begun = None
        self._now = []
        self._pooled_now = None

    def event(self, name: str, fields: dict[str, Any], at: At) -> LiquidationRow | None:
        """Takes in an event; the liquidation, once it is known, to be added to the trace next."""
        if name == "Confiscate":
            self._confiscated = fields
        elif name in BEGUN:
            self._begun = (name, fields)
        elif name == "Take":
            self._sold(self._auctions[fields["id"]], at, fields["paid"], fields["bought"])
        elif name == "Redo":
            row = self._trace.liquidations[self._auctions[fields["id"]]]
            self._incentives.append((row, fields["incentive"]))
        elif name == "Closed":
            self._closed(fields, at)
        elif name == "BuyCollateral":
            symbol = self._symbols[fields["asset"]]
            sale = _Pooled(at, symbol, fields["baseAssets"], fields["collateralAssets"])
            self._pooled.append(sale)
            self._pooled_now = sale
        elif name == "PurchaseExecuted":
            self._brought(fields["proceeds"])
        if self._confiscated is None or self._begun is None:
            return None
        row = self._liquidation(self._begun[1], self._confiscated, at)
        number = len(self._trace.liquidations)  # it is added next
        self._taken.append(_Taken(row, number, self._confiscated["taken"], self._begun[1]))
        self._confiscated = self._begun = None
        return row

    def _liquidation(
        self, begun: Mapping[str, Any], confiscated: Mapping[str, Any], at: At
    ) -> LiquidationRow:
        collateral, debt = self._pair(begun, confiscated)
        row = LiquidationRow(
            block=at.block,
            place=at.place,
            venue=self._venue.name,
            account=self._venue.number_of.get(confiscated["account"], -1),
            liquidator=at.agent,
            collateral=collateral,
            debt=debt,
            repaid=begun.get("repaid", begun.get("offset", 0)),
            seized=begun.get("seized", 0),
            protocol_fee=0,
            repaid_usd=0,
            seized_usd=0,
            health_factor=confiscated["healthFactorBefore"],
            position=confiscated["positionBefore"],
            prices=confiscated["prices"],
            unhealthy_since=at.block,
            feed_trades=(),
            thresholds_bps=self._venue.thresholds_bps,
        )
        row.repaid_usd = self._usd(row.debt, row.repaid, row.prices)
        row.seized_usd = self._usd(row.collateral, row.seized, row.prices)
        if "id" in begun:
            self._auctions[begun["id"]] = len(self._trace.liquidations)
            self._incentives.append((row, begun.get("incentive", 0)))
        return row

    def _pair(self, begun: Mapping[str, Any], confiscated: Mapping[str, Any]) -> tuple[str, str]:
        """What was taken against which debt; of several collaterals the most valuable."""
        design = self._module.design
        if isinstance(design, StabilityDeposits):
            return design.collateral, design.debt
        if not isinstance(design, AbsorbAndSell):
            return self._symbols[begun["collateralAsset"]], self._symbols[begun["debtAsset"]]
        worth = [
            (word >> 128) * price // unit
            for word, price, unit in zip(
                confiscated["positionBefore"], confiscated["prices"], self._units, strict=True
            )
        ]
        return self._venue.assets[worth.index(max(worth))], design.base

    def _usd(self, symbol: str, amount: int, prices: Sequence[int]) -> int:
        place = self._venue.assets.index(symbol)
        worth: int = amount * prices[place] // self._units[place]
        return worth

    # --- sales ---------------------------------------------------------------------------

    def _sold(self, liquidation: int, at: At, paid: int, bought: int) -> SaleRow:
        sale = SaleRow(liquidation, at.block, at.place, at.agent, paid, bought)
        row = self._trace.liquidations[liquidation]
        row.repaid += paid
        row.seized += bought
        self._trace.sales.append(sale)
        self._sales.append(sale)
        self._now.append(sale)
        return sale

    def _closed(self, fields: Mapping[str, Any], at: At) -> None:
        liquidation = self._auctions.pop(fields["id"])
        if "winner" not in fields:
            row = self._trace.liquidations[liquidation]
            self._returned.append(_Returned(row, fields["returnedScaled"]))
            return
        buyer = self._agents.get(fields["winner"], at.agent)
        won = self._sold(liquidation, at._replace(agent=buyer), fields["bid"], fields["lot"])
        self._unsold[buyer].append((won, won.bought))

    def _brought(self, proceeds: int) -> None:
        """Proceeds of this transaction's purchases, by what each bought."""
        if self._pooled_now is not None:
            self._pooled_now.proceeds = proceeds
        left, bought = proceeds, sum(sale.bought for sale in self._now)
        for sale in self._now:
            part = left * sale.bought // bought if bought else 0
            sale.proceeds, left, bought = part, left - part, bought - sale.bought
            self._trace.liquidations[sale.liquidation].proceeds += part

    def traded(self, trade: TradeRow, agent: str) -> None:
        """Takes in a forced trade of this market: of what was bought in the same transaction, or of
        what its seller won before, the oldest first."""
        if self._now:
            for sale in self._now:
                sale.trade = trade.id
            return
        if self._pooled_now is not None:
            self._pooled_now.trade = trade.id
            return
        if isinstance(self._module.design, StabilityDeposits) and agent in self._agents.values():
            at = At(trade.block, trade.place, agent)
            self._pooled.append(
                _Pooled(at, trade.sold, 0, trade.amount_in, trade.amount_out, trade.id)
            )
            return
        unsold = self._unsold[agent]
        amount, proceeds = trade.amount_in, trade.amount_out
        while amount and unsold:
            sale, left = unsold.popleft()
            part = min(left, amount)
            brought = proceeds * part // amount
            sale.trade, sale.proceeds = trade.id, sale.proceeds + brought
            self._trace.liquidations[sale.liquidation].proceeds += brought
            amount, proceeds = amount - part, proceeds - brought
            if part < left:
                unsold.appendleft((sale, left - part))

    # --- values --------------------------------------------------------------------------

    def close_block(self, states: Sequence[AssetState]) -> None:
        """Values what the block took, sold and gave back, at its indexes and prices."""
        prices = [state.price_wad for state in states]
        for taken in self._taken:
            self._value(taken, states, prices)
        for row, scaled in self._returned:
            place = self._venue.assets.index(row.collateral)
            back = scaled * states[place].supply_index // RAY
            row.relieved_usd += self._usd(row.collateral, back, prices)
        for row, incentive in self._incentives:
            row.reward_usd += self._usd(row.debt, incentive, prices)
        for pooled in self._pooled:
            self._share_out(pooled)
        for sale in self._sales:
            row = self._trace.liquidations[sale.liquidation]
            sale.paid_usd = self._usd(row.debt, sale.paid, prices)
            sale.bought_usd = self._usd(row.collateral, sale.bought, prices)
            row.repaid_usd += sale.paid_usd
            row.seized_usd += sale.bought_usd
        self._taken.clear()
        self._returned.clear()
        self._incentives.clear()
        self._pooled.clear()
        self._sales.clear()

    def _value(self, taken: _Taken, states: Sequence[AssetState], prices: Sequence[int]) -> None:
        row, number, words, begun = taken
        for place, word in enumerate(words):
            claims = (word >> 128) * states[place].supply_index // RAY
            debt = -(-(word & NO_CAP) * states[place].borrow_index // RAY)
            price, unit = row.prices[place], self._units[place]
            row.taken_usd += claims * price // unit
            row.relieved_usd += debt * price // unit
            if claims and isinstance(self._module.design, AbsorbAndSell):
                self._stock[self._venue.assets[place]].append((number, claims))
        if "credited" in begun:
            row.relieved_usd += self._usd(row.debt, begun["credited"], prices)
        if "gained" in begun:
            self._value_pool(row, number, begun, states)

    def _value_pool(
        self,
        row: LiquidationRow,
        number: int,
        begun: Mapping[str, Any],
        states: Sequence[AssetState],
    ) -> None:
        """What depositors paid and got, the keeper got, and other borrowers carry."""
        collateral = states[self._venue.assets.index(row.collateral)].supply_index
        debt = states[self._venue.assets.index(row.debt)].borrow_index
        gained = begun["gained"] * collateral // RAY
        reward = begun["keeperClaims"] * collateral // RAY
        spread = begun["spreadClaims"] * collateral // RAY
        owed = -(-begun["spreadDebt"] * debt // RAY)
        row.seized = gained + reward
        row.seized_usd = self._usd(row.collateral, row.seized, row.prices)
        row.reward_usd = self._usd(row.collateral, reward, row.prices)
        paid = self._usd(row.debt, row.repaid, row.prices)
        row.depositors_usd = paid - self._usd(row.collateral, gained, row.prices)
        row.borrowers_usd = self._usd(row.debt, owed, row.prices) - self._usd(
            row.collateral, spread, row.prices
        )
        if gained:
            self._stock[row.collateral].append((number, gained))

    def _share_out(self, pooled: _Pooled) -> None:
        """Charges a sale to the liquidations whose collateral it is, the oldest first; what
        interest added belongs to the last."""
        stock = self._stock[pooled.symbol]
        amount, paid, proceeds = pooled.bought, pooled.paid, pooled.proceeds
        depositor = isinstance(self._module.design, StabilityDeposits)
        while amount and stock:
            number, left = stock.popleft()
            part = min(left, amount) if stock or left > amount else amount
            price, brought = paid * part // amount, proceeds * part // amount
            sale = SaleRow(number, pooled.at.block, pooled.at.place, pooled.at.agent, price, part)
            sale.proceeds, sale.trade, sale.by_depositor = brought, pooled.trade, depositor
            row = self._trace.liquidations[number]
            if not depositor:  # who has paid and got what is in the row already
                row.repaid, row.seized = row.repaid + price, row.seized + part
                self._sales.append(sale)
            row.proceeds += brought
            self._trace.sales.append(sale)
            amount, paid, proceeds = amount - part, paid - price, proceeds - brought
            if part < left:
                stock.appendleft((number, left - part))
