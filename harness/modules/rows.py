"""What a module's events mean: the liquidations it began, and the sales that paid for them.

A liquidation is the market's ``Confiscate`` together with the module's own event about it, in
whichever order a design emits them. Amounts that events give scaled are turned into base units at
the indexes of their block, which all transactions of a block share, and USD figures are at the
market's prices: those of the ``Confiscate`` event for what was taken over, those after the block
for sales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.modules.handle import ModuleHandle
from harness.protocols.pooled_lending import NO_CAP, RAY, AssetState, PooledLendingVenue
from harness.trace import LiquidationRow, SaleRow, Trace, TradeRow

#: The event with which each design tells its part of a liquidation.
BEGUN = frozenset({"DiscountedLiquidation"})

#: All events of modules that are recorded.
WATCHED = BEGUN


class At(NamedTuple):
    """Where an event was: block, place in it, and the agent who sent the transaction."""

    block: int
    place: int
    agent: str


@dataclass(slots=True)
class _Taken:
    """What a Confiscate event took, to be valued when the indexes are known."""

    row: LiquidationRow
    words: Sequence[int]


class ModuleRows:
    """Writes the rows of one market's module into a trace."""

    def __init__(
        self,
        venue: PooledLendingVenue,
        module: ModuleHandle,
        symbols: Mapping[bytes, str],
        trace: Trace,
    ) -> None:
        self._venue = venue
        self._module = module
        self._symbols = symbols
        self._trace = trace
        self._units = [10**places for places in venue.decimals]
        self._confiscated: dict[str, Any] | None = None
        self._begun: tuple[str, dict[str, Any]] | None = None
        self._to_value: list[_Taken] = []
        self._new_sales: list[SaleRow] = []

    def begin(self) -> None:
        """A new transaction."""
        self._confiscated = self._begun = None

    def event(self, name: str, fields: dict[str, Any], at: At) -> LiquidationRow | None:
        """Takes in an event; the liquidation, if it is now known."""
        if name == "Confiscate":
            self._confiscated = fields
        elif name in BEGUN:
            self._begun = (name, fields)
        if self._confiscated is None or self._begun is None:
            return None
        row = self._liquidation(self._begun[1], self._confiscated, at)
        self._to_value.append(_Taken(row, self._confiscated["taken"]))
        self._confiscated = self._begun = None
        return row

    def _liquidation(
        self, begun: Mapping[str, Any], confiscated: Mapping[str, Any], at: At
    ) -> LiquidationRow:
        collateral = self._symbols[begun["collateralAsset"]]
        debt = self._symbols[begun["debtAsset"]]
        row = LiquidationRow(
            block=at.block,
            place=at.place,
            venue=self._venue.name,
            account=self._venue.number_of.get(confiscated["account"], -1),
            liquidator=at.agent,
            collateral=collateral,
            debt=debt,
            repaid=begun["repaid"],
            seized=begun["seized"],
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
        row.repaid_usd = self._usd(debt, row.repaid, row.prices)
        row.seized_usd = self._usd(collateral, row.seized, row.prices)
        return row

    def _usd(self, symbol: str, amount: int, prices: Sequence[int]) -> int:
        place = self._venue.assets.index(symbol)
        worth: int = amount * prices[place] // self._units[place]
        return worth

    def sold(self, trade: TradeRow) -> None:
        """Takes in a forced trade of this market."""

    def close_block(self, states: Sequence[AssetState]) -> None:
        """Values what the block took and sold, at its indexes and prices."""
        for taken in self._to_value:
            row = taken.row
            for place, word in enumerate(taken.words):
                claims = (word >> 128) * states[place].supply_index // RAY
                debt = -(-(word & NO_CAP) * states[place].borrow_index // RAY)
                price, unit = row.prices[place], self._units[place]
                row.taken_usd += claims * price // unit
                row.relieved_usd += debt * price // unit
        self._to_value.clear()
