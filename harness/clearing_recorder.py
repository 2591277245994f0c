"""What clearing houses tell, for a `Recorder`, into its trace, and whether it adds up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from harness.testing.clearing_invariants import STEPS, wrong_haircut, wrong_loss_by_step
from harness.trace import Trace, WaterfallRow
from harness.view import View
from harness.world import World


class ClearingRecorder:
    """Records the events of clearing houses, by exchange and round."""

    def __init__(self, world: World, view: View, trace: Trace) -> None:
        self._trace = trace
        self._venues = {venue.exchange.address: venue for venue in world.exchanges.values()}
        self._by_price = {
            name: bool(view.ask(house.policy, "atBankruptcyPrice"))
            for house in world.clearing.values()
            for name in house.exchanges
        }

    def event(self, index: int, place: int, name: str, fields: dict[str, Any]) -> None:
        """Records one event."""
        venue = self._venues[fields["venue"]]
        word = fields.get("account", fields.get("payer", b""))
        number = venue.number_of.get(word, -1)
        row = WaterfallRow(index, place, venue.name, fields.get("round", 0), name, number, fields)
        self._trace.waterfall.append(row)

    def judge(self) -> None:
        """Checks CLR-2 and CLR-5 for every round that has ended, into the trace's invariants."""
        if not self._by_price:
            return
        trace = self._trace
        trace.invariants |= {"CLR-2": True, "CLR-5": True}
        for (venue, number), rows in self._rounds().items():
            found = {
                "CLR-2": self._haircuts(rows),
                "CLR-5": self._sums(rows, by_price=self._by_price[venue]),
            }
            for identifier, problem in found.items():
                if problem is not None:
                    trace.invariants[identifier] = False
                    trace.violations.append(
                        f"{identifier} block {rows[-1].block}: {venue}, round {number}: {problem}"
                    )

    def _rounds(self) -> dict[tuple[str, int], list[WaterfallRow]]:
        rounds: dict[tuple[str, int], list[WaterfallRow]] = {}
        for row in self._trace.waterfall:
            if row.name != "Reported":
                rounds.setdefault((row.venue, row.round), []).append(row)
        return {key: rows for key, rows in rounds.items() if rows[-1].name == "RoundClosed"}

    @staticmethod
    def _haircuts(rows: list[WaterfallRow]) -> str | None:
        wealth = {row.account: row.fields["wealth"] for row in rows if row.name == "Listed"}
        for row in rows:
            if row.name == "Deleveraged":
                problem = wrong_haircut(paid=row.fields["paid"], profit=wealth[row.account])
                if problem is not None:
                    return problem
        return None

    @staticmethod
    def _sums(rows: list[WaterfallRow], *, by_price: bool) -> str | None:
        total: Counter[str] = Counter()
        paid = []
        open_accounts = {row.account for row in rows if row.name == "ClosedOut"}
        for row in rows:
            if row.name == "LossTaken":
                total["loss"] += row.fields["loss"]
                if by_price and row.account in open_accounts:
                    total["price"] += row.fields["unpaid"]
            elif row.name == "ClosedOut":
                total["residual"] += row.fields["residual"]
            elif row.name == "Paid" and not (
                by_price and STEPS[row.fields["step"]] == "deleveraging"
            ):
                paid.append(row.fields["amount"])
        return wrong_loss_by_step(
            losses=total["loss"],
            residuals=total["residual"],
            paid=paid,
            by_price=total["price"],
            unpaid=rows[-1].fields["unpaid"],
        )
