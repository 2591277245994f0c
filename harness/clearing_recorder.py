"""What clearing houses tell, for a `Recorder`, into its trace, and whether it adds up."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from harness.scenario import BPS
from harness.testing.clearing_invariants import (
    STEPS,
    wrong_haircut,
    wrong_loss_by_step,
    wrong_severity,
)
from harness.trace import Trace, WaterfallRow
from harness.view import View
from harness.world import World


class _Terms(NamedTuple):
    """How winners of an exchange pay: through the price or not, at most which share of a loss, and
    how many markets they may be closed in."""

    by_price: bool
    severity_bps: int
    markets: int


class ClearingRecorder:
    """Records the events of clearing houses, by exchange and round."""

    def __init__(self, world: World, view: View, trace: Trace) -> None:
        self._trace = trace
        self._venues = {venue.exchange.address: venue for venue in world.exchanges.values()}
        self._terms = {
            name: _Terms(
                bool(view.ask(house.policy, "atBankruptcyPrice")),
                house.spec.severity_bps,
                len(venue.markets),
            )
            for house in world.clearing.values()
            for name, venue in house.exchanges.items()
        }

    def event(self, index: int, place: int, name: str, fields: dict[str, Any]) -> None:
        """Records one event."""
        venue = self._venues[fields["venue"]]
        word = fields.get("account", fields.get("payer", b""))
        number = venue.number_of.get(word, -1)
        row = WaterfallRow(index, place, venue.name, fields.get("round", 0), name, number, fields)
        self._trace.waterfall.append(row)

    def judge(self) -> None:
        """Checks CLR-2, CLR-5 and CLR-8 for every round that has ended, into the trace's
        invariants."""
        if not self._terms:
            return
        trace = self._trace
        trace.invariants |= {"CLR-2": True, "CLR-5": True, "CLR-8": True}
        for (venue, number), rows in self._rounds().items():
            found = {
                "CLR-2": self._haircuts(rows),
                "CLR-5": self._sums(rows, self._terms[venue]),
                "CLR-8": self._severity(rows, self._terms[venue]),
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
        wealth: dict[int, int] = {}
        for row in rows:
            if row.name == "Listed":  # again where all winners are asked, for what is left to it
                wealth[row.account] = row.fields["wealth"]
            elif row.name == "Deleveraged":
                problem = wrong_haircut(paid=row.fields["paid"], profit=wealth[row.account])
                if problem is not None:
                    return problem
        return None

    @staticmethod
    def _severity(rows: list[WaterfallRow], terms: _Terms) -> str | None:
        told = Counter(row.name for row in rows)
        closings = told["Deleveraged"] * told["ClosedOut"] * terms.markets
        return wrong_severity(
            unpaid=[row.fields["unpaid"] for row in rows if row.name == "LossTaken"],
            severity_bps=terms.severity_bps,
            paid=sum(
                row.fields["amount"]
                for row in rows
                if row.name == "Paid" and STEPS[row.fields["step"]] == "deleveraging"
            ),
            closings=closings if terms.by_price else 0,
        )

    @staticmethod
    def _sums(rows: list[WaterfallRow], terms: _Terms) -> str | None:
        total: Counter[str] = Counter()
        paid = []
        open_accounts = {row.account for row in rows if row.name == "ClosedOut"}
        for row in rows:
            if row.name == "LossTaken":
                total["loss"] += row.fields["loss"]
                if terms.by_price and row.account in open_accounts:
                    total["price"] += row.fields["unpaid"] * terms.severity_bps // BPS
            elif row.name == "ClosedOut":
                total["residual"] += row.fields["residual"]
            elif row.name == "Paid" and not (
                terms.by_price and STEPS[row.fields["step"]] == "deleveraging"
            ):
                paid.append(row.fields["amount"])
        return wrong_loss_by_step(
            losses=total["loss"],
            residuals=total["residual"],
            paid=paid,
            by_price=total["price"],
            unpaid=rows[-1].fields["unpaid"],
        )
