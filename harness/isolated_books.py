"""Checks of the invariants of isolated markets while a scenario runs.

ISO-1 and ISO-4 are checked in every block, ISO-3 and ISO-5 for every liquidation, ISO-2 at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.engine.base import Engine
from harness.protocols.isolated_lending import COLLATERAL, DEBT, IsolatedLendingVenue
from harness.testing.isolated_invariants import (
    wrong_isolated_books,
    wrong_isolated_liquidation,
    wrong_isolated_totals,
    wrong_seizure,
    wrong_supply_share_price,
)
from harness.trace import LiquidationRow
from harness.view import VenueState, View

#: takes an invariant's ID, the block, and what is wrong, or None
Note = Callable[[str, int, str | None], None]

_PRICE_SCALE = 10**36
_NO_CAP = (1 << 128) - 1


class IsolatedBooks:
    """The books of one isolated market, from block to block."""

    def __init__(self, venue: IsolatedLendingVenue, note: Note) -> None:
        self._venue = venue
        self._note = note
        #: the supply in assets and in shares after the last block
        self._supply: tuple[int, int] | None = None
        #: bad debt realised since
        self._bad_debt = 0

    def _tell(self, identifier: str, block: int, problem: str | None) -> None:
        self._note(identifier, block, problem and f"{self._venue.name}: {problem}")

    def liquidated(self, row: LiquidationRow) -> None:
        """ISO-3 and ISO-5 for one liquidation."""
        collateral_unit, debt_unit = (10**places for places in self._venue.decimals)
        collateral_price, debt_price = row.prices
        price = collateral_price * debt_unit * _PRICE_SCALE // (debt_price * collateral_unit)
        lltv = self._venue.lltv_wad
        problem = wrong_isolated_liquidation(
            collateral_before=row.position[COLLATERAL] >> 128,
            debt_before=row.position[DEBT] & _NO_CAP,
            price=price,
            lltv_wad=lltv,
            health_before=row.health_factor,
        )
        self._tell("ISO-3", row.block, problem)
        problem = wrong_seizure(repaid=row.repaid, seized=row.seized, price=price, lltv_wad=lltv)
        self._tell("ISO-5", row.block, problem)

    def wrote_off(self, amount: int) -> None:
        """Takes in debt that was taken off the supply in the block that is being read."""
        self._bad_debt += amount

    def block(self, view: View, state: VenueState) -> None:
        """ISO-1 and ISO-4 after a block."""
        debt = state.states[DEBT]
        market = self._venue.market.address
        problem = wrong_isolated_books(
            supply_assets=debt.total_claims,
            borrow_assets=debt.total_debt,
            token_balance=view.balances(self._venue.assets[DEBT], [market])[0],
        )
        self._tell("ISO-1", view.index, problem)
        supply = (debt.total_claims, debt.total_scaled_supply)
        if self._supply is not None:
            problem = wrong_supply_share_price(self._supply, supply, bad_debt=self._bad_debt)
            self._tell("ISO-4", view.index, problem)
        self._supply, self._bad_debt = supply, 0

    def close(self, engine: Engine, view: View, state: VenueState) -> None:
        """ISO-2: everybody's shares and collateral."""
        words = self._venue.scaled_words(engine, self._venue.people)
        positions = [
            (words[at + DEBT] >> 128, words[at + DEBT] & _NO_CAP, words[at + COLLATERAL] >> 128)
            for at in range(0, len(words), len(self._venue.assets))
        ]
        market = self._venue.market.address
        problem = wrong_isolated_totals(
            positions,
            total_supply_shares=state.states[DEBT].total_scaled_supply,
            total_borrow_shares=state.states[DEBT].total_scaled_debt,
            collateral_balance=view.balances(self._venue.assets[COLLATERAL], [market])[0],
        )
        self._tell("ISO-2", view.index, problem)


__all__ = ["IsolatedBooks"]
